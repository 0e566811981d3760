#include "troupe/actors/objects/admission.hpp"
#include "troupe/tests/unit/drivers/fixture.hpp"

namespace troupe::test {

namespace {

error endpoint_refusal(endpoint_spec wanted) {
  auto driver = drivers::make("bridge", owner);
  auto admitted = admit_endpoint(wanted, network_v4(), *driver);
  return admitted ? error{} : admitted.error();
}

error sandbox_refusal(sandbox_spec wanted) {
  auto admitted = admit_sandbox(wanted);
  return admitted ? error{} : admitted.error();
}

endpoint_spec wanted_endpoint() {
  auto result = endpoint_spec{};
  result.name = "c1";
  return result;
}

sandbox_spec wanted_sandbox() {
  auto result = sandbox_spec{};
  result.name = "box";
  return result;
}

TEST(AdmitEndpoint, DecidesIdNetworkAndTime) {
  auto x = wanted_endpoint();
  auto driver = drivers::make("bridge", owner);
  ASSERT_TRUE(admit_endpoint(x, network_v4(), *driver));
  EXPECT_TRUE(is_hex_id(x.id.value));
  EXPECT_EQ(x.network, network_v4().id);
  EXPECT_GT(x.created_ms, 0);
}

TEST(AdmitEndpoint, RefusesNamesThatAreNone) {
  for (const auto& name : {std::string{}, std::string{"a/b"}, std::string{".."},
                           std::string{"a\n"}, std::string(300, 'a')}) {
    auto x = wanted_endpoint();
    x.name = name;
    EXPECT_EQ(endpoint_refusal(x).code, ec::invalid_argument) << quoted(name);
  }
}

TEST(AdmitEndpoint, WhatIsDecidedIsNotTheCallers) {
  auto all = std::vector<endpoint_spec>(3, wanted_endpoint());
  all[0].id.value = id_of('a');
  all[1].network.value = id_of('a');
  all[2].addresses = {cidr("10.1.0.5/16")};
  for (const auto& x : all) {
    auto why = endpoint_refusal(x);
    EXPECT_EQ(why.code, ec::invalid_argument);
    EXPECT_EQ(why.message, "create endpoint \"c1\": id, network and addresses "
                           "are not the caller's to fill");
    EXPECT_EQ(why.hint, "ask for an address with ipv4 or ipv6");
  }
}

TEST(AdmitEndpoint, AddressesMustBeOfTheirFamily) {
  auto x = wanted_endpoint();
  x.ipv4 = ip("fd00::1");
  EXPECT_EQ(endpoint_refusal(x).message,
            "create endpoint \"c1\": ipv4 is an IPv6 address");
  x.ipv4.reset();
  x.ipv6 = ip("10.1.0.5");
  EXPECT_EQ(endpoint_refusal(x).message,
            "create endpoint \"c1\": ipv6 is an IPv4 address");
}

TEST(AdmitEndpoint, TheDriverChecksTheOptions) {
  for (const auto* name :
       {"a/b", "waytoolonginterfacename", "..", "a b", "lo"}) {
    auto x = wanted_endpoint();
    x.options["com.docker.network.endpoint.ifname"] = name;
    EXPECT_EQ(endpoint_refusal(x).code, ec::invalid_argument) << name;
  }
}

TEST(AdmitSandbox, DecidesIdAndTime) {
  auto x = wanted_sandbox();
  ASSERT_TRUE(admit_sandbox(x));
  EXPECT_TRUE(is_hex_id(x.id.value));
  EXPECT_GT(x.created_ms, 0);
}

TEST(AdmitSandbox, RefusesNamesThatAreNone) { // LN-23
  for (const auto& name : {std::string{}, std::string{"a/b"}, std::string{".."},
                           std::string{"\x1b[31m"}, std::string(300, 'a')}) {
    auto x = wanted_sandbox();
    x.name = name;
    EXPECT_EQ(sandbox_refusal(x).code, ec::invalid_argument) << quoted(name);
  }
}

TEST(AdmitSandbox, WhatIsDecidedIsNotTheCallers) {
  auto x = wanted_sandbox();
  x.id.value = id_of('a');
  EXPECT_EQ(
    sandbox_refusal(x).message,
    "create sandbox \"box\": id and inode are not the caller's to fill");
  x = wanted_sandbox();
  x.netns_inode = 7;
  EXPECT_EQ(sandbox_refusal(x).code, ec::invalid_argument);
}

TEST(AdmitSandbox, PathsAreAbsolute) {
  for (const auto& path :
       {std::string{"proc/1/ns/net"}, std::string{"./x"},
        std::string{"/a\0b", 4}, "/" + std::string(5'000, 'a')}) {
    auto x = wanted_sandbox();
    x.netns_path = path;
    auto why = sandbox_refusal(x);
    EXPECT_EQ(why.code, ec::invalid_argument) << quoted(path);
    EXPECT_LT(why.message.size(), 200U);
  }
  auto x = wanted_sandbox();
  x.netns_path = "/proc/1/ns/net";
  EXPECT_EQ(sandbox_refusal(x).code, ec::none);
}

TEST(AdmitSandbox, APathOrTheHostsNamespace) {
  auto x = wanted_sandbox();
  x.netns_path = "/proc/1/ns/net";
  x.use_host_namespace = true;
  EXPECT_EQ(sandbox_refusal(x).message,
            "create sandbox \"box\": a namespace path and the host's namespace "
            "exclude each other");
}

TEST(AdmitSandbox, TextsThatEndInFilesArePrintable) {
  auto refused = [](void (*spoil)(sandbox_spec&)) {
    auto x = sandbox_spec{};
    x.name = "box";
    x.hostname = "web-1";
    x.domainname = "example.org";
    x.labels = {{"a", "b c"}};
    spoil(x);
    return !admit_sandbox(x);
  };
  EXPECT_FALSE(refused([](sandbox_spec&) {}));
  EXPECT_TRUE(refused([](sandbox_spec& x) {
    x.hostname = "a\n\x1b[2Jb";
  }));
  EXPECT_TRUE(refused([](sandbox_spec& x) {
    x.hostname = "a b";
  }));
  EXPECT_TRUE(refused([](sandbox_spec& x) {
    x.domainname = "a..b";
  }));
  EXPECT_TRUE(refused([](sandbox_spec& x) {
    x.labels = {{"\r", ""}};
  }));
  EXPECT_TRUE(refused([](sandbox_spec& x) {
    x.labels = {{"a", "\t"}};
  }));
  EXPECT_TRUE(refused([](sandbox_spec& x) {
    x.labels = {{"com.docker.network.endpoint.ifname", "eth7"}};
  }));
  EXPECT_TRUE(refused([](sandbox_spec& x) {
    x.netns_path = "/run/\n";
  }));
}

} // namespace

} // namespace troupe::test
