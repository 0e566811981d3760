#include "troupe/tools/troupe-sim/progress.hpp"

#include <fmt/format.h>

#include <cstdio>

#include <unistd.h>

namespace troupe::tools {

namespace {

constexpr auto pause_between = std::chrono::milliseconds{200};
constexpr uint64_t width = 30;

} // namespace

progress_bar::progress_bar(uint64_t all)
  : all_{all}, on_{::isatty(STDERR_FILENO) == 1} {
}

progress_bar::~progress_bar() {
  if (shown_)
    fmt::print(stderr, "\r{:79}\r", "");
}

void progress_bar::show(uint64_t done, uint64_t failed) {
  const auto now = clock::now();
  if (!on_ || now - last_ < pause_between)
    return;
  last_ = now;
  shown_ = true;
  const auto passed = std::chrono::duration<double>(now - began_).count();
  const auto left = done == 0 ? 0.0
                              : passed / static_cast<double>(done)
                                  * static_cast<double>(all_ - done);
  fmt::print(stderr, "\r[{:<{}}] {}/{} seeds, {} failed, {:.0f} s left  ",
             std::string(done * width / all_, '#'), width, done, all_, failed,
             left);
  std::fflush(stderr);
}

} // namespace troupe::tools
