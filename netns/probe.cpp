#include "troupe/netns/probe.hpp"

#include "troupe/netns/unique_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <system_error>

namespace troupe::netns {

namespace {

using clock = std::chrono::steady_clock;

// Sockets in use at once.
constexpr auto most_at_once = size_t{200};

constexpr auto unanswered = std::string_view{"no answer"};

struct probe {
  unique_fd fd;
  std::string failure; ///< Empty while it waits, and once it was answered.
  bool waits = false;
};

std::string text_of(int number) {
  return std::error_code{number, std::generic_category()}.message();
}

bool is_answer(int number) {
  return number == 0 || number == ECONNREFUSED || number == ECONNRESET;
}

void settle(probe& x, int number) {
  x.waits = false;
  x.failure = is_answer(number) ? std::string{} : text_of(number);
}

// In the namespace of the calling thread.
void begin(probe& x, const probe_way& way) {
  auto is_v4 = way.to.is_v4();
  x.fd = unique_fd{::socket(is_v4 ? AF_INET : AF_INET6,
                            SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!x.fd)
    return settle(x, errno);
  auto v4 = sockaddr_in{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(way.port);
  auto v6 = sockaddr_in6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(way.port);
  if (is_v4)
    std::memcpy(&v4.sin_addr, way.to.bytes().data(), sizeof v4.sin_addr);
  else
    std::memcpy(&v6.sin6_addr, way.to.bytes().data(), sizeof v6.sin6_addr);
  auto done
    = is_v4
        ? ::connect(x.fd.get(), reinterpret_cast<sockaddr*>(&v4), sizeof v4)
        : ::connect(x.fd.get(), reinterpret_cast<sockaddr*>(&v6), sizeof v6);
  if (done != 0 && errno == EINPROGRESS)
    x.waits = true;
  else
    settle(x, done == 0 ? 0 : errno);
}

// Moves the calling thread from namespace to namespace; a socket stays where it
// was opened.
void begin_all(const std::string& pin_dir, int host,
               std::span<const probe_way> ways, std::span<probe> probes) {
  for (size_t i = 0; i < ways.size(); ++i) {
    auto pin = ways[i].pin.empty()
                 ? unique_fd{}
                 : unique_fd{::open((pin_dir + "/" + ways[i].pin).c_str(),
                                    O_RDONLY | O_CLOEXEC)};
    auto place = ways[i].pin.empty() ? host : pin.get();
    if (place < 0 || ::setns(place, CLONE_NEWNET) != 0)
      settle(probes[i], errno);
    else
      begin(probes[i], ways[i]);
  }
}

void wait_for_all(std::span<probe> probes, clock::time_point end) {
  for (;;) {
    auto waiting = std::vector<pollfd>{};
    auto owners = std::vector<probe*>{};
    for (auto& x : probes)
      if (x.waits) {
        waiting.push_back({x.fd.get(), POLLOUT, 0});
        owners.push_back(&x);
      }
    auto left
      = std::chrono::ceil<std::chrono::milliseconds>(end - clock::now());
    if (waiting.empty() || left.count() <= 0)
      break;
    if (::poll(waiting.data(), waiting.size(), static_cast<int>(left.count()))
          < 0
        && errno != EINTR)
      break;
    for (size_t i = 0; i < waiting.size(); ++i) {
      if (waiting[i].revents == 0)
        continue;
      auto number = 0;
      auto size = socklen_t{sizeof number};
      ::getsockopt(waiting[i].fd, SOL_SOCKET, SO_ERROR, &number, &size);
      settle(*owners[i], number);
    }
  }
  for (auto& x : probes)
    if (std::exchange(x.waits, false))
      x.failure = unanswered;
}

} // namespace

result<std::vector<std::string>>
send_probes(const std::string& pin_dir, std::span<const probe_way> ways,
            std::chrono::milliseconds patience) {
  auto failures = std::vector<std::string>{};
  auto host
    = unique_fd{::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
  if (!host)
    return fail(os_failure(errno, "probe: open the host's namespace"));
  while (failures.size() < ways.size()) {
    auto some = ways.subspan(failures.size());
    some = some.first(std::min(some.size(), most_at_once));
    auto probes = std::vector<probe>(some.size());
    // A thread of its own enters the namespaces and ends there.
    try {
      std::thread{[&] {
        begin_all(pin_dir, host.get(), some, probes);
      }}.join();
    } catch (const std::system_error& problem) {
      return fail(os_failure(problem.code().value(), "probe: start thread"));
    }
    wait_for_all(probes, clock::now() + patience);
    for (auto& x : probes)
      failures.push_back(std::move(x.failure));
  }
  return failures;
}

} // namespace troupe::netns
