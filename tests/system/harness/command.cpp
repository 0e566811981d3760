#include "troupe/tests/system/harness/command.hpp"

#include "troupe/tests/fixtures/slowness.hpp"

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <spawn.h>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace troupe::test {

namespace {

using clock = std::chrono::steady_clock;

// The words as execve wants them; they must outlive the result.
std::vector<char*> pointers_to(const std::vector<std::string>& words) {
  auto result = std::vector<char*>{};
  for (const auto& word : words)
    result.push_back(const_cast<char*>(word.c_str()));
  result.push_back(nullptr);
  return result;
}

pid_t start(const std::vector<std::string>& words,
            const std::vector<std::string>& extra,
            const posix_spawn_file_actions_t* actions) {
  auto environment = std::vector<std::string>{extra};
  for (auto entry = environ; *entry != nullptr; ++entry)
    environment.emplace_back(*entry);
  auto argv = pointers_to(words);
  auto envp = pointers_to(environment);
  auto child = pid_t{-1};
  if (posix_spawnp(&child, argv[0], actions, nullptr, argv.data(), envp.data())
      != 0)
    return -1;
  return child;
}

// Reads both pipes until they are closed. @returns false after the deadline.
bool collect(int out, int err, outcome& result, clock::time_point deadline) {
  pollfd fds[] = {{out, POLLIN, 0}, {err, POLLIN, 0}};
  std::string* texts[] = {&result.out, &result.err};
  for (auto open = 2; open > 0;) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - clock::now());
    if (left.count() <= 0)
      return false;
    if (poll(fds, 2, static_cast<int>(left.count())) <= 0)
      continue;
    for (auto i = 0; i < 2; ++i) {
      if (fds[i].fd < 0 || fds[i].revents == 0)
        continue;
      char buffer[4096];
      auto count = read(fds[i].fd, buffer, sizeof buffer);
      if (count > 0) {
        texts[i]->append(buffer, static_cast<size_t>(count));
      } else {
        fds[i].fd = -1;
        --open;
      }
    }
  }
  return true;
}

} // namespace

outcome
run(const std::vector<std::string>& words,
    const std::vector<std::string>& extra, std::chrono::seconds deadline) {
  auto result = outcome{};
  auto until = clock::now() + patient(deadline);
  int out[2], err[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0)
    return result;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  posix_spawn_file_actions_adddup2(&actions, err[1], 2);
  auto child = start(words, extra, &actions);
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  close(err[1]);
  if (child > 0) {
    if (!collect(out[0], err[0], result, until))
      kill(child, SIGKILL);
    result.code = wait_for(child, std::chrono::seconds{10});
  }
  close(out[0]);
  close(err[0]);
  return result;
}

pid_t spawn(const std::vector<std::string>& words, const std::string& log,
            const std::vector<std::string>& extra) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  auto child = start(words, extra, &actions);
  posix_spawn_file_actions_destroy(&actions);
  return child;
}

int wait_for(pid_t child, std::chrono::milliseconds deadline) {
  auto until = clock::now() + patient(deadline);
  for (;;) {
    auto status = 0;
    auto found = waitpid(child, &status, WNOHANG);
    if (found == child)
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if ((found < 0 && errno != EINTR) || clock::now() > until)
      return -1;
    std::this_thread::sleep_for(std::chrono::microseconds{500});
  }
}

unsigned long
number_from_environment(const char* name, unsigned long otherwise) {
  const auto* text = std::getenv(name);
  return text != nullptr ? std::strtoul(text, nullptr, 10) : otherwise;
}

std::string read_file(const std::string& path) {
  auto file = std::ifstream{path};
  auto text = std::ostringstream{};
  text << file.rdbuf();
  return text.str();
}

} // namespace troupe::test
