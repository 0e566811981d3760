#include "troupe/tools/trouped/stop_signals.hpp"

#include <csignal>
#include <pthread.h>

#include <sys/signalfd.h>
#include <unistd.h>

namespace troupe::tools {

namespace {

sigset_t awaited() {
  auto result = sigset_t{};
  sigemptyset(&result);
  sigaddset(&result, SIGTERM);
  sigaddset(&result, SIGINT);
  return result;
}

} // namespace

stop_signals::stop_signals() {
  const auto signals = awaited();
  fd_ = netns::unique_fd{::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK)};
  // Without a descriptor they keep on ending the program.
  if (fd_)
    (void)pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

stop_signals::~stop_signals() {
  const auto signals = awaited();
  (void)pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

std::optional<int> stop_signals::take() const {
  auto info = signalfd_siginfo{};
  if (::read(fd_.get(), &info, sizeof info) != sizeof info)
    return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

} // namespace troupe::tools
