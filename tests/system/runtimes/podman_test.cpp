// podman with its CNI back end.

#include "troupe/tests/system/harness/traffic.hpp"
#include "troupe/tests/system/runtimes/fixture.hpp"

#include <sys/mount.h>

namespace troupe::test {

namespace {

struct Podman : runtimes_test {
  void SetUp() override {
    if (run({"sh", "-c", "command -v podman"}).code != 0)
      GTEST_SKIP() << "podman is not installed";
    runtimes_test::SetUp();
    if (IsSkipped() || HasFatalFailure())
      return;
    configure();
    make_root(dir_ + "/root");
    run({"tar", "-C", dir_ + "/root", "-cf", dir_ + "/root.tar", "."});
    auto imported = podman({"import", dir_ + "/root.tar", "bb:1"});
    auto ran = podman({"run", "--rm", "--network", "none", "bb:1", "true"});
    if (imported.code != 0 || ran.code != 0)
      GTEST_SKIP() << "podman cannot run containers here: " << imported.err
                   << ran.err;
  }

  void TearDown() override {
    if (!dir_.empty())
      podman({"rm", "-f", "-t", "0", "-a"});
    runtimes_test::TearDown();
  }

  void configure() {
    write(dir_ + "/containers.conf", R"([network]
network_backend = "cni"
network_config_dir = ")" + dir_ + R"(/net.d"
cni_plugin_dirs = [")" + dir_ + R"(/cni/bin"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "runc"
enable_port_reservation = false
[containers]
log_driver = "k8s-file"
)");
    write(dir_ + "/policy.json",
          R"({"default":[{"type":"insecureAcceptAnything"}]})");
    write(dir_ + "/net.d/front.conflist",
          list("front", {{"subnet", "10.66.0.0/16"}}));
    write(dir_ + "/net.d/back.conflist", list("back", {{"mtu", 1400}}));
  }

  outcome podman(std::vector<std::string> words) {
    auto all
      = std::vector<std::string>{"podman",    "--root",      dir_ + "/storage",
                                 "--runroot", dir_ + "/run", "--storage-driver",
                                 "vfs"};
    if (words.front() == "import") // The only one that asks.
      words.insert(words.begin() + 1,
                   {"--signature-policy", dir_ + "/policy.json"});
    all.insert(all.end(), words.begin(), words.end());
    return run(all, {"CONTAINERS_CONF=" + dir_ + "/containers.conf",
                     "PODMAN_IGNORE_CGROUPSV1_WARNING=1", "HOME=" + dir_,
                     "TMPDIR=" + dir_});
  }

  void start(const std::string& name, std::vector<std::string> options) {
    auto words = std::vector<std::string>{"run",     "-d",     "--cap-add",
                                          "NET_RAW", "--name", name};
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(),
                 {"bb:1", "nc", "-ll", "-p", "80", "-e", "echo", name});
    auto started = podman(words);
    EXPECT_EQ(started.code, 0) << started.err << daemon().log();
  }

  std::string inside(const std::string& name, const std::string& command) {
    return podman({"exec", name, "sh", "-c", command}).out;
  }

  // The container's namespace.
  std::string netns_of(const std::string& name) {
    auto found
      = podman({"inspect", "--format", "{{.NetworkSettings.SandboxKey}}", name})
          .out;
    return found.substr(0, found.find('\n'));
  }
};

constexpr auto ping = "ping -c 1 -W 3 ";

} // namespace

TEST_F(Podman, ContainersAreOnTroupesNetworks) {
  make_neighbour();
  start("ca", {"--network", "front", "-p", "8080:80"});
  start("cb", {"--network", "front,back", "--name", "cb"});
  start("cc", {"--network", "front", "--ip", "10.66.7.9", "--mac-address",
               "02:00:00:00:07:09"});
  EXPECT_NE(inside("ca", ping + std::string{"10.66.7.9"}).find(" 0% packet"),
            std::string::npos);
  auto seen = inside("cc", "ip -o addr show eth0; ip link show eth0");
  EXPECT_NE(seen.find("10.66.7.9/16"), std::string::npos) << seen;
  EXPECT_NE(seen.find("02:00:00:00:07:09"), std::string::npos) << seen;
  auto two = inside("cb", "ip -o link; ip route show default");
  EXPECT_NE(two.find("eth1"), std::string::npos) << two;
  EXPECT_NE(two.find("dev eth0"), std::string::npos) << two;
  EXPECT_EQ(ask_from_neighbour("8080"), "ca\n");
  EXPECT_EQ(must("GET", "/v1/endpoints")["endpoints"].size(), 4U);
  EXPECT_EQ(doctor(), "");
  // They talk on while our daemon is killed.
  auto packets = traffic{netns_of("ca"), netns_of("cc"), "10.66.7.9"};
  ASSERT_EQ(packets.refusal(), "");
  daemon().kill();
  ASSERT_EQ(daemon().start(), "");
  auto report = packets.stop();
  EXPECT_TRUE(report.is_complete()) << report.text();
  reconnect();
  EXPECT_EQ(ask_from_neighbour("8080"), "ca\n");
  // Stopped and started again, and removed while the daemon is away.
  EXPECT_EQ(podman({"restart", "-t", "0", "ca"}).code, 0);
  EXPECT_EQ(ask_from_neighbour("8080"), "ca\n");
  EXPECT_EQ(podman({"rm", "-f", "-t", "0", "ca"}).code, 0);
  daemon().kill();
  EXPECT_EQ(podman({"rm", "-f", "-t", "0", "cb"}).code, 0);
  restart();
  EXPECT_EQ(run({TROUPE_CNI, "--replay", daemon().socket()}).code, 0);
  EXPECT_EQ(podman({"rm", "-f", "-t", "0", "cc"}).code, 0);
  EXPECT_EQ(known_objects(), 0U);
}

TEST_F(Podman, ARefusalIsShownAndLeavesNothing) {
  start("ca", {"--network", "front", "--ip", "10.66.7.9"});
  auto refused = podman(
    {"run", "--rm", "--network", "front", "--ip", "10.66.7.9", "bb:1", "true"});
  EXPECT_NE(refused.code, 0);
  EXPECT_NE(refused.err.find("10.66.7.9"), std::string::npos) << refused.err;
  EXPECT_EQ(known_objects(), 2U);
}

} // namespace troupe::test
