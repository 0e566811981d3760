// How the daemon starts, refuses to start, stops, and what its clients see
// when it is not there.

#include "troupe/tests/system/harness/system_test.hpp"

#include <filesystem>
#include <fstream>

#include <sys/mount.h>

namespace troupe::test {

namespace {

namespace fs = std::filesystem;

class Start : public system_test {
protected:
  // A network with two sandboxes on it.
  void make_objects() {
    create_network("net", {{"enable_ipv6", true}});
    for (const auto* name : {"left", "right"}) {
      create_sandbox(name);
      attach("net", name);
    }
  }

  std::string objects() {
    return must("GET", "/v1/networks").dump()
           + must("GET", "/v1/endpoints").dump()
           + must("GET", "/v1/sandboxes").dump();
  }

  std::string store_file() {
    return daemon().dir() + "/state/durable/data.mdb";
  }

  // Runs the daemon to its end, which must come soon.
  outcome run_daemon(const std::vector<std::string>& flags = {}) {
    auto words = std::vector<std::string>{daemon_path(), "--state-dir",
                                          daemon().dir() + "/state",
                                          "--run-dir", daemon().dir() + "/run"};
    words.insert(words.end(), flags.begin(), flags.end());
    return run(words, {}, std::chrono::seconds{20});
  }

  // The store is damaged while the daemon is away; the kernel objects stay.
  // Whatever the daemon does then, it must not delete them.
  void expect_nothing_deleted(const std::function<void()>& damage) {
    make_objects();
    ASSERT_FALSE(HasFailure());
    auto file = store_file();
    ASSERT_TRUE(fs::exists(file)) << file;
    EXPECT_EQ(daemon().terminate(), 0);
    fs::copy_file(file, daemon().dir() + "/backup");
    auto links = link_names();
    auto pins = pinned_namespaces();
    damage();
    auto refusal = daemon().start();
    EXPECT_EQ(link_names(), links) << refusal;
    EXPECT_EQ(pinned_namespaces(), pins) << refusal;
    if (!refusal.empty()) {
      EXPECT_NE(refusal.find("durable"), std::string::npos) << refusal;
    }
    // With the store restored everything is as it was.
    daemon().terminate();
    for (const auto& entry : fs::directory_iterator{daemon().dir() + "/state"})
      fs::remove_all(entry.path());
    fs::create_directories(fs::path{file}.parent_path());
    fs::copy_file(daemon().dir() + "/backup", file,
                  fs::copy_options::overwrite_existing);
    ASSERT_EQ(daemon().start(), "");
    observe_daemon();
    EXPECT_EQ(doctor(), "");
    EXPECT_EQ(link_names(), links);
  }
};

} // namespace

TEST_F(Start, ACleanStopLeavesTheNetworksUp) {
  make_objects();
  auto before = objects();
  auto links = link_names();
  EXPECT_EQ(daemon().terminate(), 0);
  EXPECT_EQ(link_names(), links);
  EXPECT_FALSE(fs::exists(daemon().socket()));
  ASSERT_EQ(daemon().start(), "");
  observe_daemon();
  EXPECT_EQ(objects(), before);
  EXPECT_EQ(link_names(), links);
  EXPECT_EQ(doctor(), "");
}

TEST_F(Start, ASecondDaemonOnTheSameDirectoriesIsRefused) {
  make_objects();
  auto before = objects();
  auto second = run_daemon();
  EXPECT_NE(second.code, 0);
  EXPECT_NE(second.err.find(daemon().dir()), std::string::npos) << second.err;
  EXPECT_EQ(objects(), before);
  EXPECT_EQ(doctor(), "");
}

// Its first operation would say so as well, but then it has been "ready".
TEST_F(Start, WithoutRightsItEndsWithTheReason) {
  EXPECT_EQ(daemon().terminate(), 0);
  struct row {
    std::vector<std::string> before; // The daemon's own words.
    std::string reason;
  };
  const auto rows = std::vector<row>{
    {{"setpriv", "--bounding-set=-all"},
     "has no CAP_NET_ADMIN and CAP_SYS_ADMIN"},
    {{"setpriv", "--bounding-set=-net_admin"}, "has no CAP_NET_ADMIN"},
    {{"setpriv", "--bounding-set=-sys_admin"}, "has no CAP_SYS_ADMIN"},
    {{"setpriv", "--reuid=65534", "--clear-groups"}, "has no CAP_NET_ADMIN"},
    {{"unshare", "--user", "--map-root-user"},
     "/proc/self/ns/net belongs to another user namespace"},
    {{"unshare", "--user", "--map-root-user", "--net"},
     "/proc/self/ns/mnt belongs to another user namespace"}};
  for (const auto& [before, reason] : rows)
    for (auto faults : {false, true}) {
      auto words = before;
      words.insert(words.end(),
                   {daemon_path(), "--state-dir", daemon().dir() + "/state",
                    "--run-dir", daemon().dir() + "/run"});
      if (faults)
        words.emplace_back("--enable-fault-injection");
      auto ran = run(words, {}, std::chrono::seconds{20});
      EXPECT_EQ(ran.code, 1) << ran.out << ran.err;
      EXPECT_NE((ran.out + ran.err).find(reason), std::string::npos)
        << reason << "\n"
        << ran.out << ran.err;
      EXPECT_EQ((ran.out + ran.err).find("ready"), std::string::npos)
        << ran.out << ran.err;
    }
  ASSERT_EQ(daemon().start(), "");
  observe_daemon();
}

TEST_F(Start, TwoDaemonsOnTwoDirectoriesLeaveEachOtherAlone) {
  make_objects();
  auto other = daemon_process{daemon().dir() + "/other"};
  ASSERT_EQ(other.start(), "");
  auto made = other.client().send("POST", "/v1/networks",
                                  {{"spec", {{"name", "net"}}}});
  EXPECT_TRUE(made && made->ok()) << text_of(made);
  EXPECT_EQ(doctor(), "");
  other.kill();
  ASSERT_EQ(other.start(), "");
  EXPECT_EQ(doctor(), "");
  auto removed = other.client().send("DELETE", "/v1/networks/net");
  EXPECT_TRUE(removed && removed->ok()) << text_of(removed);
  EXPECT_EQ(other.terminate(), 0);
  EXPECT_EQ(doctor(), "");
}

TEST_F(Start, WithoutADaemonClientsSayHowToStartIt) {
  daemon().terminate();
  auto ran = daemon().troupe({"network", "ls"});
  EXPECT_EQ(ran.code, 5) << ran.err;
  EXPECT_NE(ran.err.find("Error: "), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find(daemon().socket()), std::string::npos) << ran.err;
}

TEST_F(Start, ASocketWithoutPermissionIsToldApart) {
  auto ran
    = run({"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
           command_line_path(), "--host", daemon().uri(), "status"});
  EXPECT_EQ(ran.code, 5) << ran.err;
  EXPECT_NE(ran.err.find("ermission"), std::string::npos) << ran.err;
}

TEST_F(Start, AWrongFlagOrValueNamesTheNearestRightOne) {
  daemon().terminate();
  EXPECT_EQ(run_daemon({"--stat-dir", "/x"}).code, 2);
  auto ran = run_daemon({"--log-level", "inof"});
  EXPECT_NE(ran.code, 0);
  EXPECT_NE(ran.err.find("info"), std::string::npos) << ran.err;
  ASSERT_EQ(daemon().start(), "");
  observe_daemon();
}

TEST_F(Start, AReadOnlyStateDirectoryIsRefused) {
  daemon().terminate();
  auto dir = daemon().dir() + "/state";
  ASSERT_EQ(mount(dir.c_str(), dir.c_str(), nullptr, MS_BIND, nullptr), 0);
  ASSERT_EQ(mount(nullptr, dir.c_str(), nullptr,
                  MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr),
            0);
  auto ran = run_daemon();
  EXPECT_NE(ran.code, 0);
  EXPECT_NE(ran.err.find(dir), std::string::npos) << ran.err;
  ASSERT_EQ(umount(dir.c_str()), 0);
  ASSERT_EQ(daemon().start(), "");
  observe_daemon();
}

TEST_F(Start, ATruncatedStoreDeletesNothing) {
  expect_nothing_deleted([&] {
    fs::resize_file(store_file(), fs::file_size(store_file()) / 2);
  });
}

TEST_F(Start, AnEmptyStoreDeletesNothing) {
  expect_nothing_deleted([&] {
    fs::resize_file(store_file(), 0);
  });
}

TEST_F(Start, AVanishedStoreDeletesNothing) {
  expect_nothing_deleted([&] {
    fs::remove_all(daemon().dir() + "/state/durable");
  });
}

TEST_F(Start, ADamagedStoreDeletesNothing) {
  expect_nothing_deleted([&] {
    auto size = fs::file_size(store_file());
    auto file = std::fstream{store_file(),
                             std::ios::in | std::ios::out | std::ios::binary};
    file.seekp(0);
    for (auto i = 0UL; i < size; i += 16)
      file.write("damaged damaged ", 16);
  });
}

TEST_F(Start, RecoveryTwiceIsRecoveryOnce) {
  make_objects();
  daemon().kill();
  ASSERT_EQ(daemon().start(), "");
  observe_daemon();
  auto once = objects();
  auto kernel = observe_kernel();
  daemon().kill();
  ASSERT_EQ(daemon().start(), "");
  observe_daemon();
  EXPECT_EQ(objects(), once);
  EXPECT_EQ(difference_that_stays(kernel), "");
}

TEST_F(Start, WhatIsGoneFromTheKernelIsBuiltAgain) {
  make_objects();
  auto before = objects();
  auto links = link_names();
  daemon().kill();
  for (const auto& name : links)
    if (name != "lo") {
      run({"ip", "link", "del", name});
    }
  ASSERT_EQ(daemon().start(), "");
  observe_daemon();
  EXPECT_EQ(objects(), before);
  EXPECT_EQ(link_names(), links);
  EXPECT_EQ(doctor(), "");
}

} // namespace troupe::test
