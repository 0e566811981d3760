#include "troupe/actors/api/polling.hpp"

#include <algorithm>

#include <sys/eventfd.h>

namespace troupe {

namespace {

using clock = std::chrono::steady_clock;

/// Without a descriptor for the signal, it is looked at this often.
constexpr auto short_of_descriptors = std::chrono::seconds{1};

} // namespace

void poll_until(std::span<pollfd> what, due_time until) {
  using std::chrono::milliseconds;
  constexpr auto longest = std::chrono::hours{1};
  auto left = -1;
  if (until != never) {
    auto now = clock::now();
    auto rest = std::min<clock::duration>(std::max(until, now) - now, longest);
    left = static_cast<int>(std::chrono::ceil<milliseconds>(rest).count());
  }
  // What fails here fails again where it is read.
  (void)::poll(what.data(), what.size(), left);
}

wake_signal::wake_signal() : fd_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
}

void wake_signal::raise() noexcept {
  (void)::eventfd_write(fd_.get(), 1);
}

void wake_signal::sleep(std::vector<pollfd>& what, due_time until) {
  if (!fd_)
    until = std::min(until, clock::now() + short_of_descriptors);
  what.push_back({fd_.get(), POLLIN, 0});
  poll_until(what, until);
  what.pop_back();
  auto count = eventfd_t{};
  (void)::eventfd_read(fd_.get(), &count);
}

} // namespace troupe
