#include "troupe/actors/objects/network_book.hpp"
#include "troupe/tests/unit/drivers/fixture.hpp"

namespace troupe::test {

namespace {

/// A network whose subnet is decided and whose gateway is not.
network_spec open_network(std::string_view subnet) {
  auto result = network_spec{};
  result.id.value = id_of('a');
  result.name = "web";
  auto x = ipam_pool{};
  x.subnet = net(subnet);
  result.pools = {x};
  return result;
}

endpoint_spec endpoint_named(char digit) {
  auto result = endpoint_spec{};
  result.id.value = id_of(digit);
  result.name = std::string{"ep-"} + digit;
  return result;
}

std::string addresses(const endpoint_spec& x) {
  auto result = std::string{};
  for (const auto& address : x.addresses)
    result += (result.empty() ? "" : " ") + to_string(address);
  return result;
}

TEST(NetworkBook, DecidesTheGatewayAndKeepsItFree) {
  auto network = open_network("10.1.2.0/24");
  auto book = network_book::open(network).value();
  EXPECT_EQ(network.pools[0].gateway, ip("10.1.2.1"));
  auto x = endpoint_named('1');
  ASSERT_TRUE(book.claim(network, x));
  EXPECT_EQ(addresses(x), "10.1.2.2/24");
  EXPECT_EQ(to_string(*x.mac), "02:42:0a:01:02:02"); // NU-04
}

TEST(NetworkBook, GatewayAvoidsAuxiliaryAddresses) { // LN-31
  auto network = open_network("10.1.2.0/24");
  network.pools[0].aux_addresses
    = {{"router", ip("10.1.2.1")}, {"printer", ip("10.1.2.3")}};
  auto book = network_book::open(network).value();
  EXPECT_EQ(network.pools[0].gateway, ip("10.1.2.2"));
  auto x = endpoint_named('1');
  ASSERT_TRUE(book.claim(network, x));
  EXPECT_EQ(addresses(x), "10.1.2.4/24");
}

TEST(NetworkBook, RefusesAGatewayThatIsAuxiliary) {
  auto network = open_network("10.1.2.0/24");
  network.pools[0].gateway = ip("10.1.2.9");
  network.pools[0].aux_addresses = {{"router", ip("10.1.2.9")}};
  auto book = network_book::open(network);
  ASSERT_FALSE(book);
  EXPECT_EQ(book.error().code, ec::conflict);
  EXPECT_NE(book.error().message.find("claim the gateway of 10.1.2.0/24"),
            std::string::npos)
    << book.error().message;
}

TEST(NetworkBook, TakesAutomaticAddressesFromTheRange) {
  auto network = open_network("10.1.0.0/16");
  network.pools[0].ip_range = net("10.1.4.0/30");
  network.pools[0].gateway = ip("10.1.0.1");
  auto book = network_book::open(network).value();
  auto seen = std::set<std::string>{};
  for (auto digit : {'1', '2', '3', '4'}) {
    auto x = endpoint_named(digit);
    ASSERT_TRUE(book.claim(network, x)) << digit;
    seen.insert(addresses(x));
  }
  EXPECT_EQ(seen.size(), 4U);
  EXPECT_TRUE(seen.contains("10.1.4.1/16"));
  auto fifth = endpoint_named('5');
  auto claimed = book.claim(network, fifth);
  ASSERT_FALSE(claimed);
  EXPECT_EQ(claimed.error().code, ec::unavailable);
  // What is asked for by address may lie outside the range.
  fifth.ipv4 = ip("10.1.9.9");
  EXPECT_TRUE(book.claim(network, fifth));
}

TEST(NetworkBook, ClaimsBothFamilies) {
  auto network = network_dual();
  auto book = network_book::open(network).value();
  auto x = endpoint_named('1');
  x.ipv6 = ip("fd00:1::5");
  ASSERT_TRUE(book.claim(network, x));
  EXPECT_EQ(addresses(x), "10.1.0.2/16 fd00:1::5/64");
}

TEST(NetworkBook, ConflictsNameWhatIsTaken) {
  auto network = network_v4();
  auto book = network_book::open(network).value();
  auto first = endpoint_named('1');
  first.ipv4 = ip("10.1.0.7");
  first.mac = mac_address::parse("02:00:00:00:00:01").value();
  ASSERT_TRUE(book.claim(network, first));

  auto same_name = first;
  same_name.id.value = id_of('2');
  EXPECT_EQ(text(book.claim(network, same_name)),
            "create endpoint \"ep-1\": network \"net-a\" has an endpoint of "
            "this name []");

  auto same_address = endpoint_named('2');
  same_address.ipv4 = ip("10.1.0.7");
  auto claimed = book.claim(network, same_address);
  ASSERT_FALSE(claimed);
  EXPECT_EQ(claimed.error().code, ec::conflict);
  EXPECT_NE(claimed.error().message.find("10.1.0.7"), std::string::npos);

  auto same_mac = endpoint_named('2');
  same_mac.mac = first.mac;
  claimed = book.claim(network, same_mac);
  ASSERT_FALSE(claimed);
  EXPECT_EQ(claimed.error().code, ec::conflict);
  EXPECT_EQ(claimed.error().message,
            "create endpoint \"ep-2\": use MAC address 02:00:00:00:00:01: "
            "taken in this network");
}

TEST(NetworkBook, GatewayIsTaken) {
  auto network = network_v4();
  auto book = network_book::open(network).value();
  auto x = endpoint_named('1');
  x.ipv4 = ip("10.1.0.1");
  EXPECT_EQ(book.claim(network, x).error().code, ec::conflict);
}

TEST(NetworkBook, ARefusedClaimLeavesNothing) {
  auto network = network_dual();
  auto book = network_book::open(network).value();
  // IPv4 and IPv6 are claimed before the MAC address is refused.
  auto bad = endpoint_named('1');
  bad.ipv4 = ip("10.1.0.9");
  bad.ipv6 = ip("fd00:1::9");
  bad.mac = mac_address::parse("03:00:00:00:00:01").value();
  auto claimed = book.claim(network, bad);
  ASSERT_FALSE(claimed);
  EXPECT_EQ(claimed.error().code, ec::invalid_argument);
  EXPECT_NE(claimed.error().message.find("not a unicast address"),
            std::string::npos);
  EXPECT_TRUE(bad.addresses.empty());
  EXPECT_TRUE(book.names().matches("ep-1").empty());

  bad.mac = mac_address::parse("02:00:00:00:00:01").value();
  ASSERT_TRUE(book.claim(network, bad));
  EXPECT_EQ(addresses(bad), "10.1.0.9/16 fd00:1::9/64");

  // The second family fails: the first is given back.
  auto half = endpoint_named('2');
  half.ipv4 = ip("10.1.0.10");
  half.ipv6 = ip("fd00:1::9");
  EXPECT_EQ(book.claim(network, half).error().code, ec::conflict);
  half.ipv6 = ip("fd00:1::a");
  EXPECT_TRUE(book.claim(network, half));
}

TEST(NetworkBook, RefusesAddressesItHasNoSubnetFor) {
  auto network = network_v4();
  auto book = network_book::open(network).value();
  auto x = endpoint_named('1');
  x.ipv6 = ip("fd00::1");
  auto claimed = book.claim(network, x);
  ASSERT_FALSE(claimed);
  EXPECT_EQ(claimed.error().message,
            "create endpoint \"ep-1\": claim address fd00::1: network "
            "\"net-a\" has no IPv6 subnet");
  x.ipv6.reset();
  x.ipv4 = ip("10.2.0.1");
  claimed = book.claim(network, x);
  ASSERT_FALSE(claimed);
  EXPECT_EQ(claimed.error().code, ec::invalid_argument);
  EXPECT_NE(claimed.error().message.find("10.2.0.1"), std::string::npos);
  EXPECT_NE(claimed.error().message.find("10.1.0.0/16"), std::string::npos);
}

TEST(NetworkBook, ADerivedMacYieldsToAChosenOne) {
  auto network = network_v4();
  auto book = network_book::open(network).value();
  auto chosen = endpoint_named('1');
  chosen.ipv4 = ip("10.1.0.50");
  chosen.mac = mac_address::parse("02:42:0a:01:00:33").value();
  ASSERT_TRUE(book.claim(network, chosen));
  auto derived = endpoint_named('2');
  derived.ipv4 = ip("10.1.0.51"); // Would be 02:42:0a:01:00:33 as well.
  ASSERT_TRUE(book.claim(network, derived));
  EXPECT_NE(*derived.mac, *chosen.mac);
  EXPECT_FALSE(derived.mac->is_multicast());
}

TEST(NetworkBook, ReleaseGivesEverythingBack) {
  auto network = network_v4();
  auto book = network_book::open(network).value();
  auto x = endpoint_named('1');
  x.ipv4 = ip("10.1.0.7");
  ASSERT_TRUE(book.claim(network, x));
  book.release(x.id);
  auto again = endpoint_named('1');
  again.ipv4 = ip("10.1.0.7");
  again.mac = x.mac;
  EXPECT_TRUE(book.claim(network, again));
}

TEST(NetworkBook, ASecondReleaseDoesNotFreeTheNextOwner) {
  auto network = network_v4();
  auto book = network_book::open(network).value();
  auto x = endpoint_named('1');
  x.ipv4 = ip("10.1.0.7");
  ASSERT_TRUE(book.claim(network, x));
  book.release(x.id);
  auto next = endpoint_named('2');
  next.ipv4 = ip("10.1.0.7");
  ASSERT_TRUE(book.claim(network, next));
  book.release(x.id);
  auto third = endpoint_named('3');
  third.ipv4 = ip("10.1.0.7");
  EXPECT_EQ(book.claim(network, third).error().code, ec::conflict);
}

TEST(NetworkBook, RestoreHoldsWhatRecordsHold) {
  auto network = network_v4();
  auto before = network_book::open(network).value();
  auto x = endpoint_named('1');
  ASSERT_TRUE(before.claim(network, x));

  auto after = network_book::open(network).value();
  ASSERT_TRUE(after.restore(x).empty());
  EXPECT_EQ(after.names().id_of_name("ep-1"), x.id.value);
  auto thief = endpoint_named('2');
  thief.ipv4 = x.addresses[0].address;
  EXPECT_EQ(after.claim(network, thief).error().code, ec::conflict);
  auto next = endpoint_named('3');
  ASSERT_TRUE(after.claim(network, next));
  EXPECT_NE(addresses(next), addresses(x));
  after.release(x.id);
  EXPECT_TRUE(after.claim(network, thief));
}

/// What is wrong with a record, one line.
std::string oddity(network_book& book, const endpoint_spec& x) {
  auto result = std::string{};
  for (const auto& line : book.restore(x))
    result += (result.empty() ? "" : "; ") + line;
  return result;
}

TEST(NetworkBook, WhatCannotBeHeldIsToldAndHasAName) {
  auto network = network_v4();
  auto book = network_book::open(network).value();
  auto x = endpoint_named('1');
  x.addresses = {cidr("10.9.0.5/16")};
  EXPECT_EQ(oddity(book, x),
            "endpoint \"ep-1\" (111111111111): address 10.9.0.5/16 is in no "
            "subnet of its network");
  auto y = endpoint_named('2');
  y.addresses = {cidr("10.1.0.1/16")}; // The gateway's.
  EXPECT_NE(oddity(book, y).find("already in use"), std::string::npos);
  auto z = endpoint_named('3');
  z.name = x.name;
  EXPECT_NE(oddity(book, z).find("another endpoint has this name"),
            std::string::npos);
  EXPECT_EQ(book.names().matches("ep-1").size(), 2U);
  EXPECT_EQ(book.names().matches("ep-2").size(), 1U);
}

TEST(NetworkBook, OfTwoRecordsWithOneAddressTheFirstHasIt) {
  auto network = network_v4();
  auto book = network_book::open(network).value();
  auto x = endpoint_named('1');
  x.addresses = {cidr("10.1.0.7/16")};
  x.mac = mac_address::parse("02:42:0a:01:00:07").value();
  auto y = x;
  y.id.value = id_of('2');
  y.name = "ep-2";
  EXPECT_EQ(oddity(book, x), "");
  EXPECT_NE(oddity(book, y).find("already in use"), std::string::npos);
  book.release(y.id);
  auto next = endpoint_named('3');
  next.ipv4 = ip("10.1.0.7");
  EXPECT_EQ(book.claim(network, next).error().code, ec::conflict);
  book.release(x.id);
  EXPECT_TRUE(book.claim(network, next));
}

TEST(NetworkBook, ReopensPoolsAsFarAsItCan) {
  auto network = network_v4();
  network.pools.emplace_back(); // Without a subnet.
  network.pools.push_back(pool("10.2.0.0/16", "10.3.0.1"));
  auto problems = std::vector<std::string>{};
  auto book = network_book::reopen(network, problems);
  EXPECT_EQ(problems.size(), 2U);
  auto x = endpoint_named('1');
  x.addresses = {cidr("10.1.0.7/16"), cidr("10.2.0.7/16")};
  EXPECT_EQ(oddity(book, x), "");
  network.ipam_driver = "infoblox";
  problems.clear();
  book = network_book::reopen(network, problems);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0], "this program has no IPAM driver \"infoblox\"");
}

TEST(NetworkBook, WithoutPoolsKnowsNamesOnly) {
  auto network = network_spec{};
  network.name = "host";
  auto book = network_book::open(network).value();
  auto x = endpoint_named('1');
  ASSERT_TRUE(book.claim(network, x));
  EXPECT_TRUE(x.addresses.empty());
  EXPECT_EQ(book.names().matches("ep-1").size(), 1U);
}

} // namespace

} // namespace troupe::test
