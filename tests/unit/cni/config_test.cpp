#include "troupe/tools/cni/config.hpp"
#include "troupe/tools/cni/ranges.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace troupe::cni {

namespace {

json golden(const std::string& name) {
  auto in = std::ifstream{std::string{GOLDEN_DIR} + "/" + name + ".json"};
  auto text = std::string{std::istreambuf_iterator<char>{in}, {}};
  return json::parse(text);
}

environment environment_of(const json& x) {
  return read_environment([&x](const char* name) -> const char* {
    auto found = x.find(name);
    return found == x.end() ? nullptr
                            : found->get_ref<const std::string&>().c_str();
  });
}

outcome<add_config> read(const json& config, const environment& env = {}) {
  auto base = read_base(dump(config), "ADD");
  if (!base)
    return fails(std::move(base.error()));
  return read_add(*base, env);
}

json config_with(const std::string& key, const json& value) {
  return {{"cniVersion", "1.0.0"},
          {"name", "net"},
          {"type", "troupe-cni"},
          {key, value}};
}

code refusal(const json& config) {
  auto read_one = read(config);
  EXPECT_FALSE(read_one) << dump(config);
  return read_one ? code{} : read_one.error().what;
}

class CniGolden : public ::testing::TestWithParam<const char*> {};

} // namespace

TEST_P(CniGolden, ARecordedRequestMeansWhatItSays) {
  auto recorded = golden(GetParam());
  auto env = environment_of(recorded["env"]);
  ASSERT_TRUE(check_environment(env));
  auto config = read(recorded["config"], env);
  ASSERT_TRUE(config) << config.error().message << config.error().details;
  EXPECT_EQ(to_json(config->network.spec), recorded["network"]);
  EXPECT_EQ(to_json(config->endpoint), recorded["endpoint"]);
  EXPECT_EQ(to_json(config->dns), recorded["dns"]);
}

INSTANTIATE_TEST_SUITE_P(All, CniGolden,
                         ::testing::Values("podman-add", "containerd-add",
                                           "named-network-add"));

TEST(CniConfig, NamedNetworkMustExistUnlessItIsDescribed) {
  EXPECT_TRUE(read(config_with("network", "front"))->network.must_exist);
  auto described = config_with("network", "front");
  described["subnet"] = "10.1.0.0/16";
  EXPECT_FALSE(read(described)->network.must_exist);
  EXPECT_FALSE(read(config_with("subnet", "10.1.0.0/16"))->network.must_exist);
}

TEST(CniConfig, VersionsAndCommandsThatDoNotFitAreRefused) {
  auto text = [](const json& version) {
    return dump(json{{"cniVersion", version}, {"name", "n"}});
  };
  for (const auto* version : {"0.2.0", "0.1.0", "2.0.0", "", "1.0"})
    EXPECT_EQ(read_base(text(version), "ADD").error().what,
              code::incompatible_version)
      << version;
  EXPECT_EQ(read_base(text(json(7)), "ADD").error().what,
            code::incompatible_version);
  EXPECT_EQ(read_base(R"({"name": "n"})", "ADD").error().what,
            code::incompatible_version);
  EXPECT_EQ(read_base(text("0.3.1"), "CHECK").error().what,
            code::incompatible_version);
  EXPECT_TRUE(read_base(text("0.4.0"), "CHECK"));
  for (const auto* command : {"GC", "STATUS"}) {
    EXPECT_EQ(read_base(text("1.0.0"), command).error().what,
              code::incompatible_version);
    EXPECT_TRUE(read_base(text("1.1.0"), command));
  }
}

TEST(CniConfig, WhatIsNoConfigurationIsRefused) {
  auto deep = std::string(100'000, '[');
  auto deep_inside = R"({"cniVersion":"1.0.0","name":"n","x":)"
                     + std::string(500, '[') + std::string(500, ']') + "}";
  auto huge = R"({"cniVersion":"1.0.0","name":")" + std::string(17U << 20U, 'x')
              + "\"}";
  for (const auto& text :
       {std::string{}, std::string{"{"}, std::string{"[]"}, std::string{"null"},
        std::string{"\xff\xfe"}, std::string{R"({"name":1,"name":2})"}, deep,
        deep_inside, huge})
    EXPECT_EQ(read_base(text, "ADD").error().what, code::not_decoded)
      << text.substr(0, 40);
  for (const auto* name : {"", "-a", "a b", "a/b", "ä", "../x"})
    EXPECT_EQ(
      read_base(dump(json{{"cniVersion", "1.0.0"}, {"name", name}}), "ADD")
        .error()
        .what,
      code::bad_config)
      << name;
}

TEST(CniConfig, NothingIsIgnoredInSilence) {
  EXPECT_EQ(refusal(config_with("subnett", "10.1.0.0/16")),
            code::unsupported_field);
  auto refused = read(config_with("subnett", "10.1.0.0/16"));
  EXPECT_NE(refused.error().message.find("\"subnett\": \"10.1.0.0/16\""),
            std::string::npos)
    << refused.error().message;
  EXPECT_EQ(refusal(config_with("ipam", {{"type", "host-local"}})),
            code::unsupported_field);
  EXPECT_EQ(refusal(config_with("driver", "host")), code::unsupported_field);
  EXPECT_EQ(
    refusal(config_with("ipam", {{"routes", {{{"dst", "10.9.0.0/16"}}}}})),
    code::unsupported_field);
  EXPECT_EQ(refusal(config_with("runtimeConfig",
                                {{"bandwidth", {{"ingressRate", 1000}}}})),
            code::unsupported_field);
  // Of the protocol, or of somebody else.
  for (const auto* key : {"example.com/key", "cni.dev/x", "capabilities"})
    EXPECT_TRUE(read(config_with(key, {{"a", true}}))) << key;
}

TEST(CniConfig, WrongValuesAreRefusedByTheirPlace) {
  auto ports = [](json x) {
    return config_with("runtimeConfig",
                       {{"portMappings", json::array({std::move(x)})}});
  };
  for (const auto& x :
       {ports({{"hostPort", 0}, {"containerPort", 80}}),
        ports({{"hostPort", 80}, {"containerPort", 0}}),
        ports({{"hostPort", 65'536}, {"containerPort", 80}}),
        ports({{"hostPort", -1}, {"containerPort", 80}}),
        ports({{"hostPort", 1}, {"containerPort", 80}, {"protocol", "icmp"}}),
        ports({{"hostPort", 1}, {"containerPort", 80}, {"hostIP", "me"}}),
        ports({{"hostPort", 1}, {"containerPort", 80}, {"range", 5}}),
        ports("80:80"), config_with("runtimeConfig", {{"ips", "10.0.0.1"}}),
        config_with("runtimeConfig", {{"ips", {"10.0.0.1", "10.0.0.2"}}}),
        config_with("runtimeConfig", {{"ips", {"10.0.0.300"}}}),
        config_with("runtimeConfig", {{"mac", "02:00"}}),
        config_with("mtu", "1500"), config_with("mtu", -1),
        config_with("subnet", "10.0.0.0/33"), config_with("options", 3),
        config_with("gateway", "10.0.0.1"), config_with("labels", {{"a", 1}})})
    EXPECT_EQ(refusal(x), code::bad_config) << dump(x);
  EXPECT_EQ(refusal(config_with("runtimeConfig", 3)), code::not_decoded);
  EXPECT_EQ(refusal(config_with("prevResult", "x")), code::not_decoded);
}

TEST(CniConfig, ArgumentsOfTheEnvironment) {
  EXPECT_FALSE(read_args("FOO=1"));
  EXPECT_TRUE(read_args("IgnoreUnknown=1;FOO=1"));
  EXPECT_TRUE(read_args("IgnoreUnknown=true;FOO=1;"));
  EXPECT_FALSE(read_args("IgnoreUnknown=0;FOO=1"));
  EXPECT_TRUE(read_args("K8S_POD_NAME=x"));
  EXPECT_TRUE(read_args(""));
  EXPECT_FALSE(read_args("IP"));
  EXPECT_FALSE(read_args("=1"));
  auto env = environment{};
  env.args = "IP=10.1.0.5,fd00::5;MAC=AA-BB-CC-DD-EE-02";
  auto config = read(config_with("network", "front"), env);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(to_string(*config->endpoint.ipv4), "10.1.0.5");
  EXPECT_EQ(to_string(*config->endpoint.ipv6), "fd00::5");
  EXPECT_EQ(to_string(*config->endpoint.mac), "aa:bb:cc:dd:ee:02");
}

TEST(CniConfig, TheEnvironmentIsCheckedAsByTheReference) {
  auto env = environment{"ADD", "c1", "/run/netns/x", "eth0", {}, {}};
  EXPECT_TRUE(check_environment(env));
  auto broken = env;
  broken.container = {};
  broken.netns = {};
  EXPECT_EQ(check_environment(broken).error().message,
            "required env variables [CNI_CONTAINERID,CNI_NETNS] missing");
  broken = env;
  broken.command = "DEL";
  broken.netns = {};
  EXPECT_TRUE(check_environment(broken));
  for (const auto* name :
       {".", "..", "a/b", "a:b", "a b", "abcdefghijklmnop"}) {
    broken = env;
    broken.ifname = name;
    EXPECT_EQ(check_environment(broken).error().what, code::bad_environment)
      << name;
  }
  for (const auto* id : {"-a", "a/b", "a b", "../../etc"}) {
    broken = env;
    broken.container = id;
    EXPECT_EQ(check_environment(broken).error().what, code::bad_environment)
      << id;
  }
}

TEST(CniConfig, RangesBecomePoolsThatGiveTheSameAddresses) {
  auto pool = [](const char* subnet, const char* first, const char* last) {
    auto x = range_fields{};
    x.subnet = subnet;
    if (*first != '\0')
      x.rangeStart = *ip_address::parse(first);
    if (*last != '\0')
      x.rangeEnd = *ip_address::parse(last);
    return pool_of(x);
  };
  EXPECT_FALSE(pool("10.1.0.0/16", "", "")->ip_range);
  EXPECT_FALSE(pool("10.1.0.0/24", "10.1.0.1", "10.1.0.254")->ip_range);
  auto exact = pool("10.1.0.0/16", "10.1.5.0", "10.1.5.255");
  EXPECT_EQ(to_string(*exact->ip_range), "10.1.5.0/24");
  EXPECT_TRUE(exact->aux_addresses.empty());
  EXPECT_EQ(to_string(*exact->gateway), "10.1.0.1");
  auto odd = pool("10.1.0.0/24", "10.1.0.10", "10.1.0.20");
  EXPECT_EQ(to_string(*odd->ip_range), "10.1.0.0/27");
  // 2 to 9 and 21 to 31: the subnet's first and the gateway are nobody's.
  EXPECT_EQ(odd->aux_addresses.size(), 19U);
  EXPECT_FALSE(pool("10.1.0.0/24", "10.1.0.20", "10.1.0.10"));
  EXPECT_FALSE(pool("10.1.0.0/24", "10.2.0.10", ""));
  EXPECT_FALSE(pool("10.0.0.0/8", "10.0.0.10", "10.200.0.20"));
  EXPECT_FALSE(pool("10.1.0.0/24x", "", ""));
  auto last = pool("fd00::/64", "fd00::ff00", "fd00::ffff");
  EXPECT_EQ(to_string(*last->ip_range), "fd00::ff00/120");
}

TEST(CniConfig, TwoRangesOfOneFamilyAreRefused) {
  auto one = json{{"subnet", "10.1.0.0/16"}};
  auto other = json{{"subnet", "10.2.0.0/16"}};
  EXPECT_EQ(
    refusal(config_with("ranges", json::array({json::array({one, other})}))),
    code::unsupported_field);
  EXPECT_EQ(refusal(config_with("ranges", json::array({json::array({one}),
                                                       json::array({other})}))),
            code::unsupported_field);
}

TEST(CniConfig, AGcSaysWhoIsValid) {
  auto with = [](const json& x) {
    auto base = read_base(dump(json{{"cniVersion", "1.1.0"},
                                    {"name", "n"},
                                    {"cni.dev/valid-attachments", x}}),
                          "GC");
    return read_valid_attachments(*base);
  };
  EXPECT_EQ(with(json::array())->size(), 0U);
  EXPECT_EQ(with(nullptr)->size(), 0U);
  EXPECT_EQ(with({{{"containerID", "a"}, {"ifname", "eth0"}}})->size(), 1U);
  EXPECT_FALSE(with({{{"containerID", "a"}}}));
  EXPECT_FALSE(with("x"));
  // Who says nothing does not mean "nobody".
  auto base = read_base(R"({"cniVersion":"1.1.0","name":"n"})", "GC");
  EXPECT_EQ(read_valid_attachments(*base).error().what, code::bad_config);
}

} // namespace troupe::cni
