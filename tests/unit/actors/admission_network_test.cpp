#include "troupe/actors/objects/admission.hpp"
#include "troupe/tests/unit/drivers/fixture.hpp"

namespace troupe::test {

namespace {

using network_list = std::vector<std::shared_ptr<const network_spec>>;

network_spec
wanted_network(std::string name = "web", std::string driver = "bridge") {
  auto result = network_spec{};
  result.name = std::move(name);
  result.driver = std::move(driver);
  return result;
}

network_list existing(network_spec x) {
  return {std::make_shared<const network_spec>(std::move(x))};
}

/// Admits and returns the refusal; `ec::none` if there is none.
error refusal(network_spec wanted, const network_list& others = {}) {
  auto admitted = admit_network(wanted, owner, others);
  return admitted ? error{} : admitted.error();
}

TEST(AdmitNetwork, DecidesIdAndTime) {
  auto x = wanted_network();
  ASSERT_TRUE(admit_network(x, owner, {}));
  EXPECT_TRUE(is_hex_id(x.id.value));
  EXPECT_GT(x.created_ms, 0);
}

TEST(AdmitNetwork, RefusesNamesThatAreNone) { // LN-02, AP-04
  for (const auto& name :
       {std::string{}, std::string{" "}, std::string{"a/b"}, std::string{".."},
        std::string{"../etc"}, std::string{"a\nb"}, std::string{"a\"b"},
        std::string{"'"}, std::string{"-x"}, std::string{".hidden"},
        std::string{"a\0b", 3}, std::string{"wéb"}, std::string(129, 'a'),
        std::string(300, 'a')}) {
    auto why = refusal(wanted_network(name));
    EXPECT_EQ(why.code, ec::invalid_argument) << quoted(name);
    EXPECT_NE(why.message.find("network"), std::string::npos) << why.message;
    // No control byte gets into a message, and no message grows with a name.
    EXPECT_EQ(why.message.find('\n'), std::string::npos) << why.message;
    EXPECT_LT(why.message.size(), 200U);
    EXPECT_FALSE(why.hint.empty());
  }
}

TEST(AdmitNetwork, AcceptsOrdinaryNames) {
  for (const auto& name :
       {std::string{"a"}, std::string{"0"}, std::string{"net_1.prod-x"},
        std::string(128, 'a'), id_of('a')})
    EXPECT_EQ(refusal(wanted_network(name)).code, ec::none) << name;
}

TEST(AdmitNetwork, AnUnknownDriverListsTheKnown) { // LN-01
  auto why = refusal(wanted_network("web", "brigde"));
  EXPECT_EQ(why.code, ec::not_found);
  EXPECT_EQ(why.message, "create network \"web\": unknown driver \"brigde\"");
  EXPECT_EQ(why.hint, "drivers: bridge host null");
}

TEST(AdmitNetwork, AnUnknownIpamDriverListsTheKnown) {
  auto x = wanted_network();
  x.ipam_driver = "dhcp";
  auto why = refusal(x);
  EXPECT_EQ(why.code, ec::not_found);
  EXPECT_EQ(why.message,
            "create network \"web\": unknown IPAM driver \"dhcp\"");
  EXPECT_EQ(why.hint, "IPAM drivers: default null");
}

TEST(AdmitNetwork, ATakenNameIsAConflict) {
  auto other = wanted_network("web", "null");
  other.id.value = id_of('c');
  auto why = refusal(wanted_network(), existing(other));
  EXPECT_EQ(why.code, ec::conflict);
  EXPECT_EQ(why.message, "create network \"web\": the name is taken by network "
                           + std::string(12, 'c'));
}

TEST(AdmitNetwork, TheIdIsNotTheCallers) {
  auto x = wanted_network();
  x.id.value = id_of('a');
  EXPECT_EQ(refusal(x).message,
            "create network \"web\": the id is not the caller's to choose");
}

TEST(AdmitNetwork, BothFamiliesOff) {
  auto x = wanted_network();
  x.enable_ipv4 = false;
  auto why = refusal(x);
  EXPECT_EQ(why.code, ec::invalid_argument);
  EXPECT_EQ(why.message, "create network \"web\": IPv4 and IPv6 are both off");
  x.enable_ipv6 = true;
  EXPECT_EQ(refusal(x).code, ec::none);
}

TEST(AdmitNetwork, AnIpv4SubnetNeedsIpv4) {
  auto x = wanted_network();
  x.enable_ipv4 = false;
  x.enable_ipv6 = true;
  x.pools = {pool("10.1.0.0/16", "10.1.0.1")};
  EXPECT_EQ(refusal(x).message, "create network \"web\": an IPv4 subnet is "
                                "given but IPv4 is off");
}

TEST(AdmitNetwork, AnIpv6SubnetTurnsIpv6On) {
  auto x = wanted_network();
  x.pools = {pool("fd00:1::/64", "fd00:1::1")};
  ASSERT_TRUE(admit_network(x, owner, {}));
  EXPECT_TRUE(x.enable_ipv6);
}

TEST(AdmitNetwork, AllowedNetworksMayBeNamed) {
  auto generated = wanted_network("a-network.with_a-long-name");
  generated.id.value = id_of('c');
  auto named = wanted_network("own");
  named.id.value = id_of('d');
  named.options["name"] = "br7";
  const auto others
    = network_list{std::make_shared<const network_spec>(generated),
                   std::make_shared<const network_spec>(named)};
  for (const auto* key : {"allowed_networks", "troupe.allowed_networks"}) {
    auto x = wanted_network();
    x.options[key] = generated.name + ":own:br7";
    ASSERT_TRUE(admit_network(x, owner, others));
    EXPECT_EQ(x.options[key], "br-cccccccccccc:br7:br7");
    x = wanted_network();
    x.options[key] = "owm";
    auto why = refusal(x, others);
    EXPECT_EQ(why.code, ec::invalid_argument);
    EXPECT_EQ(why.hint, "did you mean \"own\"?");
    x.options[key] = "docker0";
    EXPECT_EQ(refusal(x, others).code, ec::invalid_argument);
  }
  auto odd = wanted_network();
  odd.options["allowed_networks"] = "own:";
  EXPECT_EQ(refusal(odd, others).code, ec::invalid_argument);
}

TEST(AdmitNetwork, SecondHostNetwork) { // LN-04
  auto other = wanted_network("host", "host");
  other.id.value = id_of('c');
  auto why = refusal(wanted_network("host2", "host"), existing(other));
  EXPECT_EQ(why.code, ec::forbidden);
  EXPECT_EQ(why.message,
            "create network \"host2\": only one network of driver \"host\" is "
            "allowed, \"host\" exists");
  EXPECT_EQ(refusal(wanted_network("none", "null"), existing(other)).code,
            ec::none);
}

TEST(AdmitNetwork, DriversWithoutAddressesTakeNoSubnet) {
  auto x = wanted_network("host", "host");
  x.pools = {pool("10.1.0.0/16", "10.1.0.1")};
  auto why = refusal(x);
  EXPECT_EQ(why.code, ec::invalid_argument);
  EXPECT_EQ(why.message, "create network \"host\": driver \"host\" has no "
                         "addresses, a subnet is given");
}

TEST(AdmitNetwork, EverythingOfAPoolLiesInItsSubnet) { // LN-31, LN-32
  auto x = wanted_network();
  x.pools = {pool("192.168.0.0/16", "192.168.0.1")};
  auto& inside = x.pools[0];
  inside.ip_range = net("192.168.4.0/24");
  inside.aux_addresses = {{"router", ip("192.168.2.2")}};
  EXPECT_EQ(refusal(x).code, ec::none);

  inside.aux_addresses = {{"router", ip("192.169.2.3")}};
  EXPECT_EQ(refusal(x).message,
            "create network \"web\": auxiliary address \"router\" 192.169.2.3 "
            "is not in subnet 192.168.0.0/16");
  inside.aux_addresses.clear();
  inside.ip_range = net("192.169.4.0/24");
  EXPECT_EQ(refusal(x).message, "create network \"web\": range 192.169.4.0/24 "
                                "is not in subnet 192.168.0.0/16");
  inside.ip_range = net("192.0.0.0/8");
  EXPECT_EQ(refusal(x).code, ec::invalid_argument);
  inside.ip_range.reset();
  inside.gateway = ip("10.0.0.1");
  EXPECT_EQ(refusal(x).message, "create network \"web\": gateway 10.0.0.1 is "
                                "not in subnet 192.168.0.0/16");
  inside.gateway = ip("fd00::1");
  EXPECT_EQ(refusal(x).code, ec::invalid_argument);
}

TEST(CompletePools, OneForEachFamilyThatIsOn) {
  auto x = wanted_network();
  complete_pools(x);
  ASSERT_EQ(x.pools.size(), 1U);
  EXPECT_EQ(to_string(*x.pools[0].subnet), "0.0.0.0/0");

  x = wanted_network();
  x.enable_ipv6 = true;
  x.pools = {pool("fd00:1::/64", "fd00:1::1")};
  complete_pools(x);
  ASSERT_EQ(x.pools.size(), 2U);
  EXPECT_EQ(to_string(*x.pools[0].subnet), "0.0.0.0/0");
  EXPECT_EQ(to_string(*x.pools[1].subnet), "fd00:1::/64");
}

TEST(CompletePools, AGatewayAloneTellsTheFamily) {
  auto x = wanted_network();
  x.enable_ipv4 = false;
  x.enable_ipv6 = true;
  x.pools.resize(1);
  x.pools[0].gateway = ip("fd00::1");
  complete_pools(x);
  ASSERT_EQ(x.pools.size(), 1U);
  EXPECT_EQ(to_string(*x.pools[0].subnet), "::/0");
}

} // namespace

} // namespace troupe::test
