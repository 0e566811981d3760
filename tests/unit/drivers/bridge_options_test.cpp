#include "troupe/drivers/bridge/options.hpp"

#include "fixture.hpp"

namespace troupe::test {

namespace {

struct option_case {
  const char* key;
  const char* value;
  ec expected;
};

std::ostream& operator<<(std::ostream& out, const option_case& x) {
  return out << x.key << '=' << x.value;
}

class NetworkOption : public ::testing::TestWithParam<option_case> {};

TEST_P(NetworkOption, IsJudged) {
  const auto& [key, value, expected] = GetParam();
  auto network = network_v4();
  network.options[key] = value;
  auto options = drivers::parse_bridge_options(network);
  EXPECT_EQ(options ? ec::none : options.error().code, expected)
    << text(options);
  if (options)
    return;
  // The message names the option as the user wrote it, and the value.
  EXPECT_NE(options.error().message.find(key), std::string::npos)
    << options.error().message;
}

constexpr auto ok = ec::none;
constexpr auto bad = ec::invalid_argument;
constexpr auto no = ec::unsupported;

const option_case network_cases[] = {
  {"com.docker.network.driver.mtu", "-2", bad},  // BR-01
  {"com.docker.network.driver.mtu", "9000", ok}, // BR-02
  {"com.docker.network.driver.mtu", "0", ok},
  {"com.docker.network.driver.mtu", "67", bad},
  {"com.docker.network.driver.mtu", "68", ok},
  {"com.docker.network.driver.mtu", "65535", ok},
  {"com.docker.network.driver.mtu", "65536", bad},
  {"com.docker.network.driver.mtu", "4294967364", bad},
  {"com.docker.network.driver.mtu", "1500 ", bad},
  {"com.docker.network.driver.mtu", "", bad},
  {"mtu", "1450", ok},
  {"mtu", "0x500", bad},
  {"com.docker.network.bridge.name", "br0", ok},
  {"name", "docker0", ok},
  {"name", "", bad},
  {"name", "a/b", bad},
  {"name", "..", bad},
  {"name", ".", bad},
  {"name", "all", bad},
  {"name", "default", bad},
  {"name", "br%d", bad},
  {"name", "with space", bad},
  {"name", "br:0", bad},
  {"name", "-br0", bad},
  {"name", "sixteen-letters-", bad},
  {"name", "fifteen-letters", ok},
  {"name", "br-0123456789ab", bad}, // Another network's generated name.
  {"name", "br-aaaaaaaaaaaa", ok},  // Its own.
  {"name", "trp0123456789ab", bad},
  {"name", "br\n0", bad},
  {"com.docker.network.bridge.enable_icc", "false", ok},
  {"com.docker.network.bridge.enable_icc", "T", ok},
  {"com.docker.network.bridge.enable_icc", "yes", bad},
  {"icc", "0", ok},
  {"icc", "FALSE", ok},
  {"icc", "fALSE", bad},
  {"inhibit_ipv4", "true", ok},
  {"com.docker.network.bridge.inhibit_ipv4", "maybe", bad},
  {"iface_prefix", "net", ok},
  {"com.docker.network.container_iface_prefix", "net", ok},
  {"iface_prefix", "", bad},
  {"iface_prefix", "thirteen-char", bad},
  {"iface_prefix", "e/", bad},
  {"com.docker.network.bridge.enable_ip_masquerade", "false", ok},
  {"com.docker.network.bridge.enable_ip_masquerade", "true", ok},
  {"com.docker.network.bridge.enable_ip_masquerade", "x", bad},
  {"com.docker.network.bridge.host_binding_ipv4", "0.0.0.0", ok},
  {"com.docker.network.bridge.host_binding_ipv4", "127.0.0.1", ok},
  {"host_binding_ipv4", "224.0.0.1", bad},
  {"com.docker.network.bridge.host_binding_ipv4", "nonsense", bad},
  {"com.docker.network.bridge.host_binding_ipv4", "::", bad},
  {"com.docker.network.bridge.default_bridge", "false", ok},
  {"com.docker.network.bridge.default_bridge", "true", no}, // BR-08
  {"com.docker.network.bridge.gateway_mode_ipv4", "", ok},
  {"com.docker.network.bridge.gateway_mode_ipv4", "nat", ok},
  {"com.docker.network.bridge.gateway_mode_ipv6", "routed", ok},
  {"gateway_mode_ipv6", "nat-unprotected", ok},
  {"gateway_mode_ipv4", "isolated", bad}, // Not internal.
  {"gateway_mode_ipv4", "NAT", bad},
  {"com.docker.network.bridge.trusted_host_interfaces", "", ok},
  {"com.docker.network.bridge.trusted_host_interfaces", "eth0", ok},
  {"trusted_host_interfaces", "eth0:eth1.7", ok},
  {"trusted_host_interfaces", "eth0:", bad},
  {"trusted_host_interfaces", ":", bad},
  {"trusted_host_interfaces", "eth0,eth1", bad},
  {"trusted_host_interfaces", "eth0\"", bad},
  {"trusted_host_interfaces", "eth*", bad},
  {"trusted_host_interfaces", "a\n; flush ruleset", bad},
  {"allowed_networks", "br-0123456789ab", ok},
  {"troupe.allowed_networks", "br-0123456789ab:br7", ok},
  {"allowed_networks", "br 7", bad},
  {"spoof_guard", "false", ok},
  {"troupe.spoof_guard", "no", bad},
  {"com.docker.network.host_ipv4", "192.0.2.1", ok},
  {"host_ipv4", "2001:db8::1", bad},
  {"host_ipv4", "0.0.0.0", bad},
  {"host_ipv4", "127.0.0.1", bad},
  {"host_ipv6", "2001:db8::1", ok},
  {"host_ipv6", "192.0.2.1", bad},
  {"host_ipv6", "ff02::1", bad},
  {"com.docker.network.host_ipv6", "x", bad},
  {"com.docker.network.bridge.no_such_label", "1", ok}, // BR-20: in records
  {"org.example.team", "blue", ok},
  {"mtuu", "1500", bad},
  {"", "1", bad},
};

INSTANTIATE_TEST_SUITE_P(Table, NetworkOption,
                         ::testing::ValuesIn(network_cases));

class EndpointOption : public ::testing::TestWithParam<option_case> {};

TEST_P(EndpointOption, IsJudged) {
  const auto& [key, value, expected] = GetParam();
  auto endpoint = endpoint_spec{};
  endpoint.mac = mac_address::parse("02:42:0a:01:00:05").value();
  endpoint.options[key] = value;
  auto done = drivers::check_bridge_endpoint_options(endpoint);
  EXPECT_EQ(done ? ec::none : done.error().code, expected) << text(done);
}

const option_case endpoint_cases[] = {
  {"com.docker.network.endpoint.ifname", "wan0", ok},
  {"ifname", "eth1", ok},
  {"ifname", "lo", bad},
  {"ifname", "a/b", bad},
  {"ifname", "", bad},
  {"ifname", "sixteen-letters-", bad},
  {"com.docker.network.endpoint.macaddress", "02:42:0A:01:00:05", ok},
  {"com.docker.network.endpoint.macaddress", "02-42-0a-01-00-05", ok},
  {"com.docker.network.endpoint.macaddress", "02:42:0a:01:00:06", bad},
  {"com.docker.network.endpoint.macaddress", "02:42", bad},
  {"com.docker.network.endpoint.exposedports", "80", no},
  {"com.docker.network.portmap", "8080:80", no},
  {"com.docker.network.endpoint.dnsservers", "10.0.0.1", no},
  {"com.docker.network.endpoint.sysctls", "x=1", no},
  {"com.docker.network.advertise_addr_nmsgs", "0", ok}, // BR-38
  {"com.docker.network.advertise_addr_nmsgs", "3", ok},
  {"com.docker.network.advertise_addr_nmsgs", "4", bad}, // BR-44
  {"com.docker.network.advertise_addr_nmsgs", "-1", bad},
  {"com.docker.network.advertise_addr_ms", "100", ok},
  {"com.docker.network.advertise_addr_ms", "99", bad},
  {"com.docker.network.advertise_addr_ms", "nonsense", bad}, // BR-43
  {"ifnam", "eth1", bad},
  {"org.example.note", "x", ok},
};

INSTANTIATE_TEST_SUITE_P(Table, EndpointOption,
                         ::testing::ValuesIn(endpoint_cases));

TEST(BridgeOptions, HaveLibnetworksDefaults) {
  auto options = drivers::parse_bridge_options(network_v4()).value();
  EXPECT_EQ(options.name, "");
  EXPECT_TRUE(options.enable_icc);
  EXPECT_TRUE(options.enable_ip_masquerade);
  EXPECT_FALSE(options.inhibit_ipv4);
  EXPECT_EQ(options.mtu_bytes, 1500U);
  EXPECT_EQ(options.interface_prefix, "eth");
  EXPECT_FALSE(options.host_binding_ipv4);
  EXPECT_TRUE(options.spoof_guard);
  EXPECT_TRUE(options.trusted_interfaces.empty());
}

TEST(BridgeOptions, ReachTheStruct) {
  auto network = network_v4();
  network.internal = true;
  network.options = {{"name", "br7"},         {"icc", "false"},
                     {"inhibit_ipv4", "1"},   {"mtu", "1400"},
                     {"iface_prefix", "net"}, {"gateway_mode_ipv6", "isolated"},
                     {"ip_masquerade", "f"}};
  auto options = drivers::parse_bridge_options(network).value();
  EXPECT_EQ(options.name, "br7");
  EXPECT_FALSE(options.enable_icc);
  EXPECT_FALSE(options.enable_ip_masquerade);
  EXPECT_TRUE(options.inhibit_ipv4);
  EXPECT_EQ(options.mtu_bytes, 1400U);
  EXPECT_EQ(options.interface_prefix, "net");
  EXPECT_EQ(options.mode_v6, drivers::gateway_mode::isolated);
}

TEST(BridgeOptions, OfTheFirewallReachTheStruct) {
  auto network = network_dual();
  network.options = {{"gateway_mode_ipv4", "routed"},
                     {"gateway_mode_ipv6", "nat-unprotected"},
                     {"host_ipv4", "192.0.2.1"},
                     {"host_ipv6", "2001:db8::1"},
                     {"trusted_host_interfaces", "eth0:eth1:eth0"},
                     {"allowed_networks", "br7"},
                     {"host_binding_ipv4", "127.0.0.1"},
                     {"spoof_guard", "false"}};
  auto options = drivers::parse_bridge_options(network).value();
  EXPECT_EQ(options.mode_v4, drivers::gateway_mode::routed);
  EXPECT_EQ(options.mode_v6, drivers::gateway_mode::nat_unprotected);
  EXPECT_EQ(to_string(*options.host_ipv4), "192.0.2.1");
  EXPECT_EQ(to_string(*options.host_ipv6), "2001:db8::1");
  EXPECT_EQ(options.trusted_interfaces,
            (std::vector<std::string>{"eth0", "eth1"}));
  EXPECT_EQ(options.allowed_networks, std::vector<std::string>{"br7"});
  EXPECT_EQ(to_string(*options.host_binding_ipv4), "127.0.0.1");
  EXPECT_FALSE(options.spoof_guard);
}

TEST(BridgeOptions, RefuseWaysIntoAnInternalNetwork) {
  for (auto [key, value] : {std::pair{"gateway_mode_ipv4", "routed"},
                            std::pair{"gateway_mode_ipv4", "nat-unprotected"},
                            std::pair{"trusted_host_interfaces", "eth0"},
                            std::pair{"allowed_networks", "br7"}}) {
    auto network = network_v4();
    network.internal = true;
    network.options[key] = value;
    EXPECT_FALSE(drivers::parse_bridge_options(network)) << key;
  }
}

TEST(BridgeOptions, NameTheNearestForATypo) {
  auto network = network_v4();
  network.options["inhibit_ipv6"] = "true";
  auto options = drivers::parse_bridge_options(network);
  ASSERT_FALSE(options);
  EXPECT_NE(options.error().hint.find("inhibit_ipv4"), std::string::npos)
    << options.error().hint;
}

TEST(BridgeOptions, RefuseLabelAndShortFormThatDiffer) {
  auto network = network_v4();
  network.options["mtu"] = "1400";
  network.options["com.docker.network.driver.mtu"] = "1400";
  EXPECT_TRUE(drivers::parse_bridge_options(network));
  network.options["mtu"] = "1450";
  EXPECT_FALSE(drivers::parse_bridge_options(network));
}

TEST(BridgeOptions, TakeTheUplinksMtuUnlessTheyNameOne) {
  auto adopted = [](text_map options, uint32_t mtu_bytes, bool ipv6 = false) {
    auto network = ipv6 ? network_dual() : network_v4();
    network.options = std::move(options);
    drivers::adopt_bridge_mtu(network, mtu_bytes);
    return network.options;
  };
  const auto label = std::string{"com.docker.network.driver.mtu"};
  EXPECT_EQ(adopted({}, 1450), (text_map{{label, "1450"}}));
  EXPECT_EQ(adopted({}, 9000), (text_map{{label, "9000"}}));
  EXPECT_EQ(adopted({{"mtu", "0"}}, 1450), (text_map{{label, "1450"}}));
  EXPECT_EQ(adopted({{"mtu", "1400"}}, 1450), (text_map{{"mtu", "1400"}}));
  EXPECT_EQ(adopted({{label, "1500"}}, 1450), (text_map{{label, "1500"}}));
  EXPECT_EQ(adopted({}, 1500), text_map{});
  EXPECT_EQ(adopted({}, 0), text_map{});
  EXPECT_EQ(adopted({}, 576), (text_map{{label, "576"}}));
  EXPECT_EQ(adopted({}, 576, true), (text_map{{label, "1280"}}));
  EXPECT_EQ(adopted({}, 65'536), (text_map{{label, "65535"}}));
}

TEST(BridgeOptions, RefuseAnMtuTooSmallForIpv6) {
  auto network = network_dual();
  network.options["mtu"] = "1279";
  EXPECT_FALSE(drivers::parse_bridge_options(network));
  network.options["mtu"] = "1280";
  EXPECT_TRUE(drivers::parse_bridge_options(network));
}

TEST(BridgeOptions, QuoteHostileValues) {
  auto network = network_v4();
  network.options["name"] = "x\ny";
  auto options = drivers::parse_bridge_options(network);
  ASSERT_FALSE(options);
  EXPECT_EQ(options.error().message.find('\n'), std::string::npos);
}

TEST(BridgeOptions, AMisspeltLabelIsRefusedInRequestsOnly) {
  auto driver = drivers::make("bridge", owner);
  auto network = network_v4();
  for (const auto& [key, hint] :
       {std::pair{"com.docker.network.driver.mtuu",
                  "did you mean \"com.docker.network.driver.mtu\"?"},
        std::pair{"com.docker.network.bridge.enable_ic",
                  "did you mean \"com.docker.network.bridge.enable_icc\"?"},
        std::pair{"troupe.spoof_gard",
                  "did you mean \"troupe.spoof_guard\"?"}}) {
    network.options = {{key, "1400"}};
    auto done = driver->validate(network);
    ASSERT_FALSE(done) << key;
    EXPECT_EQ(done.error().code, ec::invalid_argument);
    EXPECT_EQ(done.error().hint, hint);
    // In a record it has the effect it had: none.
    EXPECT_TRUE(driver->network_elements(network)) << key;
  }
  network.options = {{"com.example.anything", "1"}};
  EXPECT_TRUE(driver->validate(network));
  auto endpoint = endpoint_spec{};
  endpoint.options = {{"com.docker.network.endpoint.ifnam", "eth7"}};
  EXPECT_FALSE(driver->validate_endpoint(network_v4(), endpoint));
  EXPECT_FALSE(drivers::make("host", owner)
                 ->validate({{},
                             "h",
                             "host",
                             true,
                             false,
                             false,
                             "default",
                             {},
                             {{"com.docker.network.driver.mtu", "1400"}},
                             {},
                             0}));
}

} // namespace

} // namespace troupe::test
