// Who may inject faults, and what is refused. Nothing may change by any row.

#include "troupe/tests/system/faults/fixture.hpp"

#include <filesystem>
#include <fstream>

#include <sys/stat.h>

namespace troupe::test {

namespace {

using FaultRefusals = faults_test;

class WithoutFaultInjection : public system_test {};

struct row {
  std::vector<std::string> words;
  int code = 0;
  std::string says;
};

const std::vector<std::vector<std::string>> all_commands
  = {{"fault", "ls"},         {"fault", "points"},
     {"fault", "log"},        {"fault", "clear"},
     {"fault", "clear", "1"}, {"fault", "add", "kernel-fail", "--for-ever"}};

} // namespace

TEST_F(FaultRefusals, BadInput) {
  const auto path = daemon().dir() + "/plan.json";
  std::ofstream{path} << "[{\"fault\": \"store-full\"},\n {\"nht\": 1}]";
  const auto before = must("GET", "/v1/faults").dump();
  auto add = [](std::vector<std::string> words) {
    words.insert(words.begin(), {"fault", "add"});
    return words;
  };
  for (const auto& x : std::vector<row>{
         {add({}), 2, "neither a fault nor --file"},
         {add({"kernel-fial"}), 1, "did you mean \"kernel-fail\"?"},
         {add({"message-drop"}), 1, "exists in the simulator only"},
         {add({"kernel-fail", "--on", "add_vteh"}), 1, "\"add_veth\""},
         {add({"kernel-fail", "--on", "commit"}), 1, "on: unknown \"commit\""},
         {add({"store-full", "--on", "add_veth"}), 1, "on: unknown"},
         {add({"kernel-fail", "--error", "ENOBUFFS"}), 1, "\"ENOBUFS\""},
         {add({"kernel-fail", "--error", "105"}), 1, "error: unknown"},
         {add({"store-full", "--error", "EIO"}), 1, "leave it out"},
         {add({"kernel-fail", "--delay-ms", "1"}), 1, "no delay"},
         {add({"kernel-fail", "--nth", "1", "--per-mille", "1"}), 1,
          "not together"},
         {add({"kernel-fail", "--nth", "-5"}), 1, "from -1"},
         {add({"kernel-fail", "--nth", "x"}), 2, "nth"},
         {add({"kernel-fail", "--per-mille", "1001"}), 1, "0 to 1000"},
         {add({"kernel-delay", "--delay-ms", "-1"}), 1, "0 to 600000"},
         {add({"--file", path}), 2, "plan.json:2:"},
         {add({"--file", "/nosuch"}), 2, "/nosuch"},
         {{"fault", "clear", "77"}, 3, "77"},
         {{"fault", "frobnicate"}, 2, "frobnicate"},
         {{"--host", "caf+tls://127.0.0.1", "fault", "ls"}, 1, "own host"},
       }) {
    const auto says = refused(x.words, x.code);
    EXPECT_NE(says.find(x.says), std::string::npos)
      << x.words.back() << ": " << says;
  }
  EXPECT_EQ(must("GET", "/v1/faults").dump(), before);
}

TEST_F(FaultRefusals, MoreThan64AtOnce) {
  const auto path = daemon().dir() + "/plan.json";
  auto plan = std::ofstream{path};
  plan << "[{\"fault\": \"kernel-fail\", \"nth\": 9}";
  for (auto i = 1; i < 64; ++i)
    plan << ", {\"fault\": \"kernel-fail\", \"nth\": 9}";
  plan << "]";
  plan.close();
  accepted({"fault", "add", "--file", path});
  const auto says = refused({"fault", "add", "kernel-fail"});
  EXPECT_NE(says.find("more than 64"), std::string::npos) << says;
  expect_clean();
}

TEST_F(FaultRefusals, WhoeverIsNotRoot) {
  // A member of the socket's group may do everything else.
  const auto program = daemon().dir() + "/troupe";
  std::filesystem::copy_file(command_line_path(), program);
  std::filesystem::permissions(daemon().dir(), std::filesystem::perms{0755});
  struct stat socket {};
  ASSERT_EQ(stat(daemon().socket().c_str(), &socket), 0);
  auto as_operator = [&](std::vector<std::string> words) {
    words.insert(words.begin(),
                 {"setpriv", "--reuid", "65534", "--regid",
                  std::to_string(socket.st_gid), "--clear-groups", program,
                  "--host", daemon().uri()});
    return run(words);
  };
  EXPECT_EQ(as_operator({"network", "ls"}).code, 0);
  for (const auto& words : all_commands) {
    const auto ran = as_operator(words);
    EXPECT_EQ(ran.code, 1) << words.back();
    EXPECT_NE(ran.err.find("only root may"), std::string::npos) << ran.err;
  }
  EXPECT_EQ(must("GET", "/v1/faults").dump(), R"({"faults":[]})");
  expect_clean();
}

TEST_F(WithoutFaultInjection, EverythingIsRefusedNamingTheFlag) {
  for (const auto& words : all_commands) {
    const auto ran = daemon().troupe(words);
    EXPECT_EQ(ran.code, 1) << words.back();
    EXPECT_NE(ran.err.find("start trouped with --enable-fault-injection"),
              std::string::npos)
      << ran.err;
  }
  EXPECT_EQ(must("GET", "/v1/status").dump().find("injection"),
            std::string::npos);
}

TEST_F(WithoutFaultInjection, NoFileAndNoVariableSwitchesItOn) {
  const auto path = daemon().dir() + "/settings.json";
  std::ofstream{path} << R"({"enable-fault-injection": true})";
  const auto ran = run({daemon_path(), "--config", path, "--check"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.err.find("enable-fault-injection"), std::string::npos);
}

} // namespace troupe::test
