#include "troupe/config/model/random.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>

#include <sys/random.h>
#include <sys/types.h>
#include <unistd.h>

namespace troupe {

namespace {

// One system call serves 32 ids; more would only age in memory.
constexpr size_t batch_bytes = 1024;

struct batch {
  std::array<uint8_t, batch_bytes> bytes{};
  size_t used = batch_bytes;
  pid_t owner = 0;
};

thread_local batch this_thread_batch;

void read_system(std::span<uint8_t> bytes) {
  while (!bytes.empty()) {
    auto n = getrandom(bytes.data(), bytes.size(), 0);
    if (n > 0)
      bytes = bytes.subspan(static_cast<size_t>(n));
    else if (errno != EINTR)
      std::abort();
  }
}

} // namespace

void fill_random(std::span<uint8_t> bytes) {
  auto& stock = this_thread_batch;
  // A forked child must not hand out the bytes its parent hands out too.
  if (auto self = getpid(); stock.owner != self) {
    stock.owner = self;
    stock.used = batch_bytes;
  }
  while (!bytes.empty()) {
    if (stock.used == batch_bytes) {
      read_system(stock.bytes);
      stock.used = 0;
    }
    auto n = std::min(bytes.size(), batch_bytes - stock.used);
    auto* from = stock.bytes.data() + stock.used;
    std::copy_n(from, n, bytes.data());
    std::fill_n(from, n, uint8_t{0});
    stock.used += n;
    bytes = bytes.subspan(n);
  }
}

} // namespace troupe
