// runc with troupe-oci as its hooks.

#include "troupe/tests/system/runtimes/fixture.hpp"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

namespace troupe::test {

using nlohmann::json;

namespace {

struct Runc : runtimes_test {
  void SetUp() override {
    if (run({"sh", "-c", "command -v runc"}).code != 0)
      GTEST_SKIP() << "runc is not installed";
    runtimes_test::SetUp();
    if (IsSkipped() || HasFatalFailure())
      return;
    write_bundle("probe", json::object(), {"/bin/true"});
    auto ran = runc({"run", "-b", dir_ + "/probe", "probe"});
    if (ran.code != 0)
      GTEST_SKIP() << "runc cannot run containers here: " << ran.err;
  }

  outcome runc(std::vector<std::string> words) {
    words.insert(words.begin(), {"runc", "--root", dir_ + "/runc"});
    return run(words);
  }

  json hook(const std::string& name) const {
    return {{{"path", TROUPE_OCI},
             {"args", {"troupe-oci", name, "--socket", daemon_socket()}}}};
  }

  void write_bundle(const std::string& name, const json& annotations,
                    const json& words) {
    auto bundle = dir_ + "/" + name;
    make_root(bundle + "/rootfs");
    ASSERT_EQ(runc({"spec", "-b", bundle}).code, 0);
    auto config = json::parse(read_file(bundle + "/config.json"));
    config["process"]["terminal"] = false;
    config["process"]["args"] = words;
    for (auto& [kind, set] : config["process"]["capabilities"].items())
      set.push_back("CAP_NET_RAW");
    config["annotations"] = annotations;
    config["hooks"] = {{"createRuntime", hook("createRuntime")},
                       {"poststop", hook("poststop")}};
    write(bundle + "/config.json", config.dump());
  }

  pid_t start(const std::string& name, const json& annotations) {
    write_bundle(name, annotations,
                 {"/bin/nc", "-ll", "-p", "80", "-e", "/bin/echo", "served"});
    auto child = spawn(
      {"runc", "--root", dir_ + "/runc", "run", "-b", dir_ + "/" + name, name},
      dir_ + "/" + name + ".log");
    for (auto i = 0; i < 200; ++i) {
      if (runc({"state", name}).out.find("\"running\"") != std::string::npos)
        break;
      std::this_thread::sleep_for(std::chrono::milliseconds{50});
    }
    return child;
  }

  void stop(const std::string& name, pid_t child) {
    EXPECT_EQ(runc({"kill", name, "KILL"}).code, 0);
    EXPECT_GE(wait_for(child, std::chrono::seconds{30}), 0);
  }
};

} // namespace

TEST_F(Runc, ContainersAreOnTroupesNetworks) {
  create_network("front", {{"pools", {{{"subnet", "10.66.0.0/16"}}}}});
  create_network("back");
  make_neighbour();
  auto first = start("c1", {{"io.troupe.networks", "front,back"},
                            {"io.troupe.ip", "10.66.7.9"},
                            {"io.troupe.mac", "02:00:00:00:07:09"},
                            {"io.troupe.publish", "8080:80"},
                            {"org.example.other", "x"}});
  auto second = start("c2", {{"io.troupe.networks", "front"}});
  auto pinged
    = runc({"exec", "c2", "/bin/ping", "-c", "1", "-W", "3", "10.66.7.9"});
  EXPECT_EQ(pinged.code, 0)
    << pinged.err << read_file(dir_ + "/c1.log") << read_file(dir_ + "/c2.log");
  auto links = runc({"exec", "c1", "/bin/ip", "-o", "link"}).out;
  EXPECT_NE(links.find("eth1"), std::string::npos) << links;
  EXPECT_NE(links.find("02:00:00:00:07:09"), std::string::npos) << links;
  EXPECT_EQ(ask_from_neighbour("8080"), "served\n");
  EXPECT_EQ(doctor(), "");
  stop("c2", second);
  EXPECT_EQ(known_objects(), 3U);
  // Removed while the daemon is away.
  daemon().kill();
  stop("c1", first);
  restart();
  EXPECT_EQ(known_objects(), 3U);
  EXPECT_EQ(run({TROUPE_CNI, "--replay", daemon().socket()}).code, 0);
  EXPECT_EQ(known_objects(), 0U);
}

TEST_F(Runc, ARefusalIsShownAndLeavesNothing) {
  create_network("front");
  for (const auto& wrong :
       {json{{"io.troupe.networks", "front,nosuch"}},
        json{{"io.troupe.networks", "front"}, {"io.troupe.ip", "nonsense"}},
        json{{"io.troupe.network", "front"}}}) {
    std::filesystem::remove_all(dir_ + "/c1");
    write_bundle("c1", wrong, {"/bin/true"});
    auto refused = runc({"run", "-b", dir_ + "/c1", "c1"});
    EXPECT_NE(refused.code, 0) << wrong;
    EXPECT_EQ(known_objects(), 0U) << wrong;
  }
  EXPECT_EQ(deferred(), 0U);
}

} // namespace troupe::test
