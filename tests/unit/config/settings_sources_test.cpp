#include "troupe/config/settings.hpp"

#include <gtest/gtest.h>

namespace troupe {
namespace {

TEST(LoadSettings, GivesTheDefaultsWithoutSources) {
  auto loaded = load_settings("", "", {}, {});
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(*loaded, settings{});
}

TEST(LoadSettings, ReadsAFileWithComments) {
  auto loaded = load_settings("t.json", R"(
    // Where things are.
    {
      "state-dir": "/var/lib/x", /* durable */
      "run-dir": "/run/x/",
      "socket": "/run/x/./api.sock",
      "socket-group": "troupe",
      "log-level": "debug",
      "default-address-pools": [
        {"base": "10.10.0.0/16", "size": 24},
        {"base": "fd00::/48", "size": 64}
      ],
      "driver-timeout-ms": 1,
      "request-timeout-ms": 3600000,
      "max-requests": 2,
      "max-queue": 3,
      "ip-forward": false,
      "ip-forward-no-drop": true,
      "ready-namespaces": 0,
      "remove-leftovers": true
    })",
                              {}, {});
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->state_dir, "/var/lib/x");
  EXPECT_EQ(loaded->run_dir, "/run/x");
  EXPECT_EQ(loaded->socket, "/run/x/api.sock");
  EXPECT_EQ(loaded->socket_group, "troupe");
  EXPECT_EQ(loaded->log_level, "debug");
  ASSERT_EQ(loaded->default_address_pools.size(), 2U);
  EXPECT_EQ(to_string(loaded->default_address_pools[1].base), "fd00::/48");
  EXPECT_EQ(loaded->default_address_pools[1].size, 64);
  EXPECT_EQ(loaded->driver_timeout_ms, 1);
  EXPECT_EQ(loaded->request_timeout_ms, 3'600'000);
  EXPECT_EQ(loaded->max_requests, 2);
  EXPECT_EQ(loaded->max_queue, 3);
  EXPECT_FALSE(loaded->ip_forward);
  EXPECT_TRUE(loaded->ip_forward_no_drop);
  EXPECT_EQ(loaded->ready_namespaces, 0);
  EXPECT_TRUE(loaded->remove_leftovers);
}

TEST(LoadSettings, ReadsEveryKeyFromTheEnvironmentAndFromFlags) {
  auto environment
    = overrides{{"TROUPE_STATE_DIR", "/s"},
                {"TROUPE_RUN_DIR", "/r"},
                {"TROUPE_SOCKET", "/r/s"},
                {"TROUPE_SOCKET_GROUP", "g"},
                {"TROUPE_LOG_LEVEL", "warn"},
                {"TROUPE_DEFAULT_ADDRESS_POOLS",
                 "base=10.0.0.0/8,size=20;size=64,base=fd00::/16"},
                {"TROUPE_DRIVER_TIMEOUT_MS", "11"},
                {"TROUPE_REQUEST_TIMEOUT_MS", "120"},
                {"TROUPE_MAX_REQUESTS", "13"},
                {"TROUPE_MAX_QUEUE", "14"},
                {"TROUPE_IP_FORWARD", "false"},
                {"TROUPE_IP_FORWARD_NO_DROP", "true"},
                {"TROUPE_ACCEPT_MARK", "0x2/0x3"},
                {"TROUPE_PROXY_PROGRAM", "/p"},
                {"TROUPE_READY_NAMESPACES", "15"},
                {"TROUPE_REMOVE_LEFTOVERS", "true"}};
  auto flags = overrides{};
  for (const auto& [variable, text] : environment) {
    auto key = std::string{};
    for (auto c : variable.substr(7))
      key += c == '_' ? '-' : static_cast<char>(std::tolower(c));
    flags[key] = text;
  }
  ASSERT_EQ(environment.size(),
            std::tuple_size_v<decltype(settings::fields())>);
  auto from_environment = load_settings("", "", environment, {});
  auto from_flags = load_settings("", "", {}, flags);
  ASSERT_TRUE(from_environment) << from_environment.error().message;
  ASSERT_TRUE(from_flags) << from_flags.error().message;
  EXPECT_EQ(*from_environment, *from_flags);
  EXPECT_EQ(from_flags->max_queue, 14);
  EXPECT_FALSE(from_flags->ip_forward);
  EXPECT_TRUE(from_flags->ip_forward_no_drop);
  EXPECT_EQ(from_flags->accept_mark, "0x2/0x3");
  EXPECT_EQ(from_flags->proxy_program, "/p");
  EXPECT_EQ(from_flags->ready_namespaces, 15);
  EXPECT_TRUE(from_flags->remove_leftovers);
  ASSERT_EQ(from_flags->default_address_pools.size(), 2U);
  EXPECT_EQ(from_flags->default_address_pools[1].size, 64);
}

TEST(LoadSettings, LetsLaterSourcesWin) {
  auto file = R"({"max-queue": 1, "max-requests": 1, "run-dir": "/a"})";
  auto environment
    = overrides{{"TROUPE_MAX_QUEUE", "2"}, {"TROUPE_MAX_REQUESTS", "2"}};
  auto loaded = load_settings("f", file, environment, {{"max-queue", "3"}});
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->max_queue, 3);
  EXPECT_EQ(loaded->max_requests, 2);
  EXPECT_EQ(loaded->run_dir, "/a");
}

TEST(LoadSettings, ReplacesListsAsAWhole) {
  auto file = R"({"default-address-pools":[{"base":"10.0.0.0/8","size":9}]})";
  auto loaded = load_settings("f", file, {}, {{"default-address-pools", ""}});
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_TRUE(loaded->default_address_pools.empty());
}

TEST(LoadSettings, LeavesVariablesOfOthersAlone) {
  auto loaded = load_settings(
    "", "", {{"PATH", "/bin"}, {"TROUPE_HOST", "unix:///x"}, {"TROUPE", "x"}},
    {});
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(*loaded, settings{});
}

struct refusal {
  std::string text;
  std::string message;
  std::string hint = "";
};

class BadFile : public ::testing::TestWithParam<refusal> {};

TEST_P(BadFile, IsRefusedWithItsPlace) {
  const auto& [text, message, hint] = GetParam();
  auto loaded = load_settings("/etc/t.json", text, {}, {});
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ec::invalid_argument);
  EXPECT_EQ(loaded.error().message, "/etc/t.json:" + message);
  EXPECT_EQ(loaded.error().hint, hint);
}

INSTANTIATE_TEST_SUITE_P(
  Rows, BadFile,
  ::testing::Values(
    refusal{"{,}", "1:2: unexpected ','; expected string literal"},
    refusal{"[]", "1:1: must be an object, not an array"},
    refusal{"{\n  \"state-dri\": \"/x\"\n}",
            R"(2:3: unknown field "state-dri")",
            R"(did you mean "state-dir"?)"},
    refusal{"{\"max-queue\": 1,\n \"max-queue\": 2}",
            R"(2:2: duplicate key "max-queue")"},
    refusal{"// c\n{\n  \"max-queue\": 0\n}",
            "3:3: max-queue: must be from 1 to 10000, not 0"},
    refusal{"{\"max-queue\": \"7\"}",
            "1:2: max-queue: must be an integer from -2147483648 to "
            "2147483647, not \"7\""},
    refusal{"{\"log-level\": \"wran\"}",
            R"(1:2: log-level: unknown level "wran")",
            R"(did you mean "warn"?)"},
    refusal{"{\"state-dir\": \"x\"}",
            R"(1:2: state-dir: must be an absolute path, not "x")"},
    refusal{"{\"run-dir\": \"/a\\u0000b\"}",
            R"(1:2: run-dir: path "/a\x00b" contains a control character)"},
    refusal{"{\"default-address-pools\": [\n  {\"base\": \"10.0.0.1/8\"}]}",
            R"(2:4: default-address-pools[0].base: parse subnet "10.0.0.1/8": )"
            "host bits are set",
            "use 10.0.0.0/8"},
    refusal{"{\"default-address-pools\": [\n  {\"base\": \"10.0.0.0/8\",\n"
            "   \"sise\": 24}]}",
            R"(3:4: default-address-pools[0]: unknown field "sise")",
            R"(did you mean "size"?)"},
    refusal{"{\"default-address-pools\": [\n  {\"base\": \"10.0.0.0/8\",\n"
            "   \"size\": 33}]}",
            "3:4: default-address-pools[0].size: must be from 8 to 32 for "
            "base 10.0.0.0/8, not 33"},
    refusal{"{\"default-address-pools\": [\n  {\"size\": 24}]}",
            "2:3: default-address-pools[0].base: must be a subnet, not "
            "absent"}));

struct override_refusal {
  std::string key;
  std::string text;
  std::string message;
  std::string hint = "";
};

class BadVariable : public ::testing::TestWithParam<override_refusal> {};

TEST_P(BadVariable, IsRefusedByName) {
  const auto& [key, text, message, hint] = GetParam();
  auto loaded = load_settings("", "", {{key, text}}, {});
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().message, "environment: " + message);
  EXPECT_EQ(loaded.error().hint, hint);
}

INSTANTIATE_TEST_SUITE_P(
  Rows, BadVariable,
  ::testing::Values(
    override_refusal{"TROUPE_STAT_DIR", "/x",
                     R"(unknown variable "TROUPE_STAT_DIR")",
                     R"(did you mean "TROUPE_STATE_DIR"?)"},
    override_refusal{"TROUPE_state_dir", "/x",
                     R"(unknown variable "TROUPE_state_dir")",
                     R"(did you mean "TROUPE_STATE_DIR"?)"},
    override_refusal{"TROUPE_MAX_QUEUE", "1x",
                     R"(TROUPE_MAX_QUEUE: must be an integer, not "1x")"},
    override_refusal{"TROUPE_MAX_QUEUE", "10001",
                     "TROUPE_MAX_QUEUE: must be from 1 to 10000, not 10001"},
    override_refusal{
      "TROUPE_MAX_QUEUE", "99999999999",
      R"(TROUPE_MAX_QUEUE: must be an integer, not "99999999999")"},
    override_refusal{"TROUPE_REMOVE_LEFTOVERS", "yes",
                     R"(TROUPE_REMOVE_LEFTOVERS: must be true or false, not )"
                     R"("yes")"},
    override_refusal{"TROUPE_STATE_DIR", "",
                     R"(TROUPE_STATE_DIR: must be an absolute path, not "")"}));

class BadFlag : public ::testing::TestWithParam<override_refusal> {};

TEST_P(BadFlag, IsRefusedByName) {
  const auto& [key, text, message, hint] = GetParam();
  auto loaded = load_settings("", "", {}, {{key, text}});
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().message, "flag" + message);
  EXPECT_EQ(loaded.error().hint, hint);
}

const auto pool_hint
  = std::string{"write pools like base=10.10.0.0/16,size=24;base=…"};

INSTANTIATE_TEST_SUITE_P(
  Rows, BadFlag,
  ::testing::Values(
    override_refusal{"stat-dir", "/x", R"(: unknown setting "stat-dir")",
                     R"(did you mean "state-dir"?)"},
    override_refusal{"log-level", "loud",
                     R"( --log-level: unknown level "loud")",
                     "known: trace, debug, info, warn, error"},
    override_refusal{"default-address-pools", "base=10.0.0.0/8,size=4",
                     " --default-address-pools[0].size: must be from 8 to 32 "
                     "for base 10.0.0.0/8, not 4"},
    override_refusal{"default-address-pools", "base=10.0.0.0/8",
                     " --default-address-pools[0]: size is missing", pool_hint},
    override_refusal{"default-address-pools", "base=10.0.0.0/8,base=::/1",
                     R"( --default-address-pools[0]: second "base")",
                     pool_hint},
    override_refusal{
      "default-address-pools", "base=10.0.0.0/8,size=9;10.0.0.0/8",
      R"( --default-address-pools[1]: unknown "10.0.0.0/8")", pool_hint},
    override_refusal{"default-address-pools", "base=10.0.0.1/8,size=9",
                     " --default-address-pools[0]: base: parse subnet "
                     "\"10.0.0.1/8\": host bits are set",
                     "use 10.0.0.0/8"}));

} // namespace
} // namespace troupe
