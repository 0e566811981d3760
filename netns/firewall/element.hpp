#pragma once

#include "troupe/config/model/address.hpp"
#include "troupe/config/model/error.hpp"
#include "troupe/config/model/field.hpp"
#include "troupe/config/model/instance.hpp"
#include "troupe/config/model/port.hpp"

#include <compare>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The firewall's vocabulary. Its rules never change; networks, addresses and
/// ports are elements of the sets and maps listed here, typed data that cannot
/// become anything else.
namespace troupe::netns::firewall {

/// The sets and maps of the ruleset; `schema_of` says what is in each.
enum class set_id : uint8_t {
  within,          ///< A network to itself: accept, or in_nat without ICC.
  hairpin,         ///< A network to itself, for address translation.
  self4,           ///< An address to itself, where bridged packets come here.
  self6,           ///< The same, IPv6.
  networks,        ///< Bridges: packets to them keep their source.
  allowed,         ///< From one interface to another: accept.
  leave,           ///< From a network to elsewhere.
  enter,           ///< From elsewhere to a network.
  open4,           ///< Ports that may be reached in routed mode.
  open6,           ///< The same, IPv6.
  publish4_addr,   ///< Host address and port to container address and port.
  publish4_any,    ///< Host port, at any address of the host.
  publish6_addr,   ///< The same, IPv6.
  publish6_any,    ///< The same, IPv6.
  source4,         ///< Networks that leave with a fixed source address.
  source6,         ///< The same, IPv6.
  masquerade_from, ///< Networks that leave with an address of the host.
  proxied,         ///< Host ports that the proxy serves, too.
  by_proxy,        ///< Those that it alone serves for a network.
  proxied_udp,  ///< UDP ports of it and the rules, at any address of the host.
  proxied_udp4, ///< The same, at one address.
  proxied_udp6, ///< The same, IPv6.
  no_router,    ///< Families forwarded because of us, for us alone.
  unguarded,    ///< Bridge ports of ours without a spoofing guard.
  guard_mac,    ///< MAC addresses of the others.
  guard_ip4,    ///< Their IPv4 addresses.
  guard_ip6,    ///< Their IPv6 addresses, link-local ones included.
  guard_nd,     ///< The same, as neighbour discovery announces them.
};

inline constexpr size_t set_count = 28;

/// The type of one part of a key or of data; nft's names.
enum class part : uint8_t {
  nf_proto,     ///< Address family.
  ifname,       ///< Interface name.
  ether_addr,   ///< MAC address.
  ipv4_addr,    ///<
  ipv6_addr,    ///<
  inet_proto,   ///< Transport protocol.
  inet_service, ///< Port.
  nd_target,    ///< An IPv6 address that nft knows as a number only.
  verdict,      ///< What becomes of the packet; in data only.
};

/// What a verdict map may say; the chains are those of the ruleset.
enum class verdict : uint8_t {
  accept,
  drop,
  in_nat,      ///< Published ports only.
  in_open,     ///< Everything.
  in_routed,   ///< Open ports and ICMP.
  in_internal, ///< Nothing.
};

/// `accept`, `drop`, or the chain's name.
std::string_view to_string(verdict x);

/// Which of our two tables a set is in.
enum class table_family : uint8_t { inet, bridge };

inline constexpr table_family both_tables[]
  = {table_family::inet, table_family::bridge};

/// How a set is made; ruleset, text and netlink encoding follow from this.
struct set_schema {
  set_id id;
  std::string_view name;
  table_family family;
  std::vector<part> key;
  std::vector<part> data = {}; ///< Empty: a set, not a map.
};

/// The schema of a set. @thread_safety Any thread.
const set_schema& schema_of(set_id id);

/// The schemas of all sets, in the order of `set_id`.
std::span<const set_schema> all_sets();

/// The set of that name; null if there is none.
const set_schema* find_set(table_family family, std::string_view name);

/// One element. Ordered and comparable, so that what is wanted and what is
/// there can be compared. Made by `make_element` only.
struct element {
  set_id set = set_id::within;
  std::vector<uint8_t> key;  ///< As the kernel has it: padded to 4 per part.
  std::vector<uint8_t> data; ///< Likewise; a verdict is one byte.

  static constexpr auto fields() {
    return std::tuple{field{"set", &element::set}, field{"key", &element::key},
                      field{"data", &element::data}};
  }

  auto operator<=>(const element&) const = default;
  bool operator==(const element&) const = default;
};

/// One value of a key or of data.
using value = std::variant<ip_family, std::string_view, mac_address, ip_address,
                           protocol, uint16_t, verdict>;

/// Makes an element and checks it against the schema. Errors:
/// `invalid_argument` for an interface name that is not plain
/// (`is_plain_interface`); `internal` when a value is of another type than the
/// schema says.
result<element> make_element(set_id set, std::initializer_list<value> key,
                             std::initializer_list<value> data = {});

/// True for 1 to 15 of `A-Z a-z 0-9 _ . @ -`: names that mean nothing to nft.
bool is_plain_interface(std::string_view name);

/// The element as nft writes it: `tcp . 8080 : 10.1.0.2 . 80`. For messages,
/// and for the ruleset. Errors: `invalid_argument` for bytes that do not fit
/// the schema or hold an interface name that is not plain.
result<std::string> to_text(const element& x);

/// One step of a transaction.
struct element_change {
  bool add = true; ///< Else delete.
  element what;

  static constexpr auto fields() {
    return std::tuple{field{"add", &element_change::add},
                      field{"what", &element_change::what}};
  }
};

/// Packets with this mark are accepted: `(mark & mask) == value`.
struct accept_mark {
  uint32_t value = 0;
  uint32_t mask = 0xffffffff;

  /// `MARK[/MASK]`, numbers as in C. Errors: `invalid_argument`; a value with
  /// bits outside the mask never matches and is refused.
  static result<accept_mark> parse(std::string_view text);

  auto operator<=>(const accept_mark&) const = default;
  bool operator==(const accept_mark&) const = default;
};

/// What is filled into the ruleset, once for the whole daemon.
struct settings {
  std::string table; ///< `table_name(owner)`.
  std::optional<accept_mark> mark;
  uint32_t group = 0; ///< Interface group of our links; its lowest bit is 0.
};

/// Table and group of a daemon, without a mark.
settings settings_of(const instance& owner);

/// Name of our two tables, `inet` and `bridge`: `troupe_` and six hex digits,
/// so that many daemons live on one host.
std::string table_name(const instance& owner);

/// A chain of somebody else that drops forwarded packets by default. Accepting
/// a packet in our table does not keep it from being dropped there.
struct foreign_chain {
  std::string family; ///< `ip`, `ip6` or `inet`.
  std::string table;
  std::string chain;
  int priority = 0;

  auto operator<=>(const foreign_chain&) const = default;
  bool operator==(const foreign_chain&) const = default;
};

} // namespace troupe::netns::firewall
