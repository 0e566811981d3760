// The plugin as runtimes start it, on the real daemon.

#include "troupe/tests/system/cni/fixture.hpp"
#include "troupe/tests/system/harness/traffic.hpp"

#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

namespace troupe::test {

using nlohmann::json;

namespace {

struct Cni : cni_test {
  json front(json more = json::object()) const {
    more["subnet"] = "10.66.0.0/16";
    return configuration("front", std::move(more));
  }
};

} // namespace

TEST_F(Cni, TwoContainersReachEachOther) {
  make_namespace("c1");
  make_namespace("c2");
  auto first = add("c1", front({{"ipv6", true}}));
  auto second = add("c2", front({{"ipv6", true}}));
  ASSERT_EQ(second.body["interfaces"].size(), 3U) << second.text();
  EXPECT_EQ(second.body["interfaces"][2]["sandbox"], "/run/netns/c2");
  EXPECT_EQ(second.body["ips"][0]["interface"], 2);
  EXPECT_EQ(second.body["ips"][0]["gateway"], "10.66.0.1");
  EXPECT_TRUE(pings("c1", second.address()));
  EXPECT_TRUE(pings("c2", first.address()));
  EXPECT_TRUE(
    pings("c2", without_length(first.body["ips"][1].value("address", ""))));
  EXPECT_EQ(doctor(), "");
  EXPECT_EQ(del("c1", front()).code, 0);
  EXPECT_EQ(del("c2", front()).code, 0);
  EXPECT_EQ(known_objects(), 0U);
  EXPECT_TRUE(interfaces_inside("/run/netns/c1").empty());
}

TEST_F(Cni, AnsweringEveryVersion) {
  make_namespace("c1");
  for (const auto* version : {"0.3.1", "0.4.0", "1.0.0", "1.1.0"}) {
    auto config = front({{"cniVersion", version}});
    auto made = add("c1", config);
    EXPECT_EQ(made.body["cniVersion"], version);
    EXPECT_EQ(made.body["ips"][0].contains("version"), version[0] == '0');
    EXPECT_EQ(made.body["interfaces"][2].contains("mtu"),
              std::string{version} == "1.1.0");
    EXPECT_EQ(del("c1", config).code, 0);
  }
}

TEST_F(Cni, APublishedPortIsReachedFromANeighbourHost) {
  make_namespace("c1");
  make_neighbour();
  auto config = front(
    {{"runtimeConfig",
      {{"portMappings",
        {{{"hostPort", 8081}, {"containerPort", 80}, {"protocol", "tcp"}},
         {{"hostPort", 8082},
          {"containerPort", 80},
          {"protocol", "TCP"},
          {"hostIP", "192.0.2.1"}}}}}}});
  // The proxy's socket stays open from its first need on.
  add("c1", config);
  EXPECT_EQ(del("c1", config).code, 0);
  observe_daemon();
  add("c1", config);
  auto server = spawn({"ip", "netns", "exec", "c1", "busybox", "nc", "-ll",
                       "-p", "80", "-e", "echo", "served"},
                      "/run/nc.log");
  auto ask = [](const std::string& port) {
    return run({"sh", "-c",
                "ip netns exec neighbour busybox nc -w 3 192.0.2.1 " + port
                  + " </dev/null"})
      .out;
  };
  for (const auto* port : {"8081", "8082"}) {
    auto heard = std::string{};
    for (auto i = 0; i < 50 && heard.empty(); ++i) {
      heard = ask(port);
      std::this_thread::sleep_for(std::chrono::milliseconds{50});
    }
    EXPECT_EQ(heard, "served\n") << port;
  }
  // In use: the error names who has it.
  make_namespace("c2");
  auto refused = cni("ADD", "c2", "/run/netns/c2", config);
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.text().find("c1.eth0"), std::string::npos)
    << refused.text();
  EXPECT_EQ(del("c1", config).code, 0);
  EXPECT_EQ(ask("8081"), "");
  ::kill(server, SIGKILL);
  wait_for(server, std::chrono::seconds{10});
  run({"ip", "link", "del", "up0"});
}

TEST_F(Cni, AddressesAndMacAsWanted) {
  make_namespace("c1");
  make_namespace("c2");
  auto by_args = add("c1", front(), "eth0",
                     "IgnoreUnknown=1;K8S_POD_NAME=p;IP=10.66.7.9;"
                     "MAC=aa:bb:cc:00:11:22");
  EXPECT_EQ(by_args.address(), "10.66.7.9");
  EXPECT_EQ(by_args.body["interfaces"][2]["mac"], "aa:bb:cc:00:11:22");
  // Taken: by whom?
  auto taken = cni("ADD", "c2", "/run/netns/c2",
                   front({{"runtimeConfig", {{"ips", {"10.66.7.9/16"}}}}}));
  EXPECT_EQ(taken.code, 1);
  EXPECT_EQ(taken.error_code(), 101) << taken.text();
  // Neither of its subnet nor of its length.
  auto elsewhere = cni("ADD", "c2", "/run/netns/c2",
                       front({{"runtimeConfig", {{"ips", {"10.99.0.1"}}}}}));
  EXPECT_EQ(elsewhere.code, 1) << elsewhere.text();
  auto odd = cni("ADD", "c2", "/run/netns/c2",
                 front({{"runtimeConfig", {{"ips", {"10.66.7.8/24"}}}}}));
  EXPECT_EQ(odd.error_code(), 7) << odd.text();
  auto by_capability = add(
    "c2", front({{"runtimeConfig",
                  {{"ips", {"10.66.7.8/16"}}, {"mac", "02:00:00:00:00:08"}}}}));
  EXPECT_EQ(by_capability.address(), "10.66.7.8");
  EXPECT_EQ(known_objects(), 4U);
}

TEST_F(Cni, TheSameConfigurationFindsItsNetworkAgain) {
  make_namespace("c1");
  add("c1", front({{"mtu", 1400}}));
  auto networks = must("GET", "/v1/networks")["networks"].size();
  EXPECT_EQ(del("c1", front()).code, 0);
  add("c1", front({{"mtu", 1400}}));
  EXPECT_EQ(must("GET", "/v1/networks")["networks"].size(), networks);
  auto contradicts
    = cni("ADD", "c1", "/run/netns/c1",
          configuration("front", {{"subnet", "10.67.0.0/16"}}), "eth1");
  EXPECT_EQ(contradicts.error_code(), 7);
  for (const auto* part : {"10.67.0.0/16", "10.66.0.0/16", "front"})
    EXPECT_NE(contradicts.text().find(part), std::string::npos)
      << contradicts.text();
  EXPECT_EQ(cni("ADD", "c1", "/run/netns/c1", front({{"mtu", 1300}}), "eth1")
              .error_code(),
            7);
  EXPECT_EQ(known_objects(), 2U);
}

TEST_F(Cni, ANetworkIsNamed) {
  make_namespace("c1");
  auto named = configuration("any", {{"network", "back"}});
  EXPECT_EQ(cni("ADD", "c1", "/run/netns/c1", named).error_code(), 7);
  create_network("back", {{"pools", {{{"subnet", "10.70.0.0/16"}}}}});
  EXPECT_EQ(add("c1", named).address(), "10.70.0.2");
  EXPECT_EQ(del("c1", named).code, 0);
}

TEST_F(Cni, ANameThatIsTooLongForUsIsMapped) {
  make_namespace("c1");
  auto id = std::string(200, 'c');
  auto config = configuration(std::string(300, 'n'));
  auto made = cni("ADD", id, "/run/netns/c1", config);
  EXPECT_EQ(made.code, 0) << made.text();
  config["name"] = std::string(300, 'n') + "x";
  auto other = cni("ADD", id, "/run/netns/c1", config, "eth1");
  EXPECT_EQ(other.code, 0) << other.text();
  EXPECT_EQ(must("GET", "/v1/networks")["networks"].size(), 2U);
  EXPECT_EQ(cni("DEL", id, "", config, "eth1").code, 0);
  config["name"] = std::string(300, 'n');
  EXPECT_EQ(cni("DEL", id, "", config).code, 0);
  EXPECT_EQ(known_objects(), 0U);
}

TEST_F(Cni, SeveralInterfacesOfOneContainer) {
  make_namespace("c1");
  auto back = configuration("back");
  // "back" is before "front", and is added first; but eth0 leads out.
  auto second = add("c1", back, "eth1");
  EXPECT_EQ(second.body["routes"].size(), 1U);
  auto leading = add("c1", front());
  EXPECT_EQ(leading.body["routes"].size(), 1U);
  auto third = add("c1", front(), "net7");
  EXPECT_EQ(third.body["routes"], json::array());
  EXPECT_EQ(interfaces_inside("/run/netns/c1").size(), 3U);
  auto routes = run({"ip", "-n", "c1", "route", "show", "default"}).out;
  EXPECT_NE(routes.find("dev eth0"), std::string::npos) << routes;
  auto again = cni("ADD", "c1", "/run/netns/c1", back, "eth1");
  EXPECT_EQ(again.error_code(), 101) << again.text();
  EXPECT_EQ(interfaces_inside("/run/netns/c1").size(), 3U);
  // One that another network has is not this one's to delete.
  EXPECT_EQ(del("c1", front(), "eth1").code, 0);
  EXPECT_EQ(interfaces_inside("/run/netns/c1").size(), 3U);
  EXPECT_EQ(del("c1", front()).code, 0);
  EXPECT_EQ(del("c1", back, "eth1").code, 0);
  EXPECT_EQ(interfaces_inside("/run/netns/c1").size(), 1U);
  EXPECT_EQ(del("c1", front(), "net7").code, 0);
  EXPECT_EQ(known_objects(), 0U);
}

TEST_F(Cni, InAnyPlaceOfAChain) {
  make_namespace("c1");
  auto config = front();
  config["prevResult"]
    = {{"cniVersion", "1.0.0"},
       {"interfaces", {{{"name", "lo"}, {"sandbox", "/run/netns/c1"}}}},
       {"ips", {{{"address", "127.0.0.1/8"}, {"interface", 0}}}},
       {"dns", {{"nameservers", {"192.0.2.53"}}}}};
  auto made = add("c1", config);
  EXPECT_EQ(made.body["interfaces"].size(), 4U);
  EXPECT_EQ(made.body["interfaces"][3]["name"], "eth0");
  EXPECT_EQ(made.body["ips"][1]["interface"], 3);
  EXPECT_EQ(made.body["dns"]["nameservers"][0], "192.0.2.53");
}

TEST_F(Cni, CheckComparesKernelAndRecord) {
  make_namespace("c1");
  auto config = front();
  auto made = add("c1", config);
  EXPECT_EQ(cni("CHECK", "c1", "/run/netns/c1", config).error_code(), 7);
  config["prevResult"] = made.body;
  auto checked = cni("CHECK", "c1", "/run/netns/c1", config);
  EXPECT_EQ(checked.code, 0) << checked.text();
  EXPECT_TRUE(checked.body.is_null());
  // Nobody is there who would mend it.
  daemon().kill();
  config["timeoutMs"] = 500;
  run({"ip", "-n", "c1", "addr", "del", made.address() + "/16", "dev", "eth0"});
  auto gone = cni("CHECK", "c1", "/run/netns/c1", config);
  EXPECT_EQ(gone.error_code(), 104) << gone.text();
  EXPECT_NE(gone.text().find(made.address()), std::string::npos);
  restart();
  config.erase("timeoutMs");
  auto mended = cni("CHECK", "c1", "/run/netns/c1", config);
  EXPECT_EQ(mended.code, 0) << mended.text();
  // In another namespace, under another name, and when it is deleted.
  make_namespace("c2");
  EXPECT_EQ(cni("CHECK", "c1", "/run/netns/c2", config).error_code(), 104);
  EXPECT_EQ(cni("CHECK", "c9", "/run/netns/c1", config).error_code(), 104);
  EXPECT_EQ(del("c1", config).code, 0);
  EXPECT_EQ(cni("CHECK", "c1", "/run/netns/c1", config).error_code(), 104);
}

TEST_F(Cni, DelWorksWhateverIsGone) {
  auto path = make_namespace("c1");
  auto config = front();
  add("c1", config);
  EXPECT_EQ(del("c1", config).code, 0);
  EXPECT_EQ(del("c1", config).code, 0);
  add("c1", config);
  remove_namespace("c1");
  EXPECT_EQ(del("c1", config).code, 0);
  EXPECT_EQ(known_objects(), 0U);
  // A configuration that would not do for an ADD any more, no namespace.
  make_namespace("c1");
  add("c1", config);
  config["subnet"] = "nonsense";
  EXPECT_EQ(cni("DEL", "c1", "", config).code, 0);
  EXPECT_EQ(known_objects(), 0U);
  // The network is gone with the endpoint.
  config = front();
  add("c1", config);
  ASSERT_EQ(daemon().troupe({"endpoint", "rm", "-f", "front/c1.eth0"}).code, 0);
  ASSERT_EQ(daemon().troupe({"network", "rm", "front"}).code, 0);
  EXPECT_EQ(del("c1", config).code, 0);
  EXPECT_EQ(known_objects(), 0U);
}

TEST_F(Cni, NamespacesThatCannotBe) {
  auto path = make_namespace("c1");
  auto config = front();
  for (const auto* bad : {"/run/netns/nosuch", "/dev/null", "/proc/self/ns/net",
                          "/proc/self/ns/mnt", "/", "relative"})
    EXPECT_EQ(cni("ADD", "c1", bad, config).error_code(), 8) << bad;
  add("c1", config);
  auto others = cni("ADD", "c2", path, config, "eth1");
  EXPECT_EQ(others.error_code(), 101) << others.text();
  // An interface that is somebody else's.
  make_namespace("c3");
  ASSERT_EQ(run({"ip", "-n", "c3", "link", "add", "eth0", "type", "veth",
                 "peer", "name", "other"})
              .code,
            0);
  auto exists = cni("ADD", "c3", "/run/netns/c3", config);
  EXPECT_EQ(exists.error_code(), 101) << exists.text();
  EXPECT_NE(exists.text().find("eth0"), std::string::npos);
  EXPECT_EQ(known_objects(), 2U);
}

TEST_F(Cni, AContainerThatIsStartedAgainHasItsOldOneReplaced) {
  make_namespace("c1");
  auto config = front();
  add("c1", config);
  // As after a crash of the runtime: nobody said DEL.
  remove_namespace("c1");
  make_namespace("c1");
  add("c1", config);
  EXPECT_EQ(interfaces_inside("/run/netns/c1").size(), 1U);
  EXPECT_EQ(known_objects(), 2U);
  // While the old one is alive it is not replaced.
  make_namespace("c2");
  EXPECT_EQ(cni("ADD", "c1", "/run/netns/c2", config).error_code(), 101);
  EXPECT_EQ(interfaces_inside("/run/netns/c1").size(), 1U);
}

TEST_F(Cni, TheNamespaceIsOpenedByDescriptorWhereThePathLeadsElsewhere) {
  make_namespace("c1");
  make_namespace("c2");
  // In the caller's mounts /run/elsewhere is c1, in the daemon's c2.
  std::ofstream{"/run/elsewhere"};
  ASSERT_EQ(run({"mount", "--bind", "/run/netns/c2", "/run/elsewhere"}).code,
            0);
  auto input = input_file(front());
  auto made = run({"unshare", "--mount", "--propagation", "private", "sh", "-c",
                   "mount --bind /run/netns/c1 /run/elsewhere && exec "
                     + std::string{TROUPE_CNI} + " < " + input},
                  variables("ADD", "c1", "/run/elsewhere", "eth0", {}));
  EXPECT_EQ(made.code, 0) << made.out << made.err;
  EXPECT_EQ(interfaces_inside("/run/netns/c1").size(), 1U);
  EXPECT_EQ(interfaces_inside("/run/netns/c2").size(), 0U);
  EXPECT_EQ(del("c1", front()).code, 0);
  run({"umount", "/run/elsewhere"});
}

TEST_F(Cni, ADaemonThatIsKilledLosesNoPacket) {
  auto from = make_namespace("c1");
  auto to = make_namespace("c2");
  add("c1", front());
  auto second = add("c2", front());
  auto packets = traffic{from, to, second.address()};
  ASSERT_EQ(packets.refusal(), "");
  for (auto i = 0; i < 3; ++i) {
    daemon().kill();
    ASSERT_EQ(daemon().start(), ""); // Nobody asks it for anything yet.
  }
  auto report = packets.stop();
  EXPECT_TRUE(report.is_complete()) << report.text();
  warm_up();
  EXPECT_EQ(del("c1", front()).code, 0);
  EXPECT_EQ(del("c2", front()).code, 0);
  EXPECT_EQ(known_objects(), 0U);
}

TEST_F(Cni, ADelWhileTheDaemonIsAwayIsMadeUpFor) {
  make_namespace("c1");
  make_namespace("c2");
  add("c1", front());
  add("c2", front());
  daemon().kill();
  EXPECT_EQ(del("c1", front()).code, 0);
  EXPECT_EQ(deferred(), 1U);
  restart();
  EXPECT_EQ(known_objects(), 4U);
  auto replayed = run({TROUPE_CNI, "--replay", daemon().socket()});
  EXPECT_EQ(replayed.code, 0) << replayed.err;
  EXPECT_EQ(deferred(), 0U);
  EXPECT_EQ(known_objects(), 2U);
  // Or any other call.
  daemon().kill();
  EXPECT_EQ(del("c2", front()).code, 0);
  restart();
  auto address = add("c1", front()).address();
  EXPECT_FALSE(address.empty());
  EXPECT_EQ(known_objects(), 2U);
  // What is made again is not deleted by what was remembered.
  daemon().kill();
  EXPECT_EQ(del("c1", front()).code, 0);
  restart();
  add("c1", front());
  EXPECT_EQ(run({TROUPE_CNI, "--replay", daemon().socket()}).code, 0);
  EXPECT_EQ(known_objects(), 2U);
}

TEST_F(Cni, AnAddWaitsForADaemonThatIsStarted) {
  make_namespace("c1");
  daemon().kill();
  auto adding = std::thread{[this] {
    add("c1", front());
  }};
  std::this_thread::sleep_for(std::chrono::milliseconds{300});
  EXPECT_EQ(daemon().start(), "");
  adding.join();
  warm_up();
  EXPECT_EQ(known_objects(), 2U);
  daemon().kill();
  auto given_up
    = cni("ADD", "c1", "/run/netns/c1", front({{"timeoutMs", 300}}), "eth1");
  EXPECT_EQ(given_up.error_code(), 11) << given_up.text();
  restart();
}

TEST_F(Cni, ADelOutlivesAnAddThatWasKilled) {
  make_namespace("c1");
  add("c1", front()); // The network is there.
  EXPECT_EQ(del("c1", front()).code, 0);
  for (auto pause : {0, 2, 5, 20}) {
    // The daemon hears of it when the caller is gone.
    ::kill(daemon().pid(), SIGSTOP);
    auto input = input_file(front());
    auto adding = spawn(
      {"sh", "-c", std::string{"exec "} + TROUPE_CNI + " < " + input},
      "/run/cni.log", variables("ADD", "c1", "/run/netns/c1", "eth0", {}));
    std::this_thread::sleep_for(std::chrono::milliseconds{200});
    ::kill(daemon().pid(), SIGCONT);
    std::this_thread::sleep_for(std::chrono::milliseconds{pause});
    ::kill(adding, SIGKILL);
    wait_for(adding, std::chrono::seconds{10});
    EXPECT_EQ(del("c1", front()).code, 0);
    EXPECT_EQ(known_objects(), 0U) << pause;
    EXPECT_TRUE(interfaces_inside("/run/netns/c1").empty()) << pause;
  }
  EXPECT_EQ(doctor(), "");
}

// Without the plugin: self-repair sees the link go before the record has gone,
// and may build it again.
TEST_F(Cni, ANamespaceOfOthersIsLeftAsItWas) {
  auto path = make_namespace("c1");
  create_network("front");
  for (auto i = 0; i < 200; ++i) {
    must("POST", "/v1/sandboxes",
         {{"spec", {{"name", "s"}, {"netns_path", path}}}});
    attach("front", "s");
    must("DELETE", "/v1/sandboxes/s");
    auto left = interfaces_inside(path);
    for (auto wait = 0; wait < 500 && !left.empty(); ++wait) {
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
      left = interfaces_inside(path);
    }
    ASSERT_TRUE(left.empty()) << "round " << i;
  }
}

TEST_F(Cni, GcRemovesWhatIsNotNamed) {
  for (const auto* name : {"c1", "c2", "c3"})
    make_namespace(name);
  auto config = front({{"cniVersion", "1.1.0"}});
  add("c1", config);
  add("c2", config);
  add("c3", configuration("other"));
  EXPECT_EQ(cni("GC", "", "", config).error_code(), 7);
  config["cni.dev/valid-attachments"]
    = {{{"containerID", "c1"}, {"ifname", "eth0"}}};
  auto collected = cni("GC", "", "", config);
  EXPECT_EQ(collected.code, 0) << collected.text();
  EXPECT_EQ(known_objects(), 4U);
  EXPECT_TRUE(interfaces_inside("/run/netns/c2").empty());
  config["cni.dev/valid-attachments"] = json::array();
  EXPECT_EQ(cni("GC", "", "", config).code, 0);
  EXPECT_EQ(known_objects(), 2U);
  EXPECT_EQ(interfaces_inside("/run/netns/c3").size(), 1U);
}

TEST_F(Cni, IsInstalledByTheCommandLine) {
  auto where = daemon().dir() + "/host";
  auto install = [&](std::vector<std::string> more) {
    auto words = std::vector<std::string>{
      "cni",        "install",        "--network", "front",
      "--conf-dir", where + "/net.d", "--bin-dir", where + "/bin"};
    words.insert(words.end(), more.begin(), more.end());
    return daemon().troupe(words);
  };
  auto installed = install({});
  ASSERT_EQ(installed.code, 0) << installed.err;
  auto path = where + "/net.d/10-front.conflist";
  EXPECT_EQ(installed.out, path + "\n");
  EXPECT_EQ(install({}).code, 0);
  auto list = json::parse(read_file(path));
  // As a runtime makes a request of it.
  auto config = list["plugins"][0];
  config["name"] = list["name"];
  config["cniVersion"] = list["cniVersion"];
  make_namespace("c1");
  EXPECT_FALSE(add("c1", config).address().empty());
  auto version = run({where + "/bin/troupe-cni"}, {"CNI_COMMAND=VERSION"});
  EXPECT_EQ(version.code, 0) << version.err;
  // What somebody else wrote there stays.
  std::ofstream{path} << "{}";
  EXPECT_EQ(install({}).code, 4);
  EXPECT_EQ(read_file(path), "{}");
  EXPECT_EQ(install({"--force"}).code, 0);
  EXPECT_EQ(json::parse(read_file(path)), list);
  EXPECT_EQ(daemon().troupe({"cni", "install", "--network", "a/b"}).code, 2);
}

TEST_F(Cni, ManyAtOnce) {
  constexpr auto count = 8;
  for (auto i = 0; i < count; ++i)
    make_namespace("c" + std::to_string(i));
  auto calls = std::vector<std::thread>{};
  // The first of them makes the network.
  for (auto i = 0; i < count; ++i)
    calls.emplace_back([this, i] {
      auto input = "/run/many-" + std::to_string(i);
      auto name = "c" + std::to_string(i);
      std::ofstream{input} << front().dump();
      for (const auto* interface : {"eth0", "eth1"}) {
        auto made
          = run({"sh", "-c", std::string{"exec "} + TROUPE_CNI + " < " + input},
                variables("ADD", name, "/run/netns/" + name, interface, {}));
        EXPECT_EQ(made.code, 0) << made.out << made.err;
      }
    });
  for (auto& x : calls)
    x.join();
  EXPECT_EQ(known_objects(), 3U * count);
  EXPECT_EQ(doctor(), "");
}

} // namespace troupe::test
