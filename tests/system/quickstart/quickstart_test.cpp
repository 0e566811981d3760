// The first thing a newcomer does must work: what tools/quickstart.sh shows,
// and what README says to type, without installing and building.

#include "troupe/tests/system/harness/command.hpp"
#include "troupe/tests/system/harness/isolation.hpp"
#include "troupe/tests/system/harness/kernel_state.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

namespace troupe::test {

TEST(Quickstart, ShowsTheMainJobAndLeavesNothing) {
  if (!isolation_refusal().empty())
    GTEST_SKIP() << "cannot make scratch namespaces: " << isolation_refusal();
  ASSERT_TRUE(enter_fresh_network()) << std::strerror(errno);
  auto before = observe_kernel();
  auto dir = std::string{"/run/quickstart"};
  std::filesystem::create_directory(dir);
  // As the script does it: in namespaces that go away with the process.
  auto ran = run({"unshare", "--net", "--mount", "--pid", "--fork",
                  "--kill-child", "--mount-proc", "bash",
                  TROUPE_SOURCE_DIR "/tools/quickstart.sh", "--inside", dir},
                 {"QUICKSTART_BUILD_DIR=" TROUPE_BINARY_DIR});
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  for (const auto* line :
       {"150 packets transmitted, 150 received", "Everything is still there",
        "port 8080 is still answered by left",
        "The kernel is as it was before"})
    EXPECT_NE(ran.out.find(line), std::string::npos) << line << "\n" << ran.out;
  EXPECT_EQ(ran.out.find("FAILED"), std::string::npos) << ran.out;
  EXPECT_EQ(difference_that_stays(before), "");
}

namespace {

/// The first commands of README, from the one that starts the daemon on.
std::string readme_commands() {
  auto text = read_file(TROUPE_SOURCE_DIR "/README.md");
  auto begin = text.find("\ntrouped ", text.find("```sh"));
  auto end = text.find("```", begin);
  return begin < end && end != std::string::npos
           ? text.substr(begin, end - begin)
           : std::string{};
}

} // namespace

TEST(Readme, CanBeTyped) {
  if (!isolation_refusal().empty())
    GTEST_SKIP() << "cannot make scratch namespaces: " << isolation_refusal();
  ASSERT_TRUE(enter_fresh_network()) << std::strerror(errno);
  auto commands = readme_commands();
  ASSERT_NE(commands.find("ping"), std::string::npos) << commands;
  auto script = "mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib\n"
                "ip link set lo up\n"
                "set -e\n"
                "export PATH=\"" TROUPE_BINARY_DIR "/bin:$PATH\"\n"
                + commands;
  auto ran = run({"unshare", "--net", "--mount", "--pid", "--fork",
                  "--kill-child", "--mount-proc", "bash", "-c", script});
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  EXPECT_NE(ran.out.find("3 packets transmitted, 3 received"),
            std::string::npos)
    << ran.out << ran.err;
}

TEST(Quickstart, RefusesUnknownOptions) {
  auto script = std::string{TROUPE_SOURCE_DIR "/tools/quickstart.sh"};
  auto ran = run({"bash", script, "--nosuch"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.err.find("--nosuch"), std::string::npos) << ran.err;
}

} // namespace troupe::test
