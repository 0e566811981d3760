#include "troupe/tests/system/faults/fixture.hpp"

#include <chrono>
#include <regex>
#include <sstream>
#include <thread>

namespace troupe::test {

namespace {

// The kernel tells late, and never for a bridge without ports, whether there
// is somebody at the other end. A bridge keeps a limit of its former ports.
std::string without_moving_parts(const std::string& text) {
  static const auto moving
    = std::regex{R"("NO-CARRIER",?|,?"LOWER_UP"|"linkdown"|)"
                 R"("operstate":"[A-Z]*"|"tso_max_size":[0-9]*)"};
  return std::regex_replace(text, moving, "");
}

} // namespace

faults_test::faults_test() {
  flags_ = {"--enable-fault-injection"};
}

void faults_test::SetUp() {
  system_test::SetUp();
  if (IsSkipped() || HasFatalFailure())
    return;
  create_network("net");
  create_sandbox("box");
}

void faults_test::TearDown() {
  if (!IsSkipped())
    (void)daemon().troupe({"fault", "clear"});
  // It has opened by now what the first daemon had from the beginning.
  if (is_new_ && daemon().is_running()) {
    remove_everything();
    observe_daemon();
  }
  system_test::TearDown();
}

std::string faults_test::inject(std::vector<std::string> words) {
  words.insert(words.begin(), {"fault", "add"});
  auto ran = daemon().troupe(words);
  EXPECT_EQ(ran.code, 0) << ran.err;
  return ran.out.substr(0, ran.out.find('\n'));
}

std::string
faults_test::refused(const std::vector<std::string>& words, int code) {
  auto ran = daemon().troupe(words);
  EXPECT_EQ(ran.code, code) << words.front() << ": " << ran.out << ran.err;
  return ran.err;
}

void faults_test::accepted(const std::vector<std::string>& words) {
  auto ran = daemon().troupe(words);
  EXPECT_EQ(ran.code, 0) << words.front() << ": " << ran.err;
}

int faults_test::hits(const std::string& id) {
  auto listed = must("GET", "/v1/faults");
  for (const auto& x : listed.value("faults", nlohmann::json::array()))
    if (std::to_string(x.value("id", 0)) == id)
      return x.value("hits", 0);
  return -1;
}

void faults_test::expect_crash_and_restart() {
  // It cannot become ready any more, so this waits for its end.
  auto ended = std::string{};
  for (auto i = 0; i < 500 && ended.empty(); ++i) {
    ended = daemon().wait_until_ready();
    if (ended.empty())
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  EXPECT_NE(ended.find("ended with code 137"), std::string::npos) << ended;
  daemon().kill();
  start_again();
}

void faults_test::start_again() {
  is_new_ = true;
  ASSERT_EQ(daemon().start(flags_), "");
  observe_daemon();
}

outcome faults_test::check() {
  return daemon().troupe({"check", "--state-dir", daemon().dir() + "/state",
                          "--run-dir", daemon().dir() + "/run"});
}

void faults_test::expect_clean() {
  accepted({"fault", "clear"});
  EXPECT_EQ(doctor(), "");
  const auto checked = check();
  EXPECT_EQ(checked.code, 0) << checked.out << checked.err;
}

kernel_state faults_test::observe() {
  auto state = observe_kernel();
  for (auto& [kind, texts] : state.parts) {
    auto settled = std::multiset<std::string>{};
    for (const auto& text : texts)
      settled.insert(without_moving_parts(text));
    texts = std::move(settled);
  }
  auto rules = std::istringstream{run({"nft", "-s", "list", "ruleset"}).out};
  auto& lines = state.parts["rule of nft"];
  for (auto line = std::string{}; std::getline(rules, line);)
    lines.insert(line);
  return state;
}

std::string faults_test::difference_from(const kernel_state& before) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{5};
  for (;;) {
    auto result = difference(before, observe());
    if (result.empty() || std::chrono::steady_clock::now() > until)
      return result;
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
  }
}

} // namespace troupe::test
