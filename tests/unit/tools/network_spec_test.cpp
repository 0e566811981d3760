#include "troupe/tools/troupe/network_spec.hpp"
#include "troupe/tools/troupe/output.hpp"

#include <gtest/gtest.h>

namespace troupe::tools {

namespace {

network_flags web() {
  auto result = network_flags{};
  result.name = "web";
  return result;
}

// The message of what must be refused.
std::string refusal(const network_flags& x) {
  auto spec = make_network_spec(x);
  return spec ? "accepted" : spec.error().message;
}

TEST(NetworkFlags, AssignToTheSubnetThatContains) {
  auto x = web();
  x.subnets = {"10.1.0.0/16", "fd00:1::/64"};
  x.ip_ranges = {"fd00:1::100/120", "10.1.5.0/24"};
  x.gateways = {"fd00:1::1", "10.1.0.254"};
  x.aux_addresses = {"router=10.1.0.7", "dns=fd00:1::7", "host=10.1.0.8"};
  auto spec = make_network_spec(x);
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_TRUE(spec->enable_ipv6);
  ASSERT_EQ(spec->pools.size(), 2U);
  EXPECT_EQ(to_string(*spec->pools[0].ip_range), "10.1.5.0/24");
  EXPECT_EQ(to_string(*spec->pools[0].gateway), "10.1.0.254");
  EXPECT_EQ(spec->pools[0].aux_addresses.size(), 2U);
  EXPECT_EQ(to_string(*spec->pools[1].ip_range), "fd00:1::100/120");
  EXPECT_EQ(to_string(*spec->pools[1].gateway), "fd00:1::1");
  EXPECT_EQ(to_string(spec->pools[1].aux_addresses.at("dns")), "fd00:1::7");
}

TEST(NetworkFlags, LeaveTheChoiceToTheDaemon) {
  auto spec = make_network_spec(web());
  ASSERT_TRUE(spec);
  EXPECT_TRUE(spec->pools.empty());
  EXPECT_TRUE(spec->enable_ipv4);
  EXPECT_FALSE(spec->enable_ipv6);
  EXPECT_EQ(spec->driver, "bridge");
}

TEST(NetworkFlags, NeedASubnetForWhatLiesInOne) {
  auto x = web();
  x.gateways = {"10.0.0.1"};
  EXPECT_EQ(refusal(x), "--gateway \"10.0.0.1\": needs a --subnet");
  x = web();
  x.ip_ranges = {"10.0.0.0/24"};
  EXPECT_EQ(refusal(x), "--ip-range \"10.0.0.0/24\": needs a --subnet");
}

TEST(NetworkFlags, RefuseWhatLiesInNoSubnet) {
  auto x = web();
  x.subnets = {"10.1.0.0/16"};
  x.gateways = {"10.2.0.1"};
  EXPECT_EQ(refusal(x), "--gateway \"10.2.0.1\": is in no --subnet");
  x.gateways = {"fd00::1"};
  EXPECT_EQ(refusal(x), "--gateway \"fd00::1\": is in no --subnet");
  x.gateways = {"10.1.0.0"};
  EXPECT_EQ(refusal(x), "--gateway \"10.1.0.0\": network or broadcast address");
  x.gateways = {"10.1.255.255"};
  EXPECT_EQ(refusal(x),
            "--gateway \"10.1.255.255\": network or broadcast address");
  x.gateways = {};
  x.ip_ranges = {"10.0.0.0/8"};
  EXPECT_EQ(refusal(x), "--ip-range \"10.0.0.0/8\": is in no --subnet");
}

TEST(NetworkFlags, RefuseTheSameTwice) {
  auto x = web();
  x.subnets = {"10.1.0.0/16", "10.1.2.0/24"};
  EXPECT_EQ(refusal(x),
            "--subnet \"10.1.2.0/24\": overlaps --subnet 10.1.0.0/16");
  x.subnets = {"10.1.0.0/16"};
  x.gateways = {"10.1.0.1", "10.1.0.2"};
  EXPECT_EQ(refusal(x),
            "--gateway \"10.1.0.2\": its subnet has a gateway already");
  x.gateways = {};
  x.aux_addresses = {"a=10.1.0.1", "b=10.1.0.1"};
  EXPECT_EQ(refusal(x),
            "--aux-address \"b=10.1.0.1\": the address is given twice");
  x.aux_addresses = {"a=10.1.0.1", "a=10.1.0.2"};
  EXPECT_EQ(refusal(x),
            "--aux-address \"a=10.1.0.2\": the name is given twice");
  x.aux_addresses = {};
  x.labels = {"k=1", "k=2"};
  EXPECT_EQ(refusal(x), "--label \"k\": given more than once");
  x.labels = {"=1"};
  EXPECT_EQ(refusal(x), "--label \"=1\": there is no key");
}

TEST(NetworkFlags, AcceptTheEndsOfTinySubnets) {
  auto x = web();
  x.subnets = {"10.1.0.0/31"};
  x.gateways = {"10.1.0.0"};
  EXPECT_TRUE(make_network_spec(x));
}

TEST(NetworkFlags, NameTheOptionThatIsMalformed) {
  auto x = web();
  x.subnets = {"10.1.0.5/16"};
  EXPECT_TRUE(refusal(x).starts_with("--subnet: ")) << refusal(x);
  x.subnets = {};
  x.aux_addresses = {"10.0.0.1"};
  EXPECT_EQ(refusal(x), "--aux-address \"10.0.0.1\": has no name");
  x = network_flags{};
  x.name = "../x";
  EXPECT_NE(refusal(x), "accepted");
}

TEST(EndpointFlags, BecomeASpec) {
  auto x = endpoint_flags{};
  x.name = "c1";
  x.ip = "10.0.0.5";
  x.ip6 = "FD00::5";
  x.mac = "02-42-0A-00-00-05";
  auto spec = make_endpoint_spec(x);
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(to_string(*spec->ipv6), "fd00::5");
  EXPECT_EQ(to_string(*spec->mac), "02:42:0a:00:00:05");
  x.mac = "00:00:00:00:00:00";
  EXPECT_EQ(make_endpoint_spec(x).error().message,
            "--mac \"00:00:00:00:00:00\": all zero");
}

TEST(TextTable, AlignsColumnsAndEscapesControlBytes) {
  auto table = text_table{{"A", "LONG", "C"}};
  table.add({"x\n\x1b", "", "é"});
  table.add({"1", "2", "3"});
  EXPECT_EQ(table.text(), "A             LONG   C\n"
                          "\"x\\x0a\\x1b\"   -      é\n"
                          "1             2      3\n");
}

TEST(Texts, ShowTimesAndDurations) {
  EXPECT_EQ(duration_text(90), "0.09 ms");
  EXPECT_EQ(duration_text(1'250), "1.25 ms");
  EXPECT_EQ(duration_text(2'500'000), "2.50 s");
  EXPECT_EQ(time_text(1'700'000'000'042), "2023-11-14T22:13:20.042Z");
}

} // namespace

} // namespace troupe::tools
