// containerd's `ctr run --cni`: go-cni over libcni.

#include "troupe/tests/system/runtimes/fixture.hpp"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

namespace troupe::test {

namespace {

struct Containerd : runtimes_test {
  void SetUp() override {
    if (run({"sh", "-c", "command -v containerd && command -v ctr"}).code != 0)
      GTEST_SKIP() << "containerd is not installed";
    runtimes_test::SetUp();
    if (IsSkipped() || HasFatalFailure())
      return;
    // The places it looks at cannot be chosen.
    if (!std::filesystem::is_directory("/etc/cni"))
      GTEST_SKIP() << "containerd cannot run containers here: no /etc/cni";
    hide("/etc/cni");
    hide("/opt");
    hidden_ = true;
    write("/etc/cni/net.d/10-front.conflist",
          list("front", {{"subnet", "10.66.0.0/16"}}));
    std::filesystem::create_directories("/opt/cni/bin");
    std::filesystem::copy_file(TROUPE_CNI, "/opt/cni/bin/troupe-cni");
    // go-cni's own network; the test's is the other one.
    std::filesystem::copy_file("/usr/lib/cni/loopback",
                               "/opt/cni/bin/loopback");
    make_root(dir_ + "/root");
    launch();
    auto ran
      = ctr({"run", "--rm", "--rootfs", dir_ + "/root", "probe", "/bin/true"});
    if (ran.code != 0)
      GTEST_SKIP() << "containerd cannot run containers here: " << ran.err;
  }

  void TearDown() override {
    if (pid_ > 0) {
      ::kill(pid_, SIGTERM);
      if (wait_for(pid_, std::chrono::seconds{10}) < 0)
        ::kill(pid_, SIGKILL);
    }
    if (hidden_) {
      run({"umount", "/etc/cni"});
      run({"umount", "/opt"});
    }
    runtimes_test::TearDown();
  }

  void launch() {
    write(dir_ + "/containerd.toml",
          "version = 2\nroot = \"" + dir_ + "/root.d\"\nstate = \"" + dir_
            + "/state\"\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n"
              "[grpc]\naddress = \""
            + dir_ + "/ctd.sock\"\n");
    pid_ = spawn({"containerd", "-c", dir_ + "/containerd.toml", "-l", "error"},
                 dir_ + "/containerd.log");
    for (auto i = 0; i < 300 && ctr({"version"}).code != 0; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds{100});
  }

  outcome ctr(std::vector<std::string> words) {
    words.insert(words.begin(), {"ctr", "-a", dir_ + "/ctd.sock"});
    return run(words);
  }

  // Runs until it is told to end; only then the interface is removed.
  pid_t start(const std::string& name) {
    return spawn({"ctr", "-a", dir_ + "/ctd.sock", "run", "--rm", "--cni",
                  "--rootfs", dir_ + "/root", name, "/bin/sleep", "1000"},
                 dir_ + "/" + name + ".log");
  }

  std::string address_of(const std::string& container) {
    for (auto i = 0; i < 200; ++i) {
      auto all = must("GET", "/v1/endpoints")["endpoints"];
      for (const auto& x : all)
        if (x["spec"].value("name", "") == "default-" + container + ".eth0"
            && !x["spec"]["addresses"].empty())
          return without_length(x["spec"]["addresses"][0]);
      std::this_thread::sleep_for(std::chrono::milliseconds{100});
    }
    return {};
  }

  pid_t pid_ = -1;
  bool hidden_ = false;
};

} // namespace

TEST_F(Containerd, ContainersAreOnTroupesNetworks) {
  auto first = start("c1");
  auto second = start("c2");
  auto address = address_of("c1");
  EXPECT_NE(address, "") << read_file(dir_ + "/c1.log");
  EXPECT_NE(address_of("c2"), "") << read_file(dir_ + "/c2.log");
  auto pinged = outcome{};
  for (auto i = 0; i < 50 && pinged.code != 0; ++i) {
    pinged = ctr({"tasks", "exec", "--exec-id", "p" + std::to_string(i), "c2",
                  "/bin/ping", "-c", "1", "-W", "3", address});
    if (pinged.code != 0)
      std::this_thread::sleep_for(std::chrono::milliseconds{100});
  }
  EXPECT_EQ(pinged.code, 0) << pinged.out << pinged.err;
  EXPECT_EQ(doctor(), "");
  daemon().kill();
  restart();
  EXPECT_EQ(ctr({"tasks", "kill", "-s", "SIGKILL", "c1"}).code, 0);
  EXPECT_EQ(ctr({"tasks", "kill", "-s", "SIGKILL", "c2"}).code, 0);
  EXPECT_GE(wait_for(first, std::chrono::seconds{30}), 0);
  EXPECT_GE(wait_for(second, std::chrono::seconds{30}), 0);
  EXPECT_EQ(known_objects(), 0U) << read_file(dir_ + "/c1.log");
}

} // namespace troupe::test
