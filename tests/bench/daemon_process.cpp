#include "daemon_process.hpp"

#include "troupe/actors/troupe.hpp"

#include "raw_netlink.hpp"
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace troupe::bench {

namespace {

using namespace std::chrono_literals;

constexpr auto longest_start = 60s;

/// In the child, between fork and exec: only what is safe there.
[[noreturn]] void become(char* const* arguments, const char* log) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  auto output = ::open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::execv(arguments[0], arguments);
  ::_exit(127);
}

/// What the daemon said, in one line.
std::string words_of(const std::string& path) {
  auto file = std::ifstream{path};
  auto result = std::string{};
  for (auto line = std::string{}; std::getline(file, line);)
    result += line + "; ";
  return result;
}

} // namespace

uint64_t resident_kib(pid_t process) {
  auto file = std::ifstream{"/proc/" + std::to_string(process) + "/status"};
  for (auto line = std::string{}; std::getline(file, line);)
    if (line.starts_with("VmRSS:"))
      return std::stoull(line.substr(6));
  die("read memory of process " + std::to_string(process) + ": not there");
}

process_use use_of(pid_t process) {
  auto result = process_use{};
  auto tasks = "/proc/" + std::to_string(process) + "/task";
  for (const auto& task : std::filesystem::directory_iterator{tasks}) {
    // Nanoseconds on a processor, nanoseconds waiting for one, times.
    auto schedule = std::ifstream{task.path() / "schedstat"};
    auto busy_ns = uint64_t{0};
    schedule >> busy_ns;
    result.cpu_ms += static_cast<double>(busy_ns) / 1'000'000;
    auto status = std::ifstream{task.path() / "status"};
    for (auto line = std::string{}; std::getline(status, line);)
      if (line.find("ctxt_switches:") != std::string::npos)
        result.switches += std::stoull(line.substr(line.find(':') + 1));
  }
  return result;
}

daemon_process::daemon_process(const scratch_host& host, std::string program,
                               std::string state_dir, std::string run_dir)
  : host_{host}, program_{std::move(program)},
    state_dir_{std::move(state_dir)}, run_dir_{std::move(run_dir)} {
}

daemon_process::~daemon_process() {
  kill();
}

std::string daemon_process::uri() const {
  return "unix://" + run_dir_ + "/troupe.sock";
}

void daemon_process::launch() {
  auto words = std::vector<std::string>{program_,
                                        "--state-dir",
                                        state_dir_,
                                        "--run-dir",
                                        run_dir_,
                                        "--socket",
                                        run_dir_ + "/troupe.sock",
                                        "--log-level",
                                        "warn"};
  auto arguments = std::vector<char*>{};
  for (auto& x : words)
    arguments.push_back(x.data());
  arguments.push_back(nullptr);
  auto log = state_dir_ + ".log";
  host_.run([&] {
    pid_ = ::fork();
    if (pid_ == 0)
      become(arguments.data(), log.c_str());
  });
  if (pid_ < 0)
    die_errno("start " + program_);
}

clock::duration daemon_process::start() {
  auto watch = stopwatch{};
  launch();
  while (watch.elapsed() < longest_start) {
    if (auto api = controller::connect(uri()); api && api->status())
      return watch.elapsed();
    auto state = 0;
    if (::waitpid(pid_, &state, WNOHANG) == pid_) {
      pid_ = -1;
      die(program_ + ": ended at once: " + words_of(state_dir_ + ".log"));
    }
    std::this_thread::sleep_for(1ms);
  }
  die(program_ + ": not ready within a minute");
}

void daemon_process::kill() {
  if (pid_ <= 0)
    return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

} // namespace troupe::bench
