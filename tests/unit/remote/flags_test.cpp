#include "troupe/tools/troupe-remote/flags.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

namespace troupe::tools::remote {

namespace {

class Flags : public ::testing::Test {
protected:
  remote_command parse(std::vector<const char*> words) {
    words.insert(words.begin(), "troupe-remote");
    out.str({});
    err.str({});
    return parse_remote_flags(static_cast<int>(words.size()), words.data(), out,
                              err);
  }

  std::ostringstream out;
  std::ostringstream err;
};

using action = remote_command::action;

} // namespace

TEST_F(Flags, ServesWhatIsAskedFor) {
  auto x = parse({"--listen", "192.0.2.1", "--cert", "a", "--key", "b", "--ca",
                  "c", "--open-requests", "7"});
  EXPECT_EQ(x.what, action::serve) << err.str();
  EXPECT_EQ(x.serve.listen.host, "192.0.2.1");
  EXPECT_EQ(x.serve.listen.port, troupe::remote::default_port);
  EXPECT_EQ(x.serve.who.certificate, "a");
  EXPECT_EQ(x.serve.who.key, "b");
  EXPECT_EQ(x.serve.who.authority, "c");
  EXPECT_EQ(x.serve.daemon, "unix:///run/troupe/troupe.sock");
  EXPECT_EQ(x.serve.peers.open_requests, 7U);
}

TEST_F(Flags, ListensNowhereByItself) {
  auto x = parse({"--cert", "a", "--key", "b", "--ca", "c"});
  EXPECT_EQ(x.what, action::leave);
  EXPECT_EQ(x.exit_code, 2);
  EXPECT_NE(err.str().find("--listen"), std::string::npos) << err.str();
}

TEST_F(Flags, WrongUsageIsSaidWithAHint) {
  for (const auto& words : std::vector<std::vector<const char*>>{
         {"--listen", "::1"},
         {"--listen", "a", "--open-requests", "0"},
         {"--listen", "a", "--log-level", "loud"},
         {"--nosuch"},
         {"init-pki"},
         {"init-pki", "d", "--days", "0"}}) {
    auto x = parse(words);
    EXPECT_EQ(x.what, action::leave);
    EXPECT_EQ(x.exit_code, 2);
    EXPECT_EQ(err.str().substr(0, 7), "Error: ");
    EXPECT_NE(err.str().find("Hint: "), std::string::npos) << err.str();
  }
}

TEST_F(Flags, TheEnvironmentStandsInForFlags) {
  ::setenv("TROUPE_REMOTE_LISTEN", "192.0.2.9:1", 1);
  ::setenv("TROUPE_REMOTE_OPEN_REQUESTS", "9", 1);
  auto x = parse({"--open-requests", "8"});
  ::unsetenv("TROUPE_REMOTE_LISTEN");
  ::unsetenv("TROUPE_REMOTE_OPEN_REQUESTS");
  EXPECT_EQ(x.what, action::serve) << err.str();
  EXPECT_EQ(x.serve.listen.host, "192.0.2.9");
  EXPECT_EQ(x.serve.peers.open_requests, 8U);
}

TEST_F(Flags, InitPkiHasUsefulDefaults) {
  auto x = parse({"init-pki", "/nosuch"});
  EXPECT_EQ(x.what, action::init_pki) << err.str();
  EXPECT_EQ(x.pki.clients, std::vector<std::string>{"client"});
  EXPECT_EQ(x.pki.servers.size(), 4U);
  auto y = parse({"init-pki", "/nosuch", "--client", "a", "--client", "b"});
  EXPECT_EQ(y.pki.clients, (std::vector<std::string>{"a", "b"}));
}

TEST_F(Flags, HelpAndVersion) {
  EXPECT_EQ(parse({"--help"}).exit_code, 0);
  EXPECT_NE(out.str().find("init-pki"), std::string::npos);
  EXPECT_EQ(parse({"--version"}).exit_code, 0);
}

} // namespace troupe::tools::remote
