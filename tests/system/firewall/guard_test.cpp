#include <fmt/format.h>

#include "frames.hpp"
#include "town.hpp"
#include <functional>

namespace troupe::test {

namespace {

constexpr auto broadcast = mac_address{{255, 255, 255, 255, 255, 255}};
constexpr auto stranger = mac_address{{2, 9, 9, 9, 9, 9}};
constexpr auto own = mac_address{{0x02, 0x42, 10, 1, 0, 2}};   // a1's
constexpr auto other = mac_address{{0x02, 0x42, 10, 1, 0, 3}}; // a2's

constexpr uint8_t igmp_number = 2;
constexpr uint8_t udp_number = 17;
constexpr uint8_t pim_number = 103;
constexpr uint8_t icmp6_number = 58;
constexpr uint8_t solicit = 135;
constexpr uint8_t advert = 136;

struct frame_case {
  const char* name;
  std::function<bytes()> frame;
  bool honest;
};

bytes from_own(uint16_t type, const bytes& payload) {
  return ethernet(other, own, type) + payload;
}

bytes v4(const char* from, const bytes& payload) {
  return packet(ip(from), ip("10.1.0.3"), udp_number, payload);
}

bytes v6(const char* from, uint8_t protocol, const bytes& payload) {
  return packet(ip(from), ip("fd00:1::3"), protocol, payload);
}

constexpr auto own_link_local = "fe80::42:aff:fe01:2";

// A header in front that some filters stop at.
bytes behind_options(const bytes& payload) {
  return bytes{icmp6_number, 0, 1, 4, 0, 0, 0, 0} + payload;
}

const frame_case cases[] = {
  {"arp",
   [] {
     return ethernet(broadcast, own, 0x806)
            + arp(1, own, ip("10.1.0.2"), ip("10.1.0.3"));
   },
   true},
  {"arp_probe",
   [] {
     return ethernet(broadcast, own, 0x806)
            + arp(1, own, ip("0.0.0.0"), ip("10.1.0.2"));
   },
   true},
  {"ipv4",
   [] {
     return from_own(0x800, v4("10.1.0.2", udp(1000, 9)));
   },
   true},
  {"ipv6",
   [] {
     return from_own(0x86dd, v6("fd00:1::2", udp_number, udp(1000, 9)));
   },
   true},
  {"ipv6_link_local",
   [] {
     return from_own(0x86dd, v6(own_link_local, udp_number, udp(1000, 9)));
   },
   true},
  {"detection_of_duplicates",
   [] {
     return from_own(0x86dd,
                     v6("::", icmp6_number, icmp6(solicit, ip("fd00:1::2"))));
   },
   true},
  {"own_neighbour_advert",
   [] {
     return from_own(
       0x86dd, v6("fd00:1::2", icmp6_number, icmp6(advert, ip("fd00:1::2"))));
   },
   true},
  {"fragment_of_a_datagram",
   [] {
     auto frame = from_own(0x800, v4("10.1.0.2", bytes(16)));
     frame[14 + 7] = 1; // Its offset, for which the checksum pays.
     frame[14 + 11] = static_cast<uint8_t>(frame[14 + 11] - 1);
     return frame;
   },
   true},
  {"multicast_report",
   [] {
     return from_own(0x800, packet(ip("10.1.0.2"), ip("10.1.0.3"), igmp_number,
                                   bytes{0x16, 0, 0, 0, 239, 1, 1, 1}));
   },
   true},
  {"multicast_report6",
   [] {
     return from_own(0x86dd, v6("::", icmp6_number, icmp6(143, ip("::"))));
   },
   true},

  {"mac_of_another",
   [] {
     return ethernet(broadcast, stranger, 0x800) + v4("10.1.0.2", udp(1000, 9));
   },
   false},
  {"arp_for_the_gateway",
   [] {
     return ethernet(broadcast, own, 0x806)
            + arp(2, own, ip("10.1.0.1"), ip("10.1.0.3"));
   },
   false},
  {"arp_with_the_mac_of_another",
   [] {
     return ethernet(broadcast, own, 0x806)
            + arp(2, stranger, ip("10.1.0.2"), ip("10.1.0.3"));
   },
   false},
  {"ipv4_of_another",
   [] {
     return from_own(0x800, v4("10.1.0.9", udp(1000, 9)));
   },
   false},
  {"ipv4_of_the_neighbour",
   [] {
     return from_own(0x800, v4("192.0.2.2", udp(1000, 9)));
   },
   false},
  {"ipv4_of_nobody",
   [] {
     return from_own(0x800, v4("0.0.0.0", udp(68, 67)));
   },
   false},
  {"dhcp_offer",
   [] {
     return from_own(0x800, v4("10.1.0.2", udp(67, 68)));
   },
   false},
  {"dhcp_offer_from_another_port",
   [] {
     return from_own(0x800, v4("10.1.0.2", udp(1067, 68)));
   },
   false},
  {"multicast_query",
   [] {
     return from_own(0x800, packet(ip("10.1.0.2"), ip("10.1.0.3"), igmp_number,
                                   bytes{0x11, 0, 0, 0, 0, 0, 0, 0}));
   },
   false},
  {"multicast_router",
   [] {
     return from_own(0x800, packet(ip("10.1.0.2"), ip("10.1.0.3"), igmp_number,
                                   bytes{0x30, 0, 0, 0, 0, 0, 0, 0}));
   },
   false},
  {"pim_hello",
   [] {
     return from_own(0x800, packet(ip("10.1.0.2"), ip("10.1.0.3"), pim_number,
                                   bytes{0x20, 0, 0, 0, 0, 0, 0, 0}));
   },
   false},
  {"multicast_query6",
   [] {
     return from_own(0x86dd,
                     v6(own_link_local, icmp6_number, icmp6(130, ip("::"))));
   },
   false},
  {"multicast_query6_behind_options",
   [] {
     return from_own(
       0x86dd, v6(own_link_local, 0, behind_options(icmp6(130, ip("::")))));
   },
   false},
  {"multicast_router6",
   [] {
     return from_own(0x86dd,
                     v6(own_link_local, icmp6_number, icmp6(151, ip("::"))));
   },
   false},
  {"pim_hello6",
   [] {
     return from_own(0x86dd, v6(own_link_local, pim_number, bytes(8)));
   },
   false},
  {"detection_of_anothers_address",
   [] {
     return from_own(0x86dd,
                     v6("::", icmp6_number, icmp6(solicit, ip("fd00:1::3"))));
   },
   false},
  {"dhcpv6_offer_from_another_port",
   [] {
     return from_own(0x86dd, v6(own_link_local, udp_number, udp(1547, 546)));
   },
   false},
  {"ipv6_of_another",
   [] {
     return from_own(0x86dd, v6("fd00:1::9", udp_number, udp(1000, 9)));
   },
   false},
  {"link_local_of_another",
   [] {
     return from_own(0x86dd, v6("fe80::1", udp_number, udp(1000, 9)));
   },
   false},
  {"data_from_nowhere",
   [] {
     return from_own(0x86dd, v6("::", udp_number, udp(1000, 9)));
   },
   false},
  {"router_advert",
   [] {
     return from_own(0x86dd,
                     v6(own_link_local, icmp6_number, icmp6(134, ip("::"))));
   },
   false},
  {"router_advert_behind_options",
   [] {
     return from_own(
       0x86dd, v6(own_link_local, 0, behind_options(icmp6(134, ip("::")))));
   },
   false},
  {"redirect",
   [] {
     return from_own(
       0x86dd, v6(own_link_local, icmp6_number, icmp6(137, ip("fd00:1::3"))));
   },
   false},
  {"neighbour_advert_for_the_gateway",
   [] {
     return from_own(
       0x86dd, v6("fd00:1::2", icmp6_number, icmp6(advert, ip("fd00:1::1"))));
   },
   false},
  {"neighbour_advert_behind_options",
   [] {
     return from_own(
       0x86dd,
       v6("fd00:1::2", 0, behind_options(icmp6(advert, ip("fd00:1::1")))));
   },
   false},
  {"dhcpv6_offer",
   [] {
     return from_own(0x86dd, v6(own_link_local, udp_number, udp(547, 546)));
   },
   false},
  {"raw_ethertype",
   [] {
     return from_own(0x88b5, bytes(40));
   },
   false},
  {"lldp",
   [] {
     return ethernet(broadcast, own, 0x88cc) + bytes(40);
   },
   false},
  {"tagged",
   [] {
     return from_own(0x8100, bytes{0, 7, 8, 0} + v4("10.1.0.2", udp(1000, 9)));
   },
   false},
  {"tagged_twice",
   [] {
     return from_own(0x88a8, bytes{0, 7, 0x81, 0, 0, 8, 8, 0}
                               + v4("10.1.0.2", udp(1000, 9)));
   },
   false},
  {"spanning_tree",
   [] {
     return ethernet(broadcast, own, 38) + bytes{0x42, 0x42, 3} + bytes(35);
   },
   false},
};

/// Frames that a1 sends, and what a2 sees of them.
class Guard : public town {
protected:
  void SetUp() override {
    town::SetUp();
    // It drops malformed packets itself and cuts off what is behind them.
    if (!IsSkipped())
      show_bridged_packets(false);
  }

  // @returns the names of those that arrived.
  std::vector<std::string> arrived() {
    auto sender = frame_socket{places["a1"], "eth0"};
    auto receiver = frame_socket{places["a2"], "eth0"};
    auto result = std::vector<std::string>{};
    auto count = 0;
    for (const auto& x : cases) {
      auto tag = fmt::format("troupe-frame-{:04}", ++count);
      auto frame = x.frame();
      sender.send(frame + bytes{tag.begin(), tag.end()});
      if (receiver.receives(tag, 80))
        result.emplace_back(x.name);
    }
    return result;
  }
};

TEST_F(Guard, LetsHonestFramesThroughAndNoOthers) {
  build();
  auto honest = std::vector<std::string>{};
  for (const auto& x : cases)
    if (x.honest)
      honest.emplace_back(x.name);
  EXPECT_EQ(arrived(), honest);
}

// The same frames arrive without the guard, so it is the guard that stops them.
TEST_F(Guard, LetsEverythingThroughWhenItIsOff) {
  a.options["spoof_guard"] = "false";
  build();
  auto all = std::vector<std::string>{};
  for (const auto& x : cases)
    all.emplace_back(x.name);
  EXPECT_EQ(arrived(), all);
}

// No rule sees frames to link-local addresses; the bridge must not believe
// them.
TEST_F(Guard, KeepsTheForwardingTableFromFramesToLinkLocalAddresses) {
  build();
  auto sender = frame_socket{places["a1"], "eth0"};
  for (uint8_t last : {0x03, 0x0e}) {
    const auto to = mac_address{{0x01, 0x80, 0xc2, 0, 0, last}};
    sender.send(ethernet(to, stranger, 0x88cc) + bytes(60));
    sender.send(ethernet(to, other, 0x88cc) + bytes(60));
  }
  const auto table
    = output_of("bridge fdb show br " + driver->network_interface(a));
  EXPECT_EQ(table.find(to_string(stranger)), std::string::npos) << table;
  // What is for a2 still goes there.
  EXPECT_NE(reach(places["host"], probe::kind::tcp, ip("10.1.0.3"), 80), "");
}

TEST_F(Guard, KeepsTheForwardingTableOfABridgeThatTheUserMade) {
  ASSERT_EQ(shell("ip link add br7 type bridge; ip link set br7 up"), 0);
  a.options["name"] = "br7";
  build();
  auto sender = frame_socket{places["a1"], "eth0"};
  const auto to = mac_address{{0x01, 0x80, 0xc2, 0, 0, 0x0e}};
  sender.send(ethernet(to, stranger, 0x88cc) + bytes(60));
  sender.send(ethernet(to, other, 0x88cc) + bytes(60));
  const auto table = output_of("bridge fdb show br br7");
  EXPECT_EQ(table.find(to_string(stranger)), std::string::npos) << table;
  EXPECT_NE(reach(places["host"], probe::kind::tcp, ip("10.1.0.3"), 80), "");
}

TEST_F(Guard, KeepsRouterAdvertsAwayFromTheHost) {
  build();
  auto sender = frame_socket{places["a1"], "eth0"};
  auto bridge = frame_socket{"", driver->network_interface(a)};
  auto tag = std::string{"advert-for-the-host"};
  sender.send(ethernet(mac_address{{0x33, 0x33, 0, 0, 0, 1}}, own, 0x86dd)
              + packet(ip(own_link_local), ip("ff02::1"), icmp6_number,
                       icmp6(134, ip("::")) + bytes{tag.begin(), tag.end()}));
  EXPECT_FALSE(bridge.receives(tag, 100));
}

} // namespace

} // namespace troupe::test
