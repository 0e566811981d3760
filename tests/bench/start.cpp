#include "scenarios.hpp"
#include "subject.hpp"
#include <array>
#include <spawn.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

// How long somebody waits who types a command.

namespace troupe::bench {

namespace {

using words = std::vector<std::string>;

/// From before the program is started until it has ended.
clock::duration run_once(const words& what) {
  auto texts = std::vector<char*>{};
  for (const auto& x : what)
    texts.push_back(const_cast<char*>(x.c_str()));
  texts.push_back(nullptr);
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null",
                                     O_WRONLY, 0);
  auto watch = stopwatch{};
  auto child = pid_t{};
  auto state = 0;
  auto failed = ::posix_spawn(&child, texts.front(), &files, nullptr,
                              texts.data(), environ);
  if (failed == 0)
    (void)::waitpid(child, &state, 0);
  auto took = watch.elapsed();
  ::posix_spawn_file_actions_destroy(&files);
  if (failed != 0 || !WIFEXITED(state) || WEXITSTATUS(state) != 0)
    die("run " + what.front() + ": failed");
  return took;
}

} // namespace

void measure_start(const setting& how, report& out) {
  if (how.trouped.empty())
    return;
  auto daemon = subject::behind_daemon(how.state_base, how.trouped);
  const auto troupe
    = how.trouped.substr(0, how.trouped.rfind('/') + 1) + "troupe";
  const auto commands = std::array{
    words{"/bin/true"},
    words{troupe, "--help"},
    words{troupe, "--host", daemon->uri(), "network", "ls"},
  };
  auto taken = std::array<samples, commands.size()>{};
  for (auto i = 0; i <= how.rounds() * how.round_size(); ++i)
    for (auto n = size_t{0}; n < commands.size(); ++n) {
      auto took = run_once(commands[n]);
      if (i > 0) // The first one reads files from the disk.
        taken[n].add(took);
    }
  const auto group = std::string{"start of the command line"};
  out.add(timed(group, "/bin/true", taken[0]));
  const auto names = std::array{"troupe --help", "troupe network ls"};
  for (auto n = size_t{1}; n < commands.size(); ++n) {
    auto line = timed(group, names[n - 1], taken[n]);
    line.to_floor = taken[n].p50() / taken[0].p50();
    line.goal = "<= 6 ms";
    line.reached = *line.p50_ms <= 6;
    out.add(line);
  }
}

} // namespace troupe::bench
