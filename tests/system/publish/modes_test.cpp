// Who reaches what in each gateway mode, through the real daemon. The whole
// matrix, driver by driver and rule by rule, is in ../firewall.

#include "troupe/tests/system/publish/fixture.hpp"

#include <thread>

namespace troupe::test {

namespace {

using kind = probe::kind;

/// What is reached: `d` the published port at the container's address, `u`
/// another one there, `p` ping, `h` the published port of the host.
struct gateway_case {
  const char* name;
  const char* mode; ///< Of both families; empty: the default.
  bool internal;
  std::string from_street;
  std::string from_another_network;
  std::string from_its_own;
};

class GatewayModes : public Publish,
                     public ::testing::WithParamInterface<gateway_case> {
protected:
  void make_network(const gateway_case& x) {
    auto spec = nlohmann::json{{"enable_ipv6", true}, {"internal", x.internal}};
    if (*x.mode != '\0')
      spec["options"]
        = {{"gateway_mode_ipv4", x.mode}, {"gateway_mode_ipv6", x.mode}};
    create_network("m", spec);
    keys_["own"] = create_sandbox("own").value("key", "");
    attach("m", "own");
  }

  void expect(const std::string& from, const ip_address& own,
              const std::string& wanted) {
    const auto where = from == "street" ? street_ : keys_[from];
    const auto host = ip(own.is_v4() ? uplink_v4 : uplink_v6);
    auto probes = std::vector<probe>{
      {where, kind::tcp, own, 80, {}},    {where, kind::udp, own, 80, {}},
      {where, kind::tcp, own, 81, {}},    {where, kind::ping, own, 0, {}},
      {where, kind::tcp, host, 8080, {}}, {where, kind::udp, host, 8080, {}}};
    run(probes);
    auto seen = std::string{};
    for (size_t i = 0; i < probes.size(); ++i)
      if (!probes[i].seen_as.empty())
        seen += "ddupHh"[i];
    // Both protocols or neither.
    for (auto [both, one] : {std::pair{"dd", "d"}, std::pair{"Hh", "h"}})
      if (auto at = seen.find(both); at != std::string::npos)
        seen.replace(at, 2, one);
    EXPECT_EQ(seen, wanted) << "from " << from << " to " << to_string(own);
  }
};

TEST_P(GatewayModes, SayWhoReachesWhat) {
  const auto& x = GetParam();
  make_network(x);
  ASSERT_FALSE(HasFailure());
  const auto ports = x.internal
                       ? std::vector<std::string>{}
                       : std::vector<std::string>{"8080:80", "8080:80/udp"};
  const auto own = attach_web(ports, "m");
  ASSERT_EQ(own.size(), 2U);
  auto service = echo_service{};
  for (uint16_t port : {80, 81})
    service.add(keys_["web"], port);
  service.start();
  for (const auto& address : own) {
    expect("street", address, x.from_street);
    expect("far", address, x.from_another_network);
    expect("own", address, x.from_its_own);
  }
  EXPECT_EQ(doctor(), "");
}

const gateway_case gateway_cases[] = {
  {"nat", "", false, "h", "h", "duph"},
  {"nat_unprotected", "nat-unprotected", false, "duph", "duph", "duph"},
  {"routed", "routed", false, "dp", "dp", "dup"},
  {"internal", "", true, "", "", "dup"},
  {"isolated", "isolated", true, "", "", "dup"},
};

INSTANTIATE_TEST_SUITE_P(Mode, GatewayModes, ::testing::ValuesIn(gateway_cases),
                         [](const auto& info) {
                           return std::string{info.param.name};
                         });

TEST_F(Publish, NetworksMayBeAllowedByName) {
  create_network("open", {{"options", {{"allowed_networks", "b"}}}});
  const auto own = attach_web({}, "open");
  ASSERT_EQ(own.size(), 1U);
  auto service = echo_service{};
  service.add(keys_["web"], 80);
  service.start();
  EXPECT_NE(reach(keys_["far"], kind::tcp, own[0], 80), "");
  EXPECT_EQ(reach(keys_["peer"], kind::tcp, own[0], 80), "");
  EXPECT_EQ(reach(street_, kind::tcp, own[0], 80), "");
}

TEST_F(Publish, Ipv6AloneGetsAUniqueLocalSubnet) {
  create_network("six", {{"enable_ipv4", false}, {"enable_ipv6", true}});
  const auto own = attach_web({"8080:80"}, "six");
  ASSERT_EQ(own.size(), 1U);
  EXPECT_TRUE(to_string(own[0]).starts_with("fd")) << to_string(own[0]);
  auto subnet = must("GET", "/v1/networks/six")
                  .at("spec")
                  .at("pools")
                  .at(0)
                  .value("subnet", "");
  EXPECT_TRUE(subnet.ends_with("/64")) << subnet;
  auto service = echo_service{};
  service.add(keys_["web"], 80);
  service.add(street_, 90);
  service.start();
  EXPECT_EQ(reach(street_, kind::tcp, ip(uplink_v6), 8080), "2001:db8:ffff::2");
  EXPECT_NE(reach("", kind::tcp, ip("::1"), 8080), "");
  // NAT66: the world sees the host.
  EXPECT_EQ(reach(keys_["web"], kind::tcp, ip("2001:db8:ffff::2"), 90),
            uplink_v6);
}

/// Sends numbered bytes through a connection. @returns how many arrived as
/// they were sent.
size_t carry(const connection& from, const connection& to, size_t bytes) {
  constexpr auto portion = size_t{1} << 16U;
  auto text = [](size_t offset, size_t size) {
    auto result = std::string(size, '\0');
    for (size_t i = 0; i < size; ++i)
      result[i] = static_cast<char>((offset + i) * 2654435761U >> 13U);
    return result;
  };
  auto sender = std::thread{[&] {
    for (size_t done = 0; done < bytes; done += portion)
      if (!from.say(text(done, portion)))
        return;
  }};
  auto arrived = size_t{0};
  while (arrived < bytes) {
    auto heard = to.hear();
    if (heard.empty() || heard != text(arrived, heard.size()))
      break;
    arrived += heard.size();
  }
  to.hang_up(); // Lets go of a sender whose bytes nobody takes.
  sender.join();
  return arrived;
}

TEST_F(Publish, CarriesLargeTransfersIntact) {
  constexpr auto bytes = size_t{64} << 20U;
  attach_web({"8080:80"});
  const auto server = listen_in(keys_["web"], 80);
  for (const auto& [from, to] :
       {std::pair{street_, uplink_v4}, std::pair{keys_["far"], uplink_v4},
        std::pair{std::string{}, "127.0.0.1"}}) {
    const auto client = connect_from(from, to, 8080);
    const auto served = server.accept();
    ASSERT_TRUE(client.is_open() && served.is_open()) << from;
    EXPECT_EQ(carry(client, served, bytes), bytes) << "from " << from;
  }
}

} // namespace

} // namespace troupe::test
