#include "troupe/tests/system/harness/daemon.hpp"

#include "troupe/tests/fixtures/slowness.hpp"
#include "troupe/tests/system/harness/command.hpp"

#include <cstdlib>
#include <filesystem>
#include <thread>

#include <signal.h>
#include <sys/wait.h>

namespace troupe::test {

namespace {

using namespace std::chrono_literals;

// Generous: a sanitized daemon on a busy machine.
constexpr auto start_deadline = 30s;
constexpr auto stop_deadline = 30s;

std::string in_test_bin(const std::string& name, const char* otherwise) {
  const auto* folder = std::getenv("TEST_BIN");
  return folder != nullptr ? std::string{folder} + "/" + name : otherwise;
}

} // namespace

daemon_process::daemon_process(std::string dir) : dir_(std::move(dir)) {
  std::filesystem::create_directories(dir_ + "/state");
  std::filesystem::create_directories(dir_ + "/run");
}

daemon_process::~daemon_process() {
  kill();
}

std::string daemon_process::start(const std::vector<std::string>& flags) {
  launch(flags);
  return wait_until_ready();
}

void daemon_process::launch(const std::vector<std::string>& flags) {
  auto words = wrapper_;
  words.insert(words.end(), {program_, "--state-dir", dir_ + "/state",
                             "--run-dir", dir_ + "/run"});
  words.insert(words.end(), flags.begin(), flags.end());
  pid_ = spawn(words, dir_ + "/log");
}

std::string daemon_process::wait_until_ready() {
  auto until = std::chrono::steady_clock::now() + patient(start_deadline);
  for (;;) {
    if (auto answer = client().get("/v1/status"); answer && answer->ok())
      return {};
    auto code = pid_ > 0 ? wait_for(pid_, 0ms) : 0;
    if (pid_ <= 0 || code >= 0) {
      pid_ = -1;
      return "the daemon ended with code " + std::to_string(code) + "\n"
             + log();
    }
    if (std::chrono::steady_clock::now() > until)
      return "the daemon does not answer\n" + log();
    std::this_thread::sleep_for(1ms);
  }
}

void daemon_process::kill() {
  if (pid_ <= 0)
    return;
  ::kill(pid_, SIGKILL);
  wait_for(pid_, patient(stop_deadline));
  pid_ = -1;
}

int daemon_process::terminate() {
  if (pid_ <= 0)
    return -1;
  ::kill(pid_, SIGTERM);
  auto code = wait_for(pid_, patient(stop_deadline));
  if (code < 0)
    kill();
  pid_ = -1;
  return code;
}

std::string daemon_process::socket() const {
  return dir_ + "/run/troupe.sock";
}

std::string daemon_process::uri() const {
  return "unix://" + socket();
}

http_client daemon_process::client() const {
  return http_client{socket()};
}

std::string daemon_process::log() const {
  auto text = read_file(dir_ + "/log");
  constexpr auto most = size_t{8192};
  return text.size() > most ? text.substr(text.size() - most) : text;
}

outcome daemon_process::troupe(std::vector<std::string> words) const {
  words.insert(words.begin(), command_line_path());
  return run(words, {"TROUPE_HOST=" + uri()});
}

// TEST_BIN: the folder of another build, e.g. to see an old one fail.
const char* daemon_path() {
  static const auto path = in_test_bin("trouped", TROUPE_DAEMON);
  return path.c_str();
}

const char* command_line_path() {
  static const auto path = in_test_bin("troupe", TROUPE_COMMAND_LINE);
  return path.c_str();
}

} // namespace troupe::test
