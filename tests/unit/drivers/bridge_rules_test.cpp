#include "troupe/drivers/bridge/rules.hpp"

#include "fixture.hpp"

namespace troupe::test {

namespace {

using drivers::bridge_delivery;
using drivers::bridge_publishing;
using drivers::publish_mode;

using lines = std::vector<std::string>;

// Elements as `set: text`.
lines to_lines(const result<drivers::firewall_elements>& found) {
  if (!found)
    return {text(found)};
  auto result = lines{};
  for (const auto& x : *found)
    result.push_back(std::string{schema_of(x.set).name} + ": "
                     + to_text(x).value());
  return result;
}

struct network_case {
  const char* name;
  bool ipv4;
  bool ipv6;
  bool internal;
  text_map options;
  lines expected;
};

std::ostream& operator<<(std::ostream& out, const network_case& x) {
  return out << x.name;
}

class NetworkRules : public ::testing::TestWithParam<network_case> {};

TEST_P(NetworkRules, AreTheseElements) {
  const auto& x = GetParam();
  auto network = network_dual();
  network.enable_ipv4 = x.ipv4;
  network.enable_ipv6 = x.ipv6;
  network.internal = x.internal;
  network.options = x.options;
  network.options["name"] = "br0";
  EXPECT_EQ(to_lines(drivers::bridge_network_elements(network)), x.expected);
}

const network_case network_cases[] = {
  {"dual",
   true,
   true,
   false,
   {},
   {R"(within: "br0" . "br0" : accept)", R"(hairpin: "br0" . "br0")",
    R"(networks: "br0")", R"(enter: ipv4 . "br0" : goto in_nat)",
    R"(enter: ipv6 . "br0" : goto in_nat)", R"(masquerade_from: ipv4 . "br0")",
    R"(masquerade_from: ipv6 . "br0")"}},
  {"ipv4_alone_closes_ipv6",
   true,
   false,
   false,
   {},
   {R"(within: "br0" . "br0" : accept)", R"(hairpin: "br0" . "br0")",
    R"(networks: "br0")", R"(leave: ipv6 . "br0" : drop)",
    R"(enter: ipv4 . "br0" : goto in_nat)",
    R"(enter: ipv6 . "br0" : goto in_internal)",
    R"(masquerade_from: ipv4 . "br0")"}},
  {"ipv6_alone_closes_ipv4",
   false,
   true,
   false,
   {},
   {R"(within: "br0" . "br0" : accept)", R"(hairpin: "br0" . "br0")",
    R"(networks: "br0")", R"(leave: ipv4 . "br0" : drop)",
    R"(enter: ipv4 . "br0" : goto in_internal)",
    R"(enter: ipv6 . "br0" : goto in_nat)",
    R"(masquerade_from: ipv6 . "br0")"}},
  {"internal",
   true,
   true,
   true,
   {},
   {R"(within: "br0" . "br0" : accept)", R"(leave: ipv4 . "br0" : drop)",
    R"(leave: ipv6 . "br0" : drop)",
    R"(enter: ipv4 . "br0" : goto in_internal)",
    R"(enter: ipv6 . "br0" : goto in_internal)"}},
  {"isolated_without_icc",
   true,
   true,
   true,
   {{"gateway_mode_ipv4", "isolated"}, {"icc", "false"}},
   {R"(within: "br0" . "br0" : goto in_nat)", R"(leave: ipv4 . "br0" : drop)",
    R"(leave: ipv6 . "br0" : drop)",
    R"(enter: ipv4 . "br0" : goto in_internal)",
    R"(enter: ipv6 . "br0" : goto in_internal)"}},
  {"modes_per_family",
   true,
   true,
   false,
   {{"gateway_mode_ipv4", "nat-unprotected"}, {"gateway_mode_ipv6", "routed"}},
   {R"(within: "br0" . "br0" : accept)", R"(hairpin: "br0" . "br0")",
    R"(networks: "br0")", R"(enter: ipv4 . "br0" : goto in_open)",
    R"(enter: ipv6 . "br0" : goto in_routed)",
    R"(masquerade_from: ipv4 . "br0")"}},
  {"sources",
   true,
   true,
   false,
   {{"host_ipv4", "192.0.2.1"}, {"host_ipv6", "2001:db8::1"}},
   {R"(within: "br0" . "br0" : accept)", R"(hairpin: "br0" . "br0")",
    R"(networks: "br0")", R"(enter: ipv4 . "br0" : goto in_nat)",
    R"(enter: ipv6 . "br0" : goto in_nat)", R"(source4: "br0" : 192.0.2.1)",
    R"(source6: "br0" : 2001:db8::1)", R"(masquerade_from: ipv4 . "br0")",
    R"(masquerade_from: ipv6 . "br0")"}},
  {"no_masquerade",
   true,
   true,
   false,
   {{"ip_masquerade", "false"}, {"host_ipv4", "192.0.2.1"}},
   {R"(within: "br0" . "br0" : accept)", R"(hairpin: "br0" . "br0")",
    R"(networks: "br0")", R"(enter: ipv4 . "br0" : goto in_nat)",
    R"(enter: ipv6 . "br0" : goto in_nat)"}},
  {"trusted_and_allowed",
   true,
   false,
   false,
   {{"trusted_host_interfaces", "eth1:eth0"}, {"allowed_networks", "br7"}},
   {R"(within: "br0" . "br0" : accept)", R"(hairpin: "br0" . "br0")",
    R"(networks: "br0")", R"(allowed: "br7" . "br0")",
    R"(allowed: "eth0" . "br0")", R"(allowed: "eth1" . "br0")",
    R"(leave: ipv6 . "br0" : drop)", R"(enter: ipv4 . "br0" : goto in_nat)",
    R"(enter: ipv6 . "br0" : goto in_internal)",
    R"(masquerade_from: ipv4 . "br0")"}},
};

INSTANTIATE_TEST_SUITE_P(Table, NetworkRules,
                         ::testing::ValuesIn(network_cases),
                         [](const auto& info) {
                           return std::string{info.param.name};
                         });

endpoint_spec endpoint_of(const network_spec& network) {
  return plan_for(network, {}).endpoint;
}

port_binding binding(std::string_view host, uint16_t host_port = 8080) {
  return {protocol::tcp, 80, ip(host), host_port};
}

TEST(EndpointRules, GuardThePortWithItsOwnAddresses) {
  auto network = network_dual();
  auto found = to_lines(
    drivers::bridge_endpoint_elements(network, endpoint_of(network), {}));
  EXPECT_EQ(found,
            (lines{R"(guard_mac: "trp000000000001" . 02:42:0a:01:00:02)",
                   R"(guard_ip4: "trp000000000001" . 10.1.0.2)",
                   R"(guard_ip6: "trp000000000001" . fd00:1::2)",
                   R"(guard_ip6: "trp000000000001" . fe80::42:aff:fe01:2)",
                   "guard_nd: \"trp000000000001\" . "
                   "0xfd000001000000000000000000000002",
                   "guard_nd: \"trp000000000001\" . "
                   "0xfe8000000000000000420afffe010002"}));
}

TEST(EndpointRules, LeaveThePortAloneWhenToldSo) {
  auto network = network_dual();
  network.options["spoof_guard"] = "false";
  EXPECT_EQ(to_lines(drivers::bridge_endpoint_elements(
              network, endpoint_of(network), {})),
            (lines{R"(unguarded: "trp000000000001")"}));
}

/// What the ports of an endpoint without a guard add.
lines port_lines(network_spec network,
                 const std::vector<port_binding>& bindings) {
  network.options["spoof_guard"] = "false";
  auto found = to_lines(
    drivers::bridge_endpoint_elements(network, endpoint_of(network), bindings));
  EXPECT_EQ(std::erase(found, R"(unguarded: "trp000000000001")"), 1U);
  return found;
}

struct binding_case {
  const char* name;
  bool ipv6;          ///< The network has it.
  const char* mode;   ///< Of both families.
  const char* host;   ///< Where the port is published.
  lines elements;     ///< Without the guard, and what the proxy needs.
  bool proxy;         ///< The proxy serves it, too.
  const char* target; ///< Empty: it leads nowhere.
};

std::ostream& operator<<(std::ostream& out, const binding_case& x) {
  return out << x.name;
}

class PortRules : public ::testing::TestWithParam<binding_case> {};

TEST_P(PortRules, LeadToTheContainer) {
  const auto& x = GetParam();
  auto network = x.ipv6 ? network_dual() : network_v4();
  network.options
    = {{"gateway_mode_ipv4", x.mode}, {"gateway_mode_ipv6", x.mode}};
  auto wanted = binding(x.host);
  auto expected = x.elements;
  if (x.proxy)
    expected.emplace_back("proxied: tcp . 8080");
  EXPECT_EQ(port_lines(network, {wanted}), expected);
  auto delivery = bridge_delivery(network, endpoint_of(network), wanted);
  EXPECT_EQ(delivery.rules, !x.elements.empty());
  EXPECT_EQ(delivery.proxy, x.proxy);
  EXPECT_EQ(delivery.target ? to_string(*delivery.target) : "", x.target);
}

const binding_case binding_cases[] = {
  {"any4",
   false,
   "nat",
   "0.0.0.0",
   {"self4: 10.1.0.2 . 10.1.0.2", "publish4_any: tcp . 8080 : 10.1.0.2 . 80"},
   true,
   "10.1.0.2"},
  {"one4",
   false,
   "nat",
   "192.0.2.1",
   {"self4: 10.1.0.2 . 10.1.0.2",
    "publish4_addr: 192.0.2.1 . tcp . 8080 : 10.1.0.2 . 80"},
   true,
   "10.1.0.2"},
  {"loopback4", false, "nat", "127.0.0.2", {}, true, "10.1.0.2"},
  {"any6",
   true,
   "nat",
   "::",
   {"self6: fd00:1::2 . fd00:1::2",
    "publish6_any: tcp . 8080 : fd00:1::2 . 80"},
   true,
   "fd00:1::2"},
  {"one6",
   true,
   "nat",
   "2001:db8::1",
   {"self6: fd00:1::2 . fd00:1::2",
    "publish6_addr: 2001:db8::1 . tcp . 8080 : fd00:1::2 . 80"},
   true,
   "fd00:1::2"},
  {"loopback6", true, "nat", "::1", {}, true, "fd00:1::2"},
  {"any6to4", false, "nat", "::", {}, true, "10.1.0.2"},
  {"one6to4", false, "nat", "2001:db8::1", {}, true, "10.1.0.2"},
  {"unprotected",
   false,
   "nat-unprotected",
   "0.0.0.0",
   {"self4: 10.1.0.2 . 10.1.0.2", "publish4_any: tcp . 8080 : 10.1.0.2 . 80"},
   true,
   "10.1.0.2"},
  {"routed4",
   true,
   "routed",
   "0.0.0.0",
   {"open4: 10.1.0.2 . tcp . 80"},
   false,
   "10.1.0.2"},
  {"routed6",
   true,
   "routed",
   "::",
   {"open6: fd00:1::2 . tcp . 80"},
   false,
   "fd00:1::2"},
  {"routed6to4", false, "routed", "::", {}, false, ""},
};

INSTANTIATE_TEST_SUITE_P(Table, PortRules, ::testing::ValuesIn(binding_cases),
                         [](const auto& info) {
                           return std::string{info.param.name};
                         });

TEST(PortRules, AskOnceForWhatTwoBindingsWant) {
  auto network = network_v4();
  network.options = {{"gateway_mode_ipv4", "routed"}};
  EXPECT_EQ(
    port_lines(network, {binding("0.0.0.0", 0), binding("192.0.2.1", 0)}),
    lines{"open4: 10.1.0.2 . tcp . 80"});
}

// The proxy's late answer to one who asked before would be tracked as a
// question.
TEST(PortRules, NameThePortsOfUdpThatTheProxyServesToo) {
  auto udp = [](std::string_view host) {
    auto result = binding(host);
    result.proto = protocol::udp;
    return result;
  };
  auto network = network_dual();
  EXPECT_EQ(
    port_lines(network, {udp("0.0.0.0"), udp("::")}),
    (lines{"self4: 10.1.0.2 . 10.1.0.2", "self6: fd00:1::2 . fd00:1::2",
           "publish4_any: udp . 8080 : 10.1.0.2 . 80",
           "publish6_any: udp . 8080 : fd00:1::2 . 80", "proxied: udp . 8080",
           "proxied_udp: ipv4 . 8080", "proxied_udp: ipv6 . 8080"}));
  EXPECT_EQ(port_lines(network, {udp("192.0.2.1"), udp("2001:db8::1")}),
            (lines{"self4: 10.1.0.2 . 10.1.0.2", "self6: fd00:1::2 . fd00:1::2",
                   "publish4_addr: 192.0.2.1 . udp . 8080 : 10.1.0.2 . 80",
                   "publish6_addr: 2001:db8::1 . udp . 8080 : fd00:1::2 . 80",
                   "proxied: udp . 8080", "proxied_udp4: 192.0.2.1 . 8080",
                   "proxied_udp6: 2001:db8::1 . 8080"}));
  EXPECT_EQ(port_lines(network, {udp("127.0.0.1")}),
            (lines{"proxied: udp . 8080"}));
}

// Where br_netfilter is on, a translated packet would not leave the bridge.
TEST(PortRules, LeaveTheirOwnNetworkToTheProxyWithoutIcc) {
  auto network = network_dual();
  network.options = {{"icc", "false"}, {"name", "br0"}};
  EXPECT_EQ(port_lines(network, {binding("192.0.2.1"), binding("127.0.0.1")}),
            (lines{"self4: 10.1.0.2 . 10.1.0.2",
                   "publish4_addr: 192.0.2.1 . tcp . 8080 : 10.1.0.2 . 80",
                   "proxied: tcp . 8080", R"(by_proxy: "br0" . tcp . 8080)"}));
}

TEST(PortRules, PublishNothingOnInternalNetworks) {
  auto network = network_dual();
  network.internal = true;
  EXPECT_EQ(port_lines(network, {binding("0.0.0.0")}), lines{});
  EXPECT_EQ(bridge_publishing(network, ip_family::v4), publish_mode::none);
  EXPECT_FALSE(drivers::bridge_needs_forwarding(network, ip_family::v4));
}

// Whatever users write, it is refused or it is data.
TEST(Rules, HostileTextChangesNoRule) {
  const auto hostile = std::vector<std::string>{"\"; flush ruleset; #",
                                                "x\n; flush ruleset\n",
                                                "a } ; delete table inet t",
                                                "br0\" . \"br0",
                                                "'$(reboot)'",
                                                "@allowed",
                                                "*",
                                                "br*",
                                                "\\",
                                                "\x01",
                                                std::string("a\0b", 3)};
  const auto keys = {"name",
                     "trusted_host_interfaces",
                     "allowed_networks",
                     "host_ipv4",
                     "host_ipv6",
                     "host_binding_ipv4",
                     "gateway_mode_ipv4",
                     "iface_prefix",
                     "icc",
                     "com.docker.network.unknown"};
  auto plain = network_dual();
  auto expected = to_lines(drivers::bridge_network_elements(plain));
  for (const auto& value : hostile) {
    for (const auto* key : keys) {
      auto network = plain;
      network.options[key] = value;
      auto found = drivers::bridge_network_elements(network);
      if (found) {
        EXPECT_EQ(to_lines(found), expected) << key << "=" << value;
      }
    }
    auto network = plain;
    network.name = value;
    network.labels[value] = value;
    EXPECT_EQ(to_lines(drivers::bridge_network_elements(network)), expected);
    auto endpoint = endpoint_of(plain);
    auto before
      = to_lines(drivers::bridge_endpoint_elements(plain, endpoint, {}));
    endpoint.name = value;
    endpoint.labels[value] = value;
    endpoint.options["ifname"] = value;
    endpoint.options[value] = value;
    EXPECT_EQ(to_lines(drivers::bridge_endpoint_elements(plain, endpoint, {})),
              before);
  }
}

} // namespace

} // namespace troupe::test
