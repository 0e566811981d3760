// What the daemon does when its surroundings fail it: no memory, no threads, a
// log that nobody reads, a socket that is gone.

#include "troupe/tests/system/harness/system_test.hpp"

#include <filesystem>
#include <fstream>
#include <thread>

#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace troupe::test {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

/// Much longer than it should take, on a busy machine too.
constexpr auto patience = 30s;

template <class Condition>
bool eventually(Condition holds) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > until)
      return false;
    std::this_thread::sleep_for(20ms);
  }
  return true;
}

class Hardship : public system_test {
protected:
  /// Starts a second daemon, under limits; it ends by itself or by SIGTERM.
  /// @returns what it wrote.
  std::string live_and_die(std::vector<std::string> words) {
    const auto dir = daemon().dir() + "/poor";
    fs::remove_all(dir);
    fs::create_directory(dir);
    fs::permissions(dir, fs::perms::all);
    for (const auto* word : {daemon_path(), "--state-dir"})
      words.emplace_back(word);
    words.push_back(dir + "/state");
    words.emplace_back("--run-dir");
    words.push_back(dir + "/run");
    const auto log = daemon().dir() + "/poor.log";
    fs::remove(log);
    const auto child = spawn(words, log);
    EXPECT_GT(child, 0);
    auto code = -1;
    const auto until = std::chrono::steady_clock::now() + 5s;
    while (code < 0 && std::chrono::steady_clock::now() < until
           && read_file(log).find("ready on") == std::string::npos)
      code = wait_for(child, 20ms);
    if (code < 0) {
      ::kill(child, SIGTERM);
      code = wait_for(child, patience);
    }
    if (code < 0) {
      ::kill(child, SIGKILL);
      wait_for(child, patience);
      ADD_FAILURE() << "it does not end:\n" << read_file(log);
    }
    EXPECT_TRUE(code == 0 || !read_file(log).empty()) << code;
    return read_file(log);
  }
};

} // namespace

TEST_F(Hardship, ARemovedSocketIsMadeAgain) {
  for (auto round = 0; round < 2; ++round) {
    ASSERT_EQ(::unlink(daemon().socket().c_str()), 0);
    EXPECT_TRUE(eventually([this] {
      return daemon().client().get("/v1/status").has_value();
    }))
      << daemon().log();
  }
  reconnect();
  create_network("net");
  observe_daemon();
}

TEST_F(Hardship, TooLittleMemoryIsSaid) {
  for (auto mib = 48; mib <= 640; mib += mib / 3) {
    SCOPED_TRACE(mib);
    const auto bytes = std::to_string(mib * 1024L * 1024L);
    live_and_die({"prlimit", "--as=" + bytes + ":" + bytes});
  }
}

TEST_F(Hardship, TooFewThreadsIsSaid) {
  // Limits of processes are not root's.
  for (auto most : {1, 2, 3, 5, 8, 11, 14}) {
    SCOPED_TRACE(most);
    const auto number = std::to_string(most);
    live_and_die({"setpriv", "--reuid", "54321", "--regid", "54321",
                  "--clear-groups", "prlimit",
                  "--nproc=" + number + ":" + number});
  }
}

namespace {

class UnreadLog : public system_test {
protected:
  UnreadLog() {
    wrapper_ = {"bash", "-c", "exec \"$@\" 2> >(exec sleep 120)", "-"};
  }
};

} // namespace

TEST_F(UnreadLog, StopsNobody) {
  // A pipe holds 64 KiB, and each of these writes a line.
  for (auto i = 0; i < 500 && !HasFailure(); ++i) {
    must("POST", "/v1/sandboxes",
         {{"spec",
           {{"name", "box" + std::string(60, 'x')},
            {"use_host_namespace", true}}}});
    must("DELETE", "/v1/sandboxes/box" + std::string(60, 'x'));
  }
  EXPECT_EQ(daemon().terminate(), 0);
  ASSERT_EQ(daemon().start(), "");
  observe_daemon();
}

namespace {

/// Where nft is, as the daemon looks for it.
std::string path_of_nft() {
  for (const auto* path : {"/usr/sbin/nft", "/usr/bin/nft", "/sbin/nft"})
    if (::access(path, X_OK) == 0)
      return path;
  return {};
}

/// Loading the rules takes for ever: another nft is mounted over the real one,
/// in this test's own mount namespace.
class EndlessStart : public system_test {
protected:
  void replace_nft() {
    const auto file = daemon().dir() + "/nft";
    std::ofstream{file} << "#!/bin/sh\nexec sleep 25\n";
    ASSERT_EQ(::chmod(file.c_str(), 0755), 0);
    nft_ = path_of_nft();
    ASSERT_EQ(::mount(file.c_str(), nft_.c_str(), nullptr, MS_BIND, nullptr),
              0);
  }

  void restore_nft() {
    ASSERT_EQ(::umount2(nft_.c_str(), MNT_DETACH), 0);
  }

  std::string nft_;
};

} // namespace

TEST_F(EndlessStart, EndsBySigterm) {
  ASSERT_EQ(daemon().terminate(), 0);
  replace_nft();
  daemon().launch();
  EXPECT_TRUE(eventually([this] {
    return daemon().log().find("start: reconciled") != std::string::npos;
  }))
    << daemon().log();
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(daemon().terminate(), 0) << daemon().log();
  EXPECT_LT(std::chrono::steady_clock::now() - began, 20s);
  restore_nft();
  ASSERT_EQ(daemon().start(), "");
  observe_daemon();
}

} // namespace troupe::test
