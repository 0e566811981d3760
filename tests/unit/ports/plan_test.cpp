#include "troupe/drivers/publish/plan.hpp"
#include "troupe/tests/fixtures/addresses.hpp"

#include <gtest/gtest.h>

namespace troupe::drivers {
namespace {

using troupe::test::ip;

const auto both = port_targets{ip("172.19.0.2"), ip("fd00:1::2")};
const auto v4_only = port_targets{ip("172.19.0.2"), {}};
const auto v6_only = port_targets{{}, ip("fd00:1::2")};

TEST(PlanPorts, RefusesWhatLeadsNowhere) {
  struct row {
    std::string wish;
    port_targets targets;
    publish_options options;
    std::string reason;
  };
  auto without_proxy = publish_options{};
  without_proxy.proxy = false;
  auto nothing = publish_options{};
  nothing.mode_v4 = nothing.mode_v6 = publish_mode::none;
  auto rows = std::vector<row>{
    {"[::1]:80:80", v4_only, without_proxy, "endpoint without IPv6"},
    {"127.0.0.1:80:80", v6_only, {}, "endpoint without IPv4"},
    {"80", {}, {}, "has no address"},
    {"80", both, nothing, "publishes nothing"},
  };
  for (const auto& x : rows) {
    auto wish = *parse_port_spec(x.wish);
    auto plan = plan_ports({&wish, 1}, x.targets, x.options);
    ASSERT_FALSE(plan.has_value()) << x.wish;
    EXPECT_EQ(plan.error().code, ec::invalid_argument);
    EXPECT_NE(plan.error().message.find(x.reason), std::string::npos)
      << plan.error().message;
  }
}

TEST(PlanPorts, BoundsTheNumberOfPorts) {
  auto wish = *parse_port_spec("1-65535:1-65535");
  auto plan = plan_ports({&wish, 1}, both, {});
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(plan->groups.size(), 65'535U);
  auto wishes = std::vector{wish, *parse_port_spec("1/udp")};
  EXPECT_FALSE(plan_ports(wishes, both, {}).has_value());
}

TEST(PlanPorts, ChecksWishesThatDidNotComeFromText) {
  auto wish = port_spec{};
  EXPECT_FALSE(plan_ports({&wish, 1}, both, {}).has_value());
  wish.port = 80;
  wish.port_end = 79;
  EXPECT_FALSE(plan_ports({&wish, 1}, both, {}).has_value());
}

TEST(PlanPorts, SeparatesTheSameAutomaticPortAskedForTwice) {
  auto wishes = std::vector{*parse_port_spec("80"), *parse_port_spec("80")};
  auto plan = plan_ports(wishes, both, {});
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(plan->groups.size(), 2U);
}

TEST(PlanPorts, JoinsAddressesOfOnePort) {
  auto wishes = std::vector{*parse_port_spec("127.0.0.1:80"),
                            *parse_port_spec("[::1]:80")};
  auto plan = plan_ports(wishes, both, {});
  ASSERT_TRUE(plan.has_value());
  ASSERT_EQ(plan->groups.size(), 1U);
  EXPECT_EQ(plan->groups.front().addresses.size(), 2U);
}

TEST(WithExposed, AddsWhatNobodyNamed) {
  auto wishes
    = std::vector{*parse_port_spec("8080:80"), *parse_port_spec("100-102/udp")};
  auto exposed = std::vector<exposed_port>{{protocol::tcp, 80},
                                           {protocol::udp, 80},
                                           {protocol::udp, 101},
                                           {protocol::tcp, 443},
                                           {protocol::tcp, 443}};
  auto all = with_exposed(wishes, exposed);
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(to_string(all[2]), "80/udp");
  EXPECT_EQ(to_string(all[3]), "443/tcp");
}

TEST(ProxyTarget, IsWhereTheRulesLeadFromOthers) {
  struct row {
    std::string host;
    port_targets targets;
    std::optional<ip_address> target;
  };
  auto rows = std::vector<row>{
    {"0.0.0.0", both, both.ipv4},   {"127.0.0.1", both, both.ipv4},
    {"127.3.2.1", both, both.ipv4}, {"10.0.0.1", both, both.ipv4},
    {"::", both, both.ipv6},        {"::1", both, both.ipv6},
    {"fd00::1", both, both.ipv6},   {"::", v4_only, both.ipv4},
    {"fd00::1", v4_only, both.ipv4}};
  for (const auto& x : rows) {
    auto binding = port_binding{protocol::tcp, 80, ip(x.host), 8080};
    EXPECT_EQ(proxy_target(binding, x.targets), x.target) << x.host;
  }
  EXPECT_FALSE(proxy_target({protocol::tcp, 80, {}, 0}, both).has_value());
}

} // namespace
} // namespace troupe::drivers
