#include "troupe/tests/fixtures/help_page.hpp"
#include "troupe/tools/troupe-remote/flags.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
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

/// All that a command line says, as text.
std::string text_of(const remote_command& x) {
  auto result = fmt::format(
    "what={} listen={}:{} cert={} key={} ca={} daemon={} rate={} open={} "
    "mine={} all={} level={} dir={} days={}",
    static_cast<int>(x.what), x.serve.listen.host, x.serve.listen.port,
    x.serve.who.certificate, x.serve.who.key, x.serve.who.authority,
    x.serve.daemon, x.serve.peers.requests_per_second,
    x.serve.peers.open_requests, x.serve.peers.connections,
    x.serve.strangers.connections, x.serve.log_level, x.pki.directory,
    x.pki.days);
  for (const auto* list : {&x.pki.servers, &x.pki.clients})
    result += " " + fmt::format("{}", fmt::join(*list, ","));
  return result;
}

/// An option, behind the others that its command needs, and what it makes of
/// them.
struct row {
  const char* command;
  const char* option;
  const char* value;
  const char* makes;
};

constexpr row rows[] = {
  {"", "--listen", "192.0.2.9:1", "listen=192.0.2.9:1 "},
  {"", "--cert", "mine", "cert=mine "},
  {"", "--key", "mine", "key=mine "},
  {"", "--ca", "mine", "ca=mine "},
  {"", "--daemon", "unix:///mine", "daemon=unix:///mine "},
  {"", "--requests-per-second", "77", "rate=77 "},
  {"", "--open-requests", "77", "open=77 "},
  {"", "--peer-connections", "7", "mine=7 "},
  {"", "--connections", "77", "all=77 "},
  {"", "--log-level", "debug", "level=debug "},
  {"init-pki", "--server", "peter", " peter"},
  {"init-pki", "--client", "peter", " peter"},
  {"init-pki", "--days", "77", "days=77 "},
};

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

TEST_F(Flags, EachArrivesWhereItBelongs) {
  auto tried = std::set<std::string>{};
  for (const auto& x : rows) {
    const auto command = std::string_view{x.command};
    auto words = command.empty() ? std::vector<const char*>{}
                                 : std::vector<const char*>{"init-pki", "/no"};
    if (command.empty() && x.option != std::string_view{"--listen"})
      words = {"--listen", "192.0.2.1"};
    EXPECT_EQ(text_of(parse(words)).find(x.makes), std::string::npos)
      << x.option;
    words.insert(words.end(), {x.option, x.value});
    EXPECT_NE(text_of(parse(words)).find(x.makes), std::string::npos)
      << x.option << ": " << err.str() << text_of(parse(words));
    tried.insert(std::string{command} + " " + x.option);
  }
  auto present = std::set<std::string>{};
  for (const auto* command : {"", "init-pki"}) {
    parse(*command == '\0' ? std::vector<const char*>{"--help"}
                           : std::vector<const char*>{command, "--help"});
    for (const auto& x : test::read_help(out.str()).options)
      present.insert(std::string{command} + " " + x);
  }
  EXPECT_EQ(present.erase(" --check"),
            1U); // Credentials that fit: system_remote.
  EXPECT_EQ(present.erase(" -v"), 1U);
  EXPECT_EQ(tried, present);
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
