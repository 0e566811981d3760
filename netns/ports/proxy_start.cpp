#include "troupe/netns/ports/proxy_start.hpp"

#include "troupe/netns/unique_fd.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace troupe::netns {

namespace {

// In the new program; below it are standard input, output and error.
constexpr int ready_fd = 3;

// Runs between fork and exec of a process with many threads: nothing here may
// take a lock or memory.
[[noreturn]] void become_proxy(char* const* arguments, int ready) {
  ::setsid();
  // Not the daemon's child: it must not be waited for, nor die with it.
  if (::fork() != 0)
    ::_exit(0);
  auto null = ::open("/dev/null", O_RDWR);
  for (auto fd : {0, 1, 2})
    ::dup2(null, fd);
  // Over a close-on-exec descriptor, or over itself without that flag.
  if (ready == ready_fd)
    ::fcntl(ready, F_SETFD, 0);
  else
    ::dup2(ready, ready_fd);
  ::close_range(ready_fd + 1, ~0U, 0);
  auto none = sigset_t{};
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execv(arguments[0], arguments);
  auto text = std::strerror(errno);
  static_cast<void>(!::write(ready_fd, text, std::strlen(text)));
  ::_exit(127);
}

// What it says about its start: one line, or nothing if it died.
std::string read_line(int fd, int patience_ms) {
  auto result = std::string{};
  using clock = std::chrono::steady_clock;
  auto end = clock::now() + std::chrono::milliseconds{patience_ms};
  while (true) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      end - clock::now());
    auto waiting = pollfd{fd, POLLIN, 0};
    if (left.count() <= 0
        || ::poll(&waiting, 1, static_cast<int>(left.count())) <= 0)
      return result.empty() ? "it did not get ready" : result;
    auto buffer = std::array<char, 512>{};
    auto got = ::read(fd, buffer.data(), buffer.size());
    if (got <= 0)
      return result.empty() ? "it died" : result;
    result.append(buffer.data(), static_cast<size_t>(got));
    if (result.ends_with('\n')) {
      result.pop_back();
      return result;
    }
  }
}

} // namespace

result<void> start_proxy(const proxy_settings& settings) {
  auto what = "start " + settings.program;
  auto ends = std::array<int, 2>{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return fail(os_failure(errno, what));
  auto out = unique_fd{ends[0]};
  auto in = unique_fd{ends[1]};
  auto words = std::vector<std::string>{settings.program,
                                        "--run-dir",
                                        settings.run_dir,
                                        "--user",
                                        settings.user,
                                        "--idle",
                                        std::to_string(settings.idle_s),
                                        "--ready-fd",
                                        std::to_string(ready_fd)};
  auto arguments = std::vector<char*>{};
  for (auto& word : words)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);
  auto child = ::fork();
  if (child < 0)
    return fail(os_failure(errno, what));
  if (child == 0)
    become_proxy(arguments.data(), in.get());
  in = unique_fd{};
  auto status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR)
    continue;
  auto said = read_line(out.get(), settings.patience_ms);
  if (said == "ready" || said.ends_with("another one runs"))
    return {};
  return fail(ec::unavailable, what + ": " + said,
              "published ports need it on loopback addresses");
}

} // namespace troupe::netns
