#include "troupe/tests/lab/seeded_random.hpp"

#include <optional>
#include <random>
#include <thread>

#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

namespace {

thread_local std::optional<std::mt19937_64> generator;

} // namespace

extern "C" ssize_t getrandom(void* buffer, size_t length, unsigned flags) {
  if (!generator)
    return ::syscall(SYS_getrandom, buffer, length, flags);
  auto* bytes = static_cast<unsigned char*>(buffer);
  for (size_t i = 0; i < length; ++i)
    bytes[i] = static_cast<unsigned char>((*generator)());
  return static_cast<ssize_t>(length);
}

namespace troupe::testing {

void with_seed(uint64_t seed, const std::function<void()>& work) {
  std::thread{[&] {
    generator.emplace(seed);
    work();
  }}.join();
}

} // namespace troupe::testing
