// The command line through the remote interface: every command, and the same
// exit codes and texts as on the daemon's own host.

#include "troupe/tests/system/remote/fixture.hpp"

namespace troupe::test {

namespace {

class RemoteCommand : public remote_test {
protected:
  // @returns the output without its last line break.
  std::string must_run(const std::vector<std::string>& words) {
    auto ran = remote_troupe(words);
    EXPECT_EQ(ran.code, 0) << words.at(0) << ": " << ran.err;
    if (ran.out.ends_with('\n'))
      ran.out.pop_back();
    return ran.out;
  }

  void expect_same(const std::vector<std::string>& words) {
    auto remote = remote_troupe(words);
    auto local = daemon().troupe(words);
    EXPECT_EQ(remote.code, local.code) << words.at(0) << ": " << remote.err;
    EXPECT_EQ(remote.out, local.out) << words.at(0);
    EXPECT_EQ(remote.err, local.err) << words.at(0);
  }

  void expect_refused(const std::vector<std::string>& words, int code,
                      const std::string& says) {
    auto ran = remote_troupe(words);
    EXPECT_EQ(ran.code, code) << ran.err;
    EXPECT_NE(ran.err.find(says), std::string::npos) << ran.err;
    EXPECT_NE(ran.err.find("Hint: "), std::string::npos) << ran.err;
  }
};

} // namespace

TEST_F(RemoteCommand, EveryCommandWorks) {
  EXPECT_EQ(must_run({"network", "create", "net"}).size(), 64U);
  EXPECT_EQ(must_run({"sandbox", "create", "box"}).size(), 64U);
  must_run({"endpoint", "create", "net", "e"});
  must_run({"join", "net/e", "box"});
  must_run({"publish", "net/e", "18081:80"});
  must_run({"unpublish", "net/e", "80"});
  for (const auto& words : std::vector<std::vector<std::string>>{
         {"network", "ls"},
         {"network", "inspect", "net"},
         {"endpoint", "ls", "net"},
         {"endpoint", "inspect", "net", "e"},
         {"sandbox", "ls"},
         {"sandbox", "inspect", "box"},
         {"status", "--topology"},
         {"doctor"},
         {"network", "inspect", "nosuch"},
         {"network", "rm", "net"},
         {"network", "create", "net"}})
    expect_same(words);
  must_run({"status"});
  must_run({"leave", "net/e"});
  must_run({"endpoint", "rm", "net", "e"});
  must_run({"attach", "net", "box"});
  must_run({"detach", "net", "box"});
  must_run({"sandbox", "rm", "box"});
  must_run({"network", "prune", "-f"});
  EXPECT_TRUE(local_networks().empty());
}

TEST_F(RemoteCommand, ExecIsForTheDaemonsOwnHost) {
  must_run({"sandbox", "create", "box"});
  expect_refused({"sandbox", "exec", "box", "true"}, 1, "own host only");
}

TEST_F(RemoteCommand, FilesThatCannotBeUsedAreNamed) {
  expect_refused({"--tls-cert", "/nosuch", "status"}, 1, "/nosuch");
  expect_refused({"--tls-key", "/nosuch", "status"}, 1, "/nosuch");
  expect_refused({"--tls-ca", "/nosuch", "status"}, 1, "/nosuch");
  expect_refused({"--host", "caf+tls://", "status"}, 1, "no valid host");
}

TEST_F(RemoteCommand, NobodyThereIsUnreachable) {
  EXPECT_EQ(stop_remote(), 0);
  expect_refused({"status"}, 5, "127.0.0.1:7433");
  EXPECT_EQ(start_remote(), "");
}

} // namespace troupe::test
