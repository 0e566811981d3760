#include "troupe/tests/system/remote/fixture.hpp"

#include "troupe/actors/remote/tcp.hpp"
#include "troupe/tests/system/harness/isolation.hpp"
#include "troupe/tools/troupe-remote/pki.hpp"

#include <filesystem>
#include <fstream>
#include <thread>

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <unistd.h>

namespace troupe::test {

namespace {

using namespace std::chrono_literals;
using tools::remote::init_pki;

constexpr auto nobody = 65'534;
constexpr auto program = "/run/troupe-remote";

// Where everybody may run it: nobody need not be able to enter the build's
// directory.
bool bind_program() {
  static const auto done = [] {
    std::ofstream{program}.flush();
    return ::mount(TROUPE_REMOTE, program, nullptr, MS_BIND, nullptr) == 0;
  }();
  return done;
}

bool is_listening() {
  auto wake = netns::unique_fd{::eventfd(0, EFD_CLOEXEC)};
  return remote::connect_tcp({"127.0.0.1", remote::default_port}, 1s,
                             wake.get())
    .has_value();
}

// The program without rights, before its arguments.
std::vector<std::string> as_nobody() {
  const auto id = std::to_string(nobody);
  return {"setpriv", "--reuid", id, "--regid", id, "--clear-groups", program};
}

} // namespace

remote_test::remote_test() {
  flags_ = {"--socket-group", "nogroup"};
}

void remote_test::SetUp() {
  // Before the kernel is looked at for the first time.
  if (isolation_refusal().empty()) {
    ASSERT_TRUE(bind_program());
  }
  system_test::SetUp();
  if (IsSkipped() || HasFatalFailure())
    return;
  auto made
    = init_pki({pki(), {"127.0.0.1", "localhost"}, {"client", "other"}, 2});
  ASSERT_TRUE(made) << made.error().message;
  ASSERT_TRUE(init_pki({pki() + "/foreign", {"127.0.0.1"}, {"stranger"}, 2}));
  ASSERT_EQ(::chown((pki() + "/server.key").c_str(), nobody, nobody), 0);
  ASSERT_EQ(start_remote(), "");
}

void remote_test::TearDown() {
  if (remote_ > 0) {
    EXPECT_EQ(stop_remote(), 0);
  }
  if (!IsSkipped())
    let_everything_end();
  if (HasFailure())
    std::fprintf(stderr, "troupe-remote's log:\n%s\n", remote_log().c_str());
  system_test::TearDown();
}

std::vector<std::string> remote_test::remote_flags() const {
  return {"--listen", "127.0.0.1",
          "--cert",   pki() + "/server.crt",
          "--key",    pki() + "/server.key",
          "--ca",     pki() + "/ca.crt",
          "--daemon", const_cast<remote_test*>(this)->daemon().uri()};
}

void remote_test::let_everything_end() {
  EXPECT_TRUE(eventually([] {
    return processes_named("troupe-worker").empty();
  }))
    << "workers outlive their front";
  if (!daemon().is_running())
    return;
  // The proxy outlives the daemon, which keeps its connection with it.
  if (auto proxies = processes_named("troupe-proxy"); !proxies.empty()) {
    remove_everything();
    observe_daemon();
    for (auto pid : proxies)
      ::kill(pid, SIGKILL);
    return;
  }
  // It sees that a reader of events is gone when it has something to tell.
  create_network("farewell");
}

std::string remote_test::start_remote(const std::vector<std::string>& flags) {
  auto words = as_nobody();
  for (const auto& more : {remote_flags(), flags})
    words.insert(words.end(), more.begin(), more.end());
  remote_ = spawn(words, daemon().dir() + "/remote.log");
  if (eventually(is_listening, 30s))
    return {};
  return "troupe-remote does not listen\n" + remote_log();
}

int remote_test::stop_remote() {
  ::kill(remote_, SIGTERM);
  auto code = wait_for(remote_, 20s);
  if (code < 0)
    kill_remote();
  remote_ = -1;
  return code;
}

void remote_test::kill_remote() {
  ::kill(remote_, SIGKILL);
  wait_for(remote_, 20s);
  remote_ = -1;
}

outcome remote_test::run_remote(const std::vector<std::string>& words) const {
  auto all = as_nobody();
  all.insert(all.end(), words.begin(), words.end());
  return run(all, {}, 20s);
}

std::string remote_test::remote_log() const {
  return read_file(const_cast<remote_test*>(this)->daemon().dir()
                   + "/remote.log");
}

std::string remote_test::pki() const {
  return const_cast<remote_test*>(this)->daemon().dir() + "/pki";
}

credentials remote_test::files_of(const std::string& who) const {
  auto dir = who == "stranger" ? pki() + "/foreign" : pki();
  return {dir + "/" + who + ".crt", dir + "/" + who + ".key",
          pki() + "/ca.crt"};
}

credentials remote_test::expired_files() {
  if (!std::filesystem::exists(pki() + "/late.key")) {
    EXPECT_TRUE(init_pki({pki(), {}, {"late"}, -1}));
  }
  return files_of("late");
}

controller
remote_test::connect(const std::string& who, const std::string& host) {
  auto x = controller::connect("caf+tls://" + host, files_of(who));
  EXPECT_TRUE(x) << x.error().message;
  x->set_deadline(20s);
  return *x;
}

outcome remote_test::remote_troupe(std::vector<std::string> words,
                                   const std::string& who) const {
  words.insert(words.begin(), command_line_path());
  auto files = files_of(who);
  return run(words, {"TROUPE_HOST=caf+tls://127.0.0.1",
                     "TROUPE_TLS_CERT=" + files.certificate,
                     "TROUPE_TLS_KEY=" + files.key,
                     "TROUPE_TLS_CA=" + files.authority});
}

std::chrono::milliseconds remote_test::slowest_local_request(int count) {
  auto result = std::chrono::milliseconds{0};
  auto connection = daemon().client();
  for (auto i = 0; i < count; ++i) {
    auto begin = std::chrono::steady_clock::now();
    auto answer = connection.get("/v1/networks");
    EXPECT_TRUE(answer && answer->ok());
    auto took = std::chrono::steady_clock::now() - begin;
    result = std::max(
      result, std::chrono::duration_cast<std::chrono::milliseconds>(took));
  }
  return result;
}

std::vector<std::string> remote_test::local_networks() {
  auto result = std::vector<std::string>{};
  auto answer = daemon().client().get("/v1/networks");
  if (answer && answer->ok())
    for (const auto& x : answer->body.at("networks"))
      result.push_back(x.at("spec").at("name"));
  return result;
}

std::vector<pid_t> processes_named(const std::string& name) {
  auto result = std::vector<pid_t>{};
  for (const auto& x : std::filesystem::directory_iterator{"/proc"})
    if (read_file(x.path() / "comm") == name + "\n"
        && read_file(x.path() / "stat").find(") Z ") == std::string::npos)
      result.push_back(std::stoi(x.path().filename()));
  return result;
}

bool eventually(const std::function<bool()>& holds,
                std::chrono::seconds deadline) {
  auto until = std::chrono::steady_clock::now() + deadline;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > until)
      return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

} // namespace troupe::test
