#include "troupe/config/settings.hpp"

#include <gtest/gtest.h>

namespace troupe {
namespace {

struct path_row {
  const char* text;
  const char* normal;
};

class SettingsPath : public ::testing::TestWithParam<path_row> {};

TEST_P(SettingsPath, IsNormalised) {
  auto x = settings{};
  x.state_dir = GetParam().text;
  auto checked = validated(x);
  ASSERT_TRUE(checked) << checked.error().message;
  EXPECT_EQ(checked->state_dir, GetParam().normal);
}

INSTANTIATE_TEST_SUITE_P(
  Rows, SettingsPath,
  ::testing::Values(path_row{"/a/b", "/a/b"}, path_row{"/a/b/", "/a/b"},
                    path_row{"//a//b///", "/a/b"}, path_row{"/a/./b", "/a/b"},
                    path_row{"/a/../b", "/b"}, path_row{"/../..", "/"},
                    path_row{"/", "/"}, path_row{"/a/..", "/"},
                    path_row{"/a/b/..", "/a"}, path_row{"/ä ö", "/ä ö"}));

TEST(ValidatedSettings, AreTheSameWhenValidatedAgain) {
  auto x = settings{};
  x.state_dir = "/a/../b//";
  x.socket = "/x/./y";
  auto once = validated(x);
  ASSERT_TRUE(once);
  EXPECT_EQ(*validated(*once), *once);
}

TEST(ValidatedSettings, RefuseWrongValuesByKey) {
  auto message_of = [](auto change) {
    auto x = settings{};
    change(x);
    auto checked = validated(x);
    return checked ? "accepted" : checked.error().message;
  };
  EXPECT_EQ(message_of([](settings& x) {
              x.state_dir = "relative";
            }),
            "settings: state-dir: must be an absolute path, not \"relative\"");
  EXPECT_EQ(message_of([](settings& x) {
              x.run_dir = "";
            }),
            "settings: run-dir: must be an absolute path, not \"\"");
  EXPECT_EQ(message_of([](settings& x) {
              x.socket = "@abstract";
            }),
            "settings: socket: must be an absolute path, not \"@abstract\"");
  EXPECT_EQ(message_of([](settings& x) {
              x.socket_group = "a:b";
            }),
            "settings: socket-group: \"a:b\" is no name of a group");
  EXPECT_EQ(message_of([](settings& x) {
              x.driver_timeout_ms = 0;
            }),
            "settings: driver-timeout-ms: must be from 1 to 3600000, not 0");
  EXPECT_EQ(message_of([](settings& x) {
              x.driver_timeout_ms = 30'000;
            }),
            "settings: request-timeout-ms is 120000, and a request of 7 steps "
            "may take driver-timeout-ms for each, 210000 in all: why one "
            "failed would come too late");
  EXPECT_EQ(message_of([](settings& x) {
              x.request_timeout_ms = 3'600'001;
            }),
            "settings: request-timeout-ms: must be from 1 to 3600000, not "
            "3600001");
  EXPECT_EQ(message_of([](settings& x) {
              x.max_requests = 100'001;
            }),
            "settings: max-requests: must be from 1 to 100000, not 100001");
  EXPECT_EQ(message_of([](settings& x) {
              x.max_queue = -1;
            }),
            "settings: max-queue: must be from 1 to 10000, not -1");
  EXPECT_EQ(message_of([](settings& x) {
              x.log_level = "INFO";
            }),
            "settings: log-level: unknown level \"INFO\"");
  EXPECT_EQ(message_of([](settings& x) {
              x.default_address_pools.push_back({*prefix::parse("::/0"), 64});
            }),
            "settings: default-address-pools[0].base: must be a subnet, not "
            "all addresses");
}

TEST(ValidatedSettings, RefuseOneDirectoryForBoth) {
  auto x = settings{};
  x.state_dir = "/a/b";
  x.run_dir = "/a/./b/";
  EXPECT_EQ(validated(x).error().message,
            "settings: state-dir and run-dir are both \"/a/b\"");
}

TEST(SocketPath, LiesInTheRunDirectoryUnlessSet) {
  auto x = settings{};
  EXPECT_EQ(socket_path(x), "/run/troupe/troupe.sock");
  x.run_dir = "/";
  EXPECT_EQ(socket_path(x), "/troupe.sock");
  x.socket = "/x";
  EXPECT_EQ(socket_path(x), "/x");
}

TEST(SocketPath, MustFitIntoASocketAddress) {
  auto x = settings{};
  x.socket = "/" + std::string(106, 's');
  EXPECT_TRUE(validated(x));
  x.socket += "s";
  auto refused = validated(x);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "settings: path of the socket \"/" + std::string(39, 's')
              + "…\" has 108 bytes, Unix sockets take 107");
  EXPECT_EQ(refused.error().hint, "choose a shorter socket");
  x.socket.clear();
  x.run_dir = "/" + std::string(100, 'r');
  EXPECT_EQ(validated(x).error().hint,
            "choose a shorter run-dir, or set socket");
}

} // namespace
} // namespace troupe
