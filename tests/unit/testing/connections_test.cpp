#include "troupe/testing/invariants.hpp"
#include "troupe/testing/simulated_system.hpp"
#include "troupe/tests/fixtures/addresses.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace troupe::testing {

namespace {

using netns::connection_info;
using test::ip;

constexpr auto lan4 = std::string_view{"192.0.2.2"};
constexpr auto host4 = std::string_view{"192.0.2.1"};
constexpr auto lan6 = std::string_view{"2001:db8::2"};
constexpr auto host6 = std::string_view{"2001:db8::1"};

/// A daemon with a network of both families, sandboxes, and a neighbour whose
/// connections the kernel tracks.
class Connections : public ::testing::Test {
protected:
  void SetUp() override {
    ASSERT_TRUE(system.start());
    make_network("n1", {"10.50.0.0/24", "fd50::/64"});
  }

  void
  make_network(const std::string& name, const std::vector<std::string>& subnets,
               const text_map& options = {}) {
    auto spec = network_spec{};
    spec.name = name;
    spec.enable_ipv6 = true;
    spec.options = options;
    for (const auto& x : subnets) {
      spec.pools.emplace_back();
      spec.pools.back().subnet = prefix::parse(x).value();
    }
    auto made = system.call(create_network{spec});
    ASSERT_TRUE(made) << made.error().message;
  }

  result<void>
  attach(const std::string& box, const std::vector<std::string>& ports = {},
         const std::string& network = "n1",
         std::optional<ip_address> ipv4 = {}) {
    auto wish = create_sandbox{};
    wish.spec.name = box;
    if (auto made = system.call(wish); !made)
      return fail(std::move(made.error()));
    auto wanted = attach_sandbox{network, box, {}};
    wanted.spec.ipv4 = ipv4;
    for (const auto& x : ports)
      wanted.spec.ports.push_back(*parse_port_spec(x));
    auto done = system.call(wanted);
    if (!done)
      return fail(std::move(done.error()));
    auto view = std::get<endpoint_status>(*done);
    addresses[box] = {};
    for (const auto& x : view.spec.addresses)
      addresses[box].push_back(x.address);
    return {};
  }

  result<void> unpublish(const std::string& box, const std::string& port) {
    auto done
      = system.call(unpublish_ports{"n1", box, {*parse_port_spec(port)}});
    return done ? result<void>{} : fail(std::move(done.error()));
  }

  /// A client sends to the host, and the container answers.
  void through(protocol proto, std::string_view client, std::string_view host,
               uint16_t host_port, const std::string& box, uint16_t port) {
    auto x = to_host(proto, client, host, host_port);
    for (const auto& address : addresses[box])
      if (address.family() == x.host.family())
        x.server = address;
    x.server_port = port;
    track(x);
  }

  static connection_info to_host(protocol proto, std::string_view client,
                                 std::string_view host, uint16_t port) {
    auto x = connection_info{};
    x.proto = proto;
    x.client = ip(client);
    x.client_port = 40000;
    x.host = x.server = ip(host);
    x.host_port = x.server_port = port;
    x.answered = true;
    return x;
  }

  /// The container sends to the neighbour under the host's address.
  connection_info from(const std::string& box) {
    auto x = to_host(protocol::udp, lan4, lan4, 53);
    x.client = addresses[box].front();
    x.source_translated = true;
    return x;
  }

  void track(const connection_info& x) {
    ASSERT_TRUE(system.world->track("", x));
  }

  std::vector<connection_info> tracked() const {
    return system.world->view().namespaces.front().connections;
  }

  void plan(netns::fault_rule::effect what, bool for_ever = false,
            netns::call on = netns::call::flush_conntrack) {
    auto rule = netns::fault_rule{};
    rule.what = what;
    rule.on = on;
    rule.for_ever = for_ever;
    system.kernel_faults->add(rule);
  }

  std::vector<std::string> findings(bool repair = false) {
    auto found = system.call(run_doctor{repair});
    EXPECT_TRUE(found) << found.error().message;
    auto result = std::vector<std::string>{};
    if (found)
      for (const auto& x : std::get<doctor_report>(*found).findings)
        result.push_back(x.problem);
    return result;
  }

  simulated_system system;
  std::map<std::string, std::vector<ip_address>> addresses;
};

using effect = netns::fault_rule::effect;

TEST_F(Connections, EndWithTheirPort) {
  ASSERT_TRUE(attach("a", {"53:5353/udp", "80:80", "54:5353/udp"}));
  through(protocol::udp, lan4, host4, 53, "a", 5353);
  through(protocol::udp, lan6, host6, 53, "a", 5353);
  through(protocol::udp, lan4, host4, 54, "a", 5353);
  through(protocol::tcp, lan4, host4, 80, "a", 80);
  const auto elsewhere = from("a");
  track(elsewhere);
  auto others = to_host(protocol::udp, lan4, "198.51.100.7", 53);
  others.server = ip("198.51.100.8");
  others.server_port = 5353;
  track(others);
  ASSERT_TRUE(unpublish("a", "53:5353/udp"));
  EXPECT_EQ(tracked().size(), 4U) << "before anything else happens";
  EXPECT_TRUE(findings().empty());
  ASSERT_TRUE(unpublish("a", "80:80"));
  ASSERT_TRUE(unpublish("a", "54:5353/udp"));
  EXPECT_EQ(tracked(), (std::vector{elsewhere, others}));
}

// Whoever had it, and whatever became of their connections then.
TEST_F(Connections, OfAnAddressThatNobodyHasAnyMoreAreNamed) {
  ASSERT_TRUE(attach("a"));
  const auto address = to_string(addresses["a"].front());
  ASSERT_TRUE(system.call(remove_sandbox{"a"}));
  system.advance(std::chrono::seconds{5}); // What is owed is forgotten.
  track(to_host(protocol::udp, lan4, address, 53));
  EXPECT_FALSE(findings().empty());
}

TEST_F(Connections, OfARoutedNetworkEndWithTheirPort) {
  make_network("r", {"10.60.0.0/24", "fd60::/64"},
               {{"gateway_mode_ipv4", "routed"}});
  ASSERT_TRUE(attach("a", {"53/udp"}, "r"));
  track(to_host(protocol::udp, lan4, to_string(addresses["a"].front()), 53));
  track(to_host(protocol::udp, lan4, to_string(addresses["a"].front()), 54));
  auto ports = std::vector{*parse_port_spec("53/udp")};
  ASSERT_TRUE(system.call(unpublish_ports{"r", "a", ports}));
  ASSERT_EQ(tracked().size(), 1U);
  EXPECT_EQ(tracked().front().host_port, 54);
}

TEST_F(Connections, AreForgottenByTheNextStartAfterACrash) {
  for (auto what : {effect::crash_before, effect::fail}) {
    SCOPED_TRACE(static_cast<int>(what));
    ASSERT_TRUE(attach("a", {"53:53/udp"}));
    through(protocol::udp, lan4, host4, 53, "a", 53);
    through(protocol::udp, lan6, host6, 53, "a", 53);
    plan(what, true);
    (void)unpublish("a", "53:53/udp");
    ASSERT_EQ(tracked().size(), 2U);
    system.heal();
    system.crash();
    ASSERT_TRUE(system.start());
    EXPECT_TRUE(tracked().empty());
    ASSERT_TRUE(system.call(remove_sandbox{"a"}));
  }
}

TEST_F(Connections, ThatARecordExplainsOutliveARestart) {
  system.ports->addresses.insert(ip(host4));
  const auto made = attach("a", {"53:53/udp", "192.0.2.1:80:80", "443:443"});
  ASSERT_TRUE(made) << made.error().message;
  through(protocol::udp, lan4, host4, 53, "a", 53);
  through(protocol::tcp, lan4, host4, 80, "a", 80);
  through(protocol::tcp, lan6, host6, 443, "a", 443);
  track(from("a"));
  track(to_host(protocol::tcp, lan4, host4, 22)); // The host's own.
  auto gateway = to_host(protocol::tcp, "10.50.0.1",
                         to_string(addresses["a"].front()), 8080);
  track(gateway);
  auto others = to_host(protocol::tcp, lan4, host4, 8000); // Of other programs.
  others.server = ip("172.17.0.2");
  track(others);
  const auto before = tracked();
  system.crash();
  ASSERT_TRUE(system.start());
  EXPECT_EQ(tracked(), before);
  EXPECT_TRUE(findings().empty());
}

TEST_F(Connections, AreOwedWhileTheKernelRefuses) {
  ASSERT_TRUE(attach("a", {"53:53/udp"}));
  through(protocol::udp, lan4, host4, 53, "a", 53);
  plan(effect::fail, true);
  ASSERT_TRUE(unpublish("a", "53:53/udp"));
  system.advance(std::chrono::seconds{5});
  ASSERT_EQ(tracked().size(), 1U);
  EXPECT_FALSE(findings().empty());
  system.heal();
  system.advance(std::chrono::minutes{1});
  EXPECT_TRUE(tracked().empty());
  EXPECT_TRUE(findings().empty());
}

TEST_F(Connections, OfAnEndpointThatIsGoneAreForgottenInOneGo) {
  ASSERT_TRUE(attach("a", {"53:53/udp"}));
  ASSERT_TRUE(attach("b"));
  through(protocol::udp, lan4, host4, 53, "a", 53);
  track(from("a"));
  track(from("b"));
  system.kernel_faults->reset_counters();
  ASSERT_TRUE(system.call(remove_sandbox{"a"}));
  ASSERT_TRUE(system.call(remove_sandbox{"b"}));
  system.advance(std::chrono::seconds{1});
  EXPECT_TRUE(tracked().empty());
  EXPECT_LE(system.kernel_faults->calls(netns::call::flush_conntrack), 2U);
}

TEST_F(Connections, OfAnEndpointThatIsGoneAreForgottenByTheNextStart) {
  ASSERT_TRUE(attach("a"));
  track(from("a"));
  plan(effect::fail, true);
  ASSERT_TRUE(system.call(remove_sandbox{"a"}));
  system.crash();
  system.heal();
  ASSERT_TRUE(system.start());
  EXPECT_TRUE(tracked().empty());
}

// An address rests until its connections are forgotten.
TEST_F(Connections, AreNoInheritance) {
  ASSERT_TRUE(attach("a", {"53:53/udp"}, "n1", ip("10.50.0.9")));
  through(protocol::udp, lan4, host4, 53, "a", 53);
  ASSERT_TRUE(system.call(remove_sandbox{"a"}));
  ASSERT_TRUE(attach("b", {}, "n1", ip("10.50.0.9")));
  EXPECT_TRUE(tracked().empty());
  track(from("b"));
  plan(effect::fail, true);
  ASSERT_TRUE(system.call(remove_sandbox{"b"}));
  auto refused = attach("c", {}, "n1", ip("10.50.0.9"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ec::unavailable);
  EXPECT_EQ(tracked().size(), 1U);
  system.heal();
  ASSERT_TRUE(system.call(remove_sandbox{"c"}));
  ASSERT_TRUE(attach("c", {}, "n1", ip("10.50.0.9")));
  EXPECT_TRUE(tracked().empty());
}

TEST_F(Connections, ThatBeganBeforeTheirPortGoToTheContainer) {
  const auto early = to_host(protocol::udp, lan4, host4, 53);
  auto asked = to_host(protocol::tcp, lan4, host4, 80);
  asked.answered = false;
  const auto served = to_host(protocol::tcp, lan6, host6, 80);
  track(early);
  track(to_host(protocol::udp, lan6, host6, 53));
  track(asked);
  track(served); // By the proxy: to break it would help nobody.
  ASSERT_TRUE(attach("a", {"53:53/udp", "80:80"}));
  system.advance(std::chrono::seconds{1});
  EXPECT_EQ(tracked(), std::vector{served});
  track(early);
  system.crash();
  ASSERT_TRUE(system.start());
  EXPECT_EQ(tracked(), std::vector{served});
}

TEST_F(Connections, ThatNothingExplainsAreFoundByTheDoctor) {
  ASSERT_TRUE(attach("a", {"53:53/udp"}));
  through(protocol::udp, lan4, host4, 54, "a", 53);
  auto found = findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_NE(found[0].find("192.0.2.2:40000 to 192.0.2.1:54"), std::string::npos)
    << found[0];
  (void)findings(true);
  EXPECT_TRUE(tracked().empty());
  EXPECT_TRUE(findings().empty());
}

TEST_F(Connections, AreComparedAgainWhenTheyCouldNotBeListedAtStart) {
  ASSERT_TRUE(attach("a", {"53:53/udp"}));
  through(protocol::udp, lan4, host4, 54, "a", 53);
  plan(effect::fail, false, netns::call::connections);
  system.crash();
  ASSERT_TRUE(system.start());
  system.advance(std::chrono::minutes{1});
  EXPECT_TRUE(tracked().empty());
}

} // namespace

} // namespace troupe::testing
