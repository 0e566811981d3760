#include "troupe/tests/lab/invariants.hpp"
#include "troupe/tests/lab/simulated_system.hpp"

#include <gtest/gtest.h>

namespace troupe::testing {

namespace {

/// Requests to unpublish, to an endpoint that is joined, or not yet.
class Unpublish : public ::testing::Test {
protected:
  void SetUp() override {
    ASSERT_TRUE(system.start());
    make_network("n1", {});
    auto wish = create_sandbox{};
    wish.spec.name = "box";
    ASSERT_TRUE(system.call(wish));
  }

  void make_network(const std::string& name, const text_map& options) {
    auto spec = network_spec{};
    spec.name = name;
    spec.options = options;
    auto made = system.call(create_network{spec});
    ASSERT_TRUE(made) << made.error().message;
  }

  void
  make_endpoint(const std::string& name, const std::vector<std::string>& ports,
                const std::string& network = "n1") {
    auto wanted = create_endpoint{network, {}};
    wanted.spec.name = name;
    wanted.spec.ports = wishes(ports);
    auto made = system.call(wanted);
    ASSERT_TRUE(made) << made.error().message;
  }

  void join(const std::string& name) {
    auto done = system.call(join_endpoint{"", name, "box"});
    ASSERT_TRUE(done) << done.error().message;
  }

  void leave(const std::string& name) {
    ASSERT_TRUE(system.call(leave_endpoint{"", name}));
  }

  static std::vector<port_spec> wishes(const std::vector<std::string>& texts) {
    auto result = std::vector<port_spec>{};
    for (const auto& x : texts)
      result.push_back(parse_port_spec(x).value());
    return result;
  }

  /// `ok`, or the error's message.
  std::string
  unpublish(const std::string& name, const std::vector<std::string>& ports) {
    auto done = system.call(unpublish_ports{"", name, wishes(ports)});
    return done ? "ok" : done.error().message;
  }

  endpoint_status look(const std::string& name) {
    return std::get<endpoint_status>(
      system.call(inspect_endpoint{"", name}).value());
  }

  std::string wished(const std::string& name) {
    auto text = std::string{};
    for (const auto& x : look(name).spec.ports)
      text += (text.empty() ? "" : " ") + to_string(x);
    return text;
  }

  /// Which number an automatic port has does not matter.
  std::string bound(const std::string& name) {
    auto text = std::string{};
    for (auto x : look(name).bindings) {
      if (x.host_port >= 32'768)
        x.host_port = 65'535;
      text += (text.empty() ? "" : " ") + to_string(x);
    }
    return text;
  }

  void plan(persistence::store_fault_plan::effect what, ec code) {
    system.store_faults->what = what;
    system.store_faults->nth = system.store_faults->seen;
    system.store_faults->times = 1;
    system.store_faults->why.code = code;
  }

  simulated_system system;
};

const auto not_there
  = std::string{"ports of endpoint \"n1/e\": no such port is published"};

TEST_F(Unpublish, ARangeGoesAsAWholeBeforeTheJoin) {
  make_endpoint("e", {"7000-7009:7000-7009"});
  EXPECT_EQ(unpublish("e", {"7000-7009"}), "ok");
  EXPECT_EQ(wished("e"), "");
  EXPECT_EQ(unpublish("e", {"7000-7009"}), not_there);
}

TEST_F(Unpublish, APortInsideARangeGoesBeforeTheJoin) {
  make_endpoint("e", {"8000-8009:7000-7009"});
  EXPECT_EQ(unpublish("e", {"7004"}), "ok");
  EXPECT_EQ(wished("e"), "8000-8003:7000-7003/tcp 8005-8009:7005-7009/tcp");
  EXPECT_EQ(unpublish("e", {"8000-8006:7000-7006", "8009:7009"}), "ok");
  EXPECT_EQ(wished("e"), "8007-8008:7007-7008/tcp");
}

TEST_F(Unpublish, TheHostsSideCountsBeforeTheJoin) {
  const auto ports = std::vector<std::string>{"8080:80", "8081:80",
                                              "127.0.0.1:8082:80", "80/udp"};
  make_endpoint("e", ports);
  EXPECT_EQ(unpublish("e", {"8083:80"}), not_there);
  EXPECT_EQ(unpublish("e", {"192.0.2.1::80"}), not_there);
  EXPECT_EQ(unpublish("e", {"5353:80/udp"}), not_there)
    << "which host port it will have nobody knows";
  EXPECT_EQ(unpublish("e", {"8081:80"}), "ok");
  EXPECT_EQ(wished("e"), "8080:80/tcp 127.0.0.1:8082:80/tcp 80/udp");
  EXPECT_EQ(unpublish("e", {"127.0.0.1::80"}), "ok");
  EXPECT_EQ(wished("e"), "8080:80/tcp 80/udp");
  EXPECT_EQ(unpublish("e", {"80", "80/udp"}), "ok");
  EXPECT_EQ(wished("e"), "");
}

/// On a host without IPv6 a port that names no address is one at `0.0.0.0`.
class UnpublishWithoutIpv6 : public Unpublish {
protected:
  void SetUp() override {
    system.ports->has_ipv6 = false;
    Unpublish::SetUp();
  }
};

TEST_F(UnpublishWithoutIpv6, NothingStaysForAFamilyThatIsNotThere) {
  make_endpoint("e", {"80", "8081:81"});
  EXPECT_EQ(unpublish("e", {"0.0.0.0::80"}), "ok");
  EXPECT_EQ(wished("e"), "8081:81/tcp");
  join("e");
  EXPECT_EQ(bound("e"), "0.0.0.0:8081->81/tcp");
}

TEST_F(Unpublish, AChoiceOfHostPortsGoesAsAWholeBeforeTheJoin) {
  make_endpoint("e", {"8000-8009:80"});
  EXPECT_EQ(unpublish("e", {"8000-8008:80"}), not_there);
  EXPECT_EQ(unpublish("e", {"8000-8010:80"}), "ok");
  EXPECT_EQ(wished("e"), "");
}

TEST_F(Unpublish, ThePortsOfTheNetworksAddressGoBeforeTheJoin) {
  make_network("local", {{"host_binding_ipv4", "127.0.0.1"}});
  make_endpoint("e", {"8080:80", "8081:81"}, "local");
  EXPECT_EQ(unpublish("e", {"127.0.0.1:8080:80"}), "ok");
  EXPECT_EQ(wished("e"), "8081:81/tcp");
}

// Whatever is asked for, the same stays whether it is joined meanwhile or not.
TEST_F(Unpublish, TheSameGoesBeforeAndAfterTheJoin) {
  const auto ports
    = std::vector<std::string>{"8000-8009:7000-7009", "80:80",
                               "127.0.0.1:81:80", "[::1]:82:80", "5353/udp"};
  const auto requests
    = std::vector<std::vector<std::string>>{{"7000-7009"},
                                            {"7003"},
                                            {"7008-7100"},
                                            {"8003:7003"},
                                            {"8003-8005:7004"},
                                            {"9000:7000"},
                                            {"80"},
                                            {"80:80"},
                                            {"80-81:80"},
                                            {"127.0.0.1::80"},
                                            {"[::1]::80"},
                                            {"0.0.0.0:80:80"},
                                            {"[::]::80"},
                                            {"0.0.0.0::7003"},
                                            {"5353/udp"},
                                            {"1:5353/udp"},
                                            {"0.0.0.0::5353/udp"},
                                            {"80", "7000"},
                                            {"192.0.2.1::80"},
                                            {"80/sctp"}};
  for (const auto& request : requests) {
    SCOPED_TRACE(request.front());
    make_endpoint("early", ports);
    const auto early = unpublish("early", request);
    join("early");
    const auto wanted = bound("early");
    leave("early");
    ASSERT_TRUE(system.call(remove_endpoint{"", "early"}));
    make_endpoint("early", ports);
    join("early");
    EXPECT_EQ(unpublish("early", request), early);
    EXPECT_EQ(bound("early"), wanted);
    // And the next join publishes the same.
    leave("early");
    join("early");
    EXPECT_EQ(bound("early"), wanted);
    leave("early");
    ASSERT_TRUE(system.call(remove_endpoint{"", "early"}));
  }
}

using effect = persistence::store_fault_plan::effect;

TEST_F(Unpublish, ARefusedOneLeavesEverythingAsItWas) {
  for (auto what : {effect::fail, effect::fail_runtime}) {
    SCOPED_TRACE(static_cast<int>(what));
    make_endpoint("e", {"8080:80", "8081:81"});
    join("e");
    const auto before = bound("e");
    const auto records = system.records();
    plan(what, ec::unavailable);
    EXPECT_EQ(unpublish("e", {"80"}),
              "ports of endpoint \"n1/e\": commit: injected fault");
    EXPECT_EQ(system.records(), records);
    EXPECT_EQ(bound("e"), before);
    EXPECT_EQ(wished("e"), "8080:80/tcp 8081:81/tcp");
    system.heal();
    EXPECT_EQ(check_all(system), "");
    system.crash();
    ASSERT_TRUE(system.start());
    EXPECT_EQ(bound("e"), before);
    EXPECT_EQ(check_all(system), "");
    EXPECT_EQ(unpublish("e", {"80"}), "ok");
    leave("e");
    ASSERT_TRUE(system.call(remove_endpoint{"", "e"}));
  }
}

// In routed mode the host's side of a wish means nothing, at either time: what
// was published goes by the same words.
TEST_F(Unpublish, PortsOfARoutedNetworkGoByTheWordsTheyWerePublishedWith) {
  make_network("r1", {{"gateway_mode_ipv4", "routed"}});
  const auto wishes
    = std::vector<std::string>{"8081:80", "127.0.0.1:8082:81", "82"};
  make_endpoint("routed", wishes, "r1");
  join("routed");
  for (const auto& x : wishes) {
    EXPECT_EQ(unpublish("routed", {x}), "ok") << x;
    EXPECT_NE(unpublish("routed", {x}), "ok") << x;
  }
  EXPECT_EQ(bound("routed"), "");
  EXPECT_EQ(wished("routed"), "");
}

} // namespace

} // namespace troupe::testing
