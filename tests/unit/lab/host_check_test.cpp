#include "troupe/actors/check/host_check.hpp"
#include "troupe/actors/check/host_rules.hpp"
#include "troupe/tests/lab/invariants.hpp"
#include "troupe/tests/lab/simulated_audit.hpp"

#include <gtest/gtest.h>

namespace troupe::testing {

namespace {

/// A simulated machine with a sandbox on a network, as the checker of real
/// machines sees it.
class HostCheck : public ::testing::Test {
protected:
  void SetUp() override {
    host_.start();
    auto net = network_spec{};
    net.name = "net";
    ASSERT_TRUE(host_.call(create_network{net}));
    auto box = sandbox_spec{};
    box.name = "box";
    ASSERT_TRUE(host_.call(create_sandbox{box}));
    auto attach = attach_sandbox{};
    attach.network = "net";
    attach.sandbox = "box";
    ASSERT_TRUE(host_.call(attach));
  }

  host_view view() {
    auto seen = host_view{
      host_.owner(), host_.disk->content, audit_of(*host_.world), {}};
    for (const auto& pin : seen.kernel.pins)
      seen.mounts.emplace(pin.name, pin.inode);
    return seen;
  }

  static std::string text_of(const host_view& seen) {
    auto text = std::string{};
    for (const auto& line : check_host(seen))
      text += line + "\n";
    return text;
  }

  netns::audit_link& link(host_view& seen, const std::string& lead) {
    for (auto& x : seen.kernel.links)
      if (x.name.starts_with(lead))
        return x;
    ADD_FAILURE() << "no link " << lead;
    return seen.kernel.links.front();
  }

  simulated_system host_;
};

void expect_part(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << part << " not in:\n" << text;
}

} // namespace

TEST_F(HostCheck, AgreesWithTheCheckOfSimulatedMachines) {
  EXPECT_EQ(check_all(host_), "");
  EXPECT_EQ(text_of(view()), "");
}

TEST_F(HostCheck, FindsEachDifference) {
  auto seen = view();
  link(seen, "trp").up = false;
  link(seen, "trp").bridge = "other";
  link(seen, "br-").addresses.clear();
  link(seen, "br-").alias = "x";
  seen.kernel.pins.at(0).links.clear();
  seen.kernel.pins.at(0).gateway.reset();
  auto text = text_of(seen);
  expect_part(text, "is down");
  expect_part(text, "is not on its bridge");
  expect_part(text, "addresses of bridge");
  expect_part(text, "alias of");
  expect_part(text, "interface eth0 is missing");
  expect_part(text, "default route goes to nobody");
  seen = view();
  seen.kernel.links.clear();
  seen.kernel.pins.clear();
  seen.mounts.clear();
  text = text_of(seen);
  expect_part(text, "bridge br-");
  expect_part(text, "link trp");
  expect_part(text, "mounted 0 times");
  seen = view();
  seen.records = {};
  text = text_of(seen);
  expect_part(text, "link br-");
  expect_part(text, "belongs to nobody");
  expect_part(text, "pin ");
}

// What self-repair would mend is named here, too.
TEST_F(HostCheck, HasTheDoctorsListOfComparisons) {
  auto expect_told = [&](auto change, const std::string& what) {
    auto seen = view();
    change(seen);
    expect_part(text_of(seen), what);
  };
  expect_told(
    [&](auto& x) {
      link(x, "br-").mtu_bytes = 1400;
    },
    "mtu is 1400, not 1500");
  expect_told(
    [&](auto& x) {
      link(x, "br-").learns_link_local = true;
    },
    "learns from link-local frames");
  expect_told(
    [&](auto& x) {
      link(x, "trp").port->hairpin = true;
    },
    "hairpin is true, not false");
  expect_told(
    [&](auto& x) {
      link(x, "trp").port->isolated = true;
    },
    "isolated is true, not false");
  expect_told(
    [&](auto& x) {
      x.kernel.pins.at(0).rules.clear();
    },
    "rule ");
  expect_told(
    [&](auto& x) {
      x.kernel.routes.clear();
    },
    "route to ");
  expect_told(
    [&](auto& x) {
      const auto& who = x.records.endpoints.at(0);
      x.kernel.neighbours = {{link(x, "br-").index,
                              who.addresses.at(0).address,
                              {{2, 0, 0, 0, 0, 0x99}}}};
    },
    "(ip neigh del ");
}

TEST(HostRules, ComparesKeysOfSetsAndMaps) {
  auto records = persistence::snapshot{};
  auto& net = records.networks.emplace_back();
  net.id.value = std::string(64, 'a');
  auto text = [](const std::string& elements) {
    return R"({"nftables": [{"metainfo": {}}, {"map": {"name": "enter", "elem":
      [[{"concat": ["ipv4", "br-aaaaaaaaaaaa"]}, {"goto": {"target": "x"}}])"
           + elements + "]}}]}";
  };
  const auto both
    = R"(, [{"concat": ["ipv6", "br-aaaaaaaaaaaa"]}, {"drop": null}])";
  EXPECT_TRUE(check_rules(records, {text(both)}).empty());
  EXPECT_EQ(check_rules(records, {text("")}).at(0),
            "rule enter ipv6 . br-aaaaaaaaaaaa is missing");
  EXPECT_EQ(check_rules({}, {text("")}).at(0),
            "rule enter ipv4 . br-aaaaaaaaaaaa belongs to nobody");
  EXPECT_EQ(check_rules(records, {"rubbish"}).size(), 2U);
}

TEST(HostRules, WantConnectionsExplained) {
  auto records = persistence::snapshot{};
  auto& net = records.networks.emplace_back();
  net.pools.emplace_back().subnet = *prefix::parse("10.1.0.0/24");
  auto& who = records.endpoints.emplace_back();
  who.id.value = std::string(64, 'e');
  who.addresses = {*interface_address::parse("10.1.0.2/24")};
  auto& join = records.joins.emplace_back();
  join.endpoint = who.id;
  join.bindings = {{protocol::udp, 5353, {}, 53}};
  auto x = netns::audit_connection{};
  x.proto = 17;
  x.client = *ip_address::parse("192.0.2.2");
  x.client_port = 40000;
  x.host = *ip_address::parse("192.0.2.1");
  x.host_port = 53;
  x.server = *ip_address::parse("10.1.0.2");
  x.server_port = 5353;
  EXPECT_TRUE(check_connections(records, {x}).empty());
  join.bindings[0].host_ip = *ip_address::parse("192.0.2.9");
  EXPECT_EQ(check_connections(records, {x}),
            std::vector<std::string>{
              "connection from 192.0.2.2:40000 to 192.0.2.1:53 leads to "
              "10.1.0.2:5353, which no published port explains"});
  join.bindings.clear();
  EXPECT_EQ(check_connections(records, {x}).size(), 1U);
  x.server = *ip_address::parse("172.17.0.2"); // Not ours.
  EXPECT_TRUE(check_connections(records, {x}).empty());
}

TEST(HostRules, KnowsOptionsByLabelAndShortForm) {
  EXPECT_EQ(
    option_of({{"com.docker.network.bridge.name", "br9"}}, "bridge.name"),
    "br9");
  EXPECT_EQ(option_of({{"name", "br9"}}, "bridge.name"), "br9");
  EXPECT_EQ(option_of({{"a.spoof_guard", "0"}}, "spoof_guard"), "0");
  EXPECT_EQ(option_of({{"x.nickname", "br9"}}, "bridge.name"), "");
}

} // namespace troupe::testing
