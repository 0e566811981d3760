#include "troupe/tests/unit/tools/server_fixture.hpp"
#include "troupe/tools/trouped/flags.hpp"
#include "troupe/tools/trouped/logging.hpp"
#include "troupe/tools/trouped/notify.hpp"
#include "troupe/tools/trouped/openapi.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>

#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace troupe::tools {

namespace {

using test::temporary_directory;

// -- notifications -----------------------------------------------------------

// A datagram socket as the service manager has one.
class manager {
public:
  explicit manager(const std::string& name)
    : fd_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)} {
    auto address = sockaddr_un{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, sizeof(address.sun_path) - 1);
    auto length = offsetof(sockaddr_un, sun_path) + name.size();
    if (name[0] == '@')
      address.sun_path[0] = '\0';
    else
      ++length;
    EXPECT_EQ(0, ::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address),
                        static_cast<socklen_t>(length)));
  }

  std::string receive() const {
    char buffer[1'000];
    auto bytes = ::recv(fd_.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
    return bytes < 0 ? "" : std::string(buffer, static_cast<size_t>(bytes));
  }

private:
  netns::unique_fd fd_;
};

TEST(Notifier, TellsTheManager) {
  auto directory = temporary_directory{};
  auto path = directory / "notify";
  auto who = manager{path};
  EXPECT_TRUE(notifier{path}.send("READY=1\nSTATUS=serving"));
  EXPECT_EQ(who.receive(), "READY=1\nSTATUS=serving");
}

TEST(Notifier, TellsAManagerWithAnAbstractName) {
  auto name = fmt::format("@troupe-test-{}", ::getpid());
  auto who = manager{name};
  EXPECT_TRUE(notifier{name}.send("STOPPING=1"));
  EXPECT_EQ(who.receive(), "STOPPING=1");
}

TEST(Notifier, DoesNothingWithoutAManager) {
  EXPECT_TRUE(notifier{""}.send("READY=1"));
}

TEST(Notifier, ReportsAManagerThatIsNotThere) {
  EXPECT_FALSE(notifier{"/nonexistent/notify"}.send("READY=1"));
  EXPECT_FALSE(notifier{"relative"}.send("READY=1"));
  EXPECT_FALSE(notifier{"/" + std::string(200, 'x')}.send("READY=1"));
}

// -- the socket --------------------------------------------------------------

mode_t mode_of(const std::string& path) {
  struct stat found {};
  EXPECT_EQ(0, ::lstat(path.c_str(), &found));
  return found.st_mode;
}

TEST(Listener, MakesASocketForTheGroup) {
  auto directory = temporary_directory{};
  auto path = directory / "api.sock";
  auto old = ::umask(0);
  auto opened = listener::open(path, "");
  (void)::umask(old);
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(mode_of(path), mode_t{S_IFSOCK | 0660});
  EXPECT_NE(0, ::access((path + ".new").c_str(), F_OK));
}

TEST(Listener, GivesTheSocketToTheNamedGroup) {
  if (::geteuid() != 0)
    GTEST_SKIP() << "needs root to give files away";
  auto directory = temporary_directory{};
  auto path = directory / "api.sock";
  auto* group = ::getgrnam("daemon");
  if (group == nullptr)
    GTEST_SKIP() << "there is no group daemon";
  ASSERT_TRUE(listener::open(path, "daemon"));
  auto kept = listener::open(path, "daemon");
  struct stat found {};
  ASSERT_EQ(0, ::lstat(path.c_str(), &found));
  EXPECT_EQ(found.st_gid, group->gr_gid);
}

TEST(Listener, RemovesItsSocketAndNoOther) {
  auto directory = temporary_directory{};
  auto path = directory / "api.sock";
  {
    auto opened = listener::open(path, "");
    ASSERT_TRUE(opened);
  }
  EXPECT_NE(0, ::access(path.c_str(), F_OK));
  {
    auto opened = listener::open(path, "");
    ASSERT_EQ(0, ::unlink(path.c_str()));
    std::ofstream{path} << "somebody else's";
  }
  EXPECT_EQ(0, ::access(path.c_str(), F_OK));
}

TEST(Listener, ReplacesASocketNobodyListensOn) {
  auto directory = temporary_directory{};
  auto path = directory / "api.sock";
  {
    auto dead = listener::open(directory / "other", "");
    ASSERT_EQ(0, ::rename((directory / "other").c_str(), path.c_str()));
  }
  EXPECT_TRUE(listener::open(path, ""));
}

TEST(Listener, RefusesASocketSomebodyListensOn) {
  auto directory = temporary_directory{};
  auto path = directory / "api.sock";
  auto first = listener::open(path, "");
  ASSERT_TRUE(first);
  auto second = listener::open(path, "");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ec::conflict);
}

TEST(Listener, RefusesAFileThatIsNoSocket) {
  auto directory = temporary_directory{};
  auto path = directory / "api.sock";
  std::ofstream{path} << "precious";
  auto opened = listener::open(path, "");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ec::conflict);
  EXPECT_EQ(0, ::access(path.c_str(), F_OK));
}

TEST(Listener, RefusesPathsAndGroupsThatCannotBe) {
  auto directory = temporary_directory{};
  auto code = [](const std::string& path, const std::string& group) {
    auto opened = listener::open(path, group);
    return opened ? ec::none : opened.error().code;
  };
  EXPECT_EQ(code(directory / std::string(200, 'x'), ""), ec::invalid_argument);
  EXPECT_EQ(code(directory / "a", "no-such-group-at-all"),
            ec::invalid_argument);
  EXPECT_EQ(code(directory / "no/such/dir", ""), ec::not_found);
}

// -- logs --------------------------------------------------------------------

TEST(Logging, KeepsClientsFromMakingLines) {
  auto record = audit_record{};
  record.who = {1'000, 100, 42};
  record.method = "POST";
  record.path = "/v1/networks";
  record.object = "a\nb\x1b[31m";
  record.status = 201;
  record.duration = std::chrono::microseconds{312};
  EXPECT_EQ(audit_line(record),
            "audit: uid=1000 gid=100 pid=42 POST /v1/networks a\\x0ab\\x1b[31m"
            " -> 201 in 312 us");
}

TEST(Logging, KnowsTheJournal) {
  struct stat found {};
  ASSERT_EQ(0, ::fstat(STDERR_FILENO, &found));
  auto text = fmt::format("{}:{}", found.st_dev, found.st_ino);
  EXPECT_TRUE(is_journal(STDERR_FILENO, text.c_str()));
  EXPECT_FALSE(is_journal(STDERR_FILENO, "1:2"));
  EXPECT_FALSE(is_journal(STDERR_FILENO, nullptr));
}

// -- flags -------------------------------------------------------------------

struct parsed {
  daemon_command command;
  std::string out;
  std::string err;
};

parsed parse(std::vector<const char*> arguments, overrides environment = {}) {
  arguments.insert(arguments.begin(), "trouped");
  auto out = std::ostringstream{};
  auto err = std::ostringstream{};
  auto command = parse_daemon_flags(static_cast<int>(arguments.size()),
                                    arguments.data(), environment, out, err);
  return {std::move(command), out.str(), err.str()};
}

using action = daemon_command::action;

TEST(DaemonFlags, FillTheSettings) {
  auto x = parse({"--state-dir", "/tmp/s", "--run-dir=/tmp/r", "--max-requests",
                  "7", "--remove-leftovers", "--default-address-pools",
                  "base=10.10.0.0/16,size=24"},
                 {{"TROUPE_LOG_LEVEL", "debug"}});
  ASSERT_EQ(x.command.what, action::serve) << x.err;
  EXPECT_EQ(x.command.configuration.state_dir, "/tmp/s");
  EXPECT_EQ(x.command.configuration.run_dir, "/tmp/r");
  EXPECT_EQ(x.command.configuration.max_requests, 7);
  EXPECT_TRUE(x.command.configuration.remove_leftovers);
  EXPECT_EQ(x.command.configuration.default_address_pools.size(), 1U);
  EXPECT_EQ(x.command.configuration.log_level, "debug");
}

TEST(DaemonFlags, ReadASettingsFileBelowTheFlags) {
  auto directory = temporary_directory{};
  auto file = directory / "settings.json";
  std::ofstream{file} << R"({"max-queue": 5, "max-requests": 6} // mine)";
  auto x = parse({"--config", file.c_str(), "--max-requests", "7"});
  ASSERT_EQ(x.command.what, action::serve) << x.err;
  EXPECT_EQ(x.command.configuration.max_queue, 5);
  EXPECT_EQ(x.command.configuration.max_requests, 7);
}

TEST(DaemonFlags, RefuseWhatIsWrongWithCode2) {
  for (const auto& arguments : std::vector<std::vector<const char*>>{
         {"--nonsense"},
         {"stray"},
         {"--max-requests", "many"},
         {"--max-requests", "-1"},
         {"--log-level", "loud"},
         {"--state-dir", "relative"},
         {"--config", "/nonexistent/file"}}) {
    auto x = parse(arguments);
    EXPECT_EQ(x.command.what, action::leave) << arguments[0];
    EXPECT_EQ(x.command.exit_code, 2) << arguments[0];
    EXPECT_TRUE(x.err.starts_with("Error: ")) << x.err;
  }
}

TEST(DaemonFlags, ShowHelpAndVersion) {
  auto help = parse({"--help"});
  EXPECT_EQ(help.command.exit_code, 0);
  for (const auto* flag : {"--config", "--state-dir", "--run-dir", "--socket",
                           "--socket-group", "--log-level"})
    EXPECT_NE(help.out.find(flag), std::string::npos) << flag;
  EXPECT_EQ(parse({"--version"}).out, "trouped 0.1.0\n");
}

TEST(DaemonFlags, HaveOneForEverySetting) {
  auto help = parse({"--help"}).out;
  auto defaults = settings{};
  for_each_field(defaults, [&help](std::string_view key, const auto&) {
    EXPECT_NE(help.find("--" + std::string{key}), std::string::npos) << key;
  });
}

// -- description of the API --------------------------------------------------

TEST(OpenApi, IsTheFileInTheDocumentation) {
  auto file = std::ifstream{TROUPE_SOURCE_DIR "/docs/openapi.json"};
  auto text = std::string{std::istreambuf_iterator<char>{file}, {}};
  EXPECT_EQ(text, openapi_text())
    << "make it anew with: trouped --print-openapi > docs/openapi.json";
}

TEST(OpenApi, HasEveryRouteAndOnlyKnownReferences) {
  auto document = json::parse(openapi_text());
  for (const auto& x : api::routes()) {
    auto path = document["paths"][std::string{x.pattern}];
    auto method = std::string{x.method};
    for (auto& c : method)
      c = static_cast<char>(std::tolower(c));
    ASSERT_TRUE(path.contains(method)) << x.pattern;
    EXPECT_TRUE(path[method]["responses"].contains(std::to_string(x.success)));
  }
  const auto& text = openapi_text();
  constexpr auto prefix = std::string_view{"#/components/"};
  for (auto at = text.find(prefix); at != text.npos;
       at = text.find(prefix, at + 1)) {
    auto pointer = text.substr(at + 1, text.find('"', at) - at - 1);
    EXPECT_TRUE(document.contains(json::json_pointer{pointer})) << pointer;
  }
}

} // namespace

} // namespace troupe::tools
