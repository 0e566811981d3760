#pragma once

#include "troupe/config/model/address.hpp"
#include "troupe/config/model/error.hpp"
#include "troupe/config/model/field.hpp"
#include "troupe/netns/firewall/element.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace troupe::netns {

/// Names a pinned network namespace: a file that can be opened, and the inode
/// it must have. A value, so that it fits into messages and records; every use
/// opens the file anew and compares, so a replaced mount is noticed.
struct namespace_ref {
  std::string path;
  uint64_t inode = 0;

  static constexpr auto fields() {
    return std::tuple{field{"path", &namespace_ref::path},
                      field{"inode", &namespace_ref::inode}};
  }
};

/// Flags of a bridge port, as in `bridge link set`.
struct port_flags {
  bool isolated = false; ///< Talks to non-isolated ports only.
  bool hairpin = false;  ///< Frames may leave where they came in.
  bool learning = true;  ///< Learns source addresses.
  bool flood = true;     ///< Frames for unknown addresses leave here, too.
  bool broadcast_flood = true; ///< So do broadcasts.
  bool multicast_flood = true; ///< So do multicasts that nobody asked for.
  bool locked = false;         ///< Only known source addresses may send.

  static constexpr auto fields() {
    return std::tuple{field{"isolated", &port_flags::isolated},
                      field{"hairpin", &port_flags::hairpin},
                      field{"learning", &port_flags::learning},
                      field{"flood", &port_flags::flood},
                      field{"broadcast_flood", &port_flags::broadcast_flood},
                      field{"multicast_flood", &port_flags::multicast_flood},
                      field{"locked", &port_flags::locked}};
  }
};

/// A link as the kernel reports it.
struct link_info {
  int index = 0;
  std::string name;
  std::string kind; ///< `bridge`, `veth`, …; empty for loopback and hardware.
  mac_address mac;
  uint32_t mtu_bytes = 0;
  bool up = false;                ///< Administratively (IFF_UP).
  int master = 0;                 ///< Index of its bridge, 0 if none.
  uint32_t group = 0;             ///< Interface group; marks what is ours.
  std::string alias;              ///< IFLA_IFALIAS; carries the owner's id.
  std::optional<port_flags> port; ///< If the master is a bridge.
  /// Bridges: learns from frames to 01:80:c2:00:00:0x, which no rule sees.
  bool learns_link_local = false;
  bool port_blocked = false;   ///< It could forward frames and does not.
  bool arp = true;             ///< Asks for addresses of neighbours.
  bool stp = false;            ///< Bridge: speaks the spanning tree protocol.
  bool vlan_filtering = false; ///< Bridge: knows ports by VLAN.
};

/// Counters of one link.
struct link_statistics {
  uint64_t rx_bytes = 0, rx_packets = 0, rx_errors = 0, rx_dropped = 0;
  uint64_t tx_bytes = 0, tx_packets = 0, tx_errors = 0, tx_dropped = 0;
};

/// What a new bridge is given in its one RTM_NEWLINK. It is created down.
struct bridge_request {
  std::string name;       ///< 1 to 15 bytes.
  mac_address mac;        ///< Explicit, so that it never changes with ports.
  uint32_t mtu_bytes = 0; ///< 0: the kernel's default.
  uint32_t group = 0;
  bool vlan_filtering = false;
  bool multicast_snooping = true;
  bool learns_link_local = true; ///< As in `link_info`.
};

/// What a new veth pair is given in its one RTM_NEWLINK: the peer is made
/// inside its namespace under its final name and MAC, the host end is enslaved
/// and raised. Nothing is moved or renamed afterwards. The peer is down.
struct veth_request {
  std::string name;       ///< Host end, 1 to 15 bytes.
  mac_address mac;        ///< Host end; explicit, so that udev leaves it alone.
  int master = 0;         ///< Index of the bridge, 0 for none.
  uint32_t mtu_bytes = 0; ///< Both ends; 0: the kernel's default.
  uint32_t group = 0;     ///< Host end.
  bool up = true;         ///< Host end.
  std::string alias;      ///< Host end; empty: none; at most 255 bytes.
  std::string peer_name;
  mac_address peer_mac;
  namespace_ref peer_namespace;
};

/// Changes to a link; what is not set stays.
struct link_change {
  std::optional<bool> up;
  std::optional<int> master; ///< 0 releases the link from its bridge.
  std::optional<uint32_t> mtu_bytes;
  std::optional<mac_address> mac;
  std::optional<uint32_t> group;
  std::optional<std::string> alias; ///< At most 255 bytes.
  std::optional<std::string> name;
  std::optional<bool> learns_link_local; ///< Bridges only.
  std::optional<bool> arp;
  std::optional<bool> stp;            ///< Of a bridge.
  std::optional<bool> vlan_filtering; ///< Of a bridge.

  /// Of a bridge port; false lets it forward frames, true is EINVAL.
  std::optional<bool> port_blocked;
};

/// Who made a route or rule, as the kernel notes it (rtnetlink(7)); zero in a
/// deletion: anybody.
inline constexpr uint8_t made_by_kernel = 2; ///< For an address.
inline constexpr uint8_t made_by_admin = 4;  ///< `static`.
inline constexpr uint8_t made_by_troupe = 116;

/// The tables that every namespace has.
inline constexpr uint32_t main_table = 254;
inline constexpr uint32_t local_table = 255;

/// What a route does with a packet; others are `other`.
enum class route_type : uint8_t { unicast, local, broadcast, multicast, other };

/// A route.
struct route_info {
  ip_family family = ip_family::v4;
  std::optional<prefix> destination; ///< Empty: the default route.
  std::optional<ip_address> gateway; ///< Empty: on-link.
  int index = 0;                     ///< Output link.
  uint32_t metric = 0;
  uint32_t table = main_table;
  uint8_t protocol = made_by_admin;
  route_type type = route_type::unicast;
  std::optional<ip_address> source = {}; ///< Of packets without one; IPv4.

  auto operator<=>(const route_info&) const = default;
  bool operator==(const route_info&) const = default;
};

/// A routing rule, as in `ip rule`. What is not set matches everything.
struct rule_info {
  ip_family family = ip_family::v4;
  uint32_t priority = 0; ///< Least first.
  std::optional<prefix> from;
  std::optional<prefix> to;
  std::string output; ///< Name of the link that a socket is bound to.
  std::optional<protocol> proto;
  uint16_t first_port = 0; ///< Source ports; 0: any.
  uint16_t last_port = 0;

  uint32_t table = 0; ///< Where to look; 0 with `jump`, or no look-up.
  uint32_t jump = 0;  ///< Go on at the rule of this priority.
  /// A default route found there does not count
  /// (`suppress_prefixlength 0`).
  bool no_default = false;
  uint8_t made_by = made_by_troupe;

  /// When listed: it has conditions or an action that are not told here.
  bool says_more = false;

  auto operator<=>(const rule_info&) const = default;
  bool operator==(const rule_info&) const = default;
};

/// An entry of the neighbour table: who has an address.
struct neighbour_info {
  int index = 0;
  ip_address address;
  mac_address mac;

  auto operator<=>(const neighbour_info&) const = default;
  bool operator==(const neighbour_info&) const = default;
};

/// An address and the link it is on.
struct placed_address {
  int index = 0;
  interface_address address;

  auto operator<=>(const placed_address&) const = default;
  bool operator==(const placed_address&) const = default;
};

/// The sysctls we ever write: a closed list, so that no user text reaches a
/// path under /proc/sys. Per interface unless noted; `interface` may also be
/// `all` or `default`.
enum class sysctl : uint8_t {
  ipv6_disable,          ///< net.ipv6.conf.IF.disable_ipv6
  ipv6_accept_ra,        ///< net.ipv6.conf.IF.accept_ra
  ipv6_accept_redirects, ///< net.ipv6.conf.IF.accept_redirects
  ipv6_autoconf,         ///< net.ipv6.conf.IF.autoconf
  ipv6_addr_gen_mode,    ///< net.ipv6.conf.IF.addr_gen_mode (1: no link-local)
  ipv6_accept_dad,       ///< net.ipv6.conf.IF.accept_dad (0: no detection)
  ipv6_forwarding,       ///< net.ipv6.conf.IF.forwarding
  ipv4_forwarding,       ///< net.ipv4.conf.IF.forwarding
  ipv4_accept_redirects, ///< net.ipv4.conf.IF.accept_redirects
};

/// A tracked connection.
struct connection_info {
  std::optional<protocol> proto; ///< Empty: one without ports, e.g. ICMP.
  ip_address client;             ///< Who began it, before translation.
  uint16_t client_port = 0;
  ip_address host; ///< What it was made to, before translation.
  uint16_t host_port = 0;
  ip_address server; ///< Who answers, after translation.
  uint16_t server_port = 0;
  bool source_translated = false; ///< The server sees another client.
  bool answered = false;          ///< The server has sent something.

  bool destination_translated() const {
    return host != server || host_port != server_port;
  }

  auto operator<=>(const connection_info&) const = default;
  bool operator==(const connection_info&) const = default;
};

/// Connections to forget. All that is given must match.
struct conntrack_filter {
  /// Of the container: who began the connection or who answers it, after
  /// address translation.
  std::optional<ip_address> address;

  /// What the connection was made to, before address translation. A port needs
  /// a protocol.
  std::optional<ip_address> host_address;
  std::optional<protocol> proto;
  uint16_t host_port = 0; ///< 0: any.

  /// Who answers, after address translation. A port needs a protocol.
  std::optional<ip_address> server;
  uint16_t server_port = 0; ///< 0: any.

  bool untranslated = false; ///< Only those of which neither end is.
  bool unanswered = false;   ///< Only those whose server was silent so far.

  ip_family family = ip_family::v4; ///< Of the connections.

  auto operator<=>(const conntrack_filter&) const = default;
  bool operator==(const conntrack_filter&) const = default;
};

/// Would a flush with this filter forget the connection?
bool matches(const conntrack_filter& filter, const connection_info& x);

/// The one door to the kernel. An object of this class is bound to one network
/// namespace, the one it was opened in; `enter` gives one for another.
///
/// Contract, for every method:
/// - *Blocking*: may take as long as the kernel's locks are held.
/// - *Threads*: one caller at a time; any thread.
/// - *Errors*: `os_error` holds the kernel's errno, the message the operation,
///   the object and the kernel's own explanation when it gave one.
///   EEXIST is `conflict`; ENODEV, ENOENT and ESRCH are `not_found`.
/// - A method that lists returns everything or an error, never a part: an
///   interrupted dump is repeated (at most 10 times).
class kernel {
public:
  virtual ~kernel() = default;

  // -- namespaces ------------------------------------------------------------

  /// Makes a namespace and pins it by a bind mount at `<pins>/<name>`. The
  /// calling thread stays where it is. In the new namespace `lo` is up and
  /// IPv6 is disabled (`all` and `default`), so that links of IPv4-only
  /// networks stay quiet; router advertisements and redirects are not listened
  /// to (`default`, IPv4 redirects `all` as well). Errors: EEXIST if the pin
  /// exists.
  virtual result<namespace_ref> create_namespace(const std::string& name) = 0;

  /// Makes one more namespace for a later `create_namespace` to take, if fewer
  /// than `wanted` are ready: making one takes longer than pinning one. They
  /// have no name and die with this object.
  /// @returns whether `wanted` are ready now.
  virtual result<bool> prepare_namespace(size_t wanted) {
    static_cast<void>(wanted);
    return true;
  }

  /// Pins a namespace that somebody else made. Errors: `not_found`;
  /// `invalid_argument` if `path` is no network namespace; `forbidden` if it
  /// is the host's own; EEXIST if the pin exists.
  virtual result<namespace_ref>
  adopt_namespace(const std::string& name, const std::string& path) = 0;

  /// Removes a pin. A namespace without processes and other references dies
  /// with its links, asynchronously. Absent is `not_found`.
  virtual result<void> remove_namespace(const std::string& name) = 0;

  /// Keeps a pinned namespace open until its removal, so that it outlives its
  /// pin; done for those that this object made or adopted.
  virtual void
  keep_namespace(const std::string& name, const namespace_ref& ns) {
    static_cast<void>(name);
    static_cast<void>(ns);
  }

  /// A path to a namespace whose pin somebody took away: of one that this
  /// object keeps open, else of a process in it.
  /// For `adopt_namespace`. Errors: `not_found`.
  virtual result<std::string> find_namespace(uint64_t inode) = 0;

  /// The pins present, by name. A file whose namespace is gone (unmounted by
  /// somebody) is listed with inode 0.
  virtual result<std::vector<std::pair<std::string, namespace_ref>>>
  namespaces() = 0;

  /// Opens a kernel object in another namespace. Errors: `not_found` when the
  /// pin is gone or is a different namespace than `ns.inode` says.
  virtual result<std::unique_ptr<kernel>> enter(const namespace_ref& ns) = 0;

  // -- links -----------------------------------------------------------------

  /// @returns the index. Errors: EEXIST, EINVAL (bad name).
  virtual result<int> add_bridge(const bridge_request& request) = 0;

  /// The host end makes itself no link-local address. Where the kernel takes
  /// the alias in a second request, a failure of that removes the pair.
  /// @returns the host end's index. Errors: EEXIST (either name), ENODEV (no
  /// such master), EXFULL (the bridge has 1 023 ports), EINVAL.
  virtual result<int> add_veth(const veth_request& request) = 0;

  /// Errors: ENODEV.
  virtual result<void> del_link(int index) = 0;

  /// Deletes all links of a group in one request; far cheaper than one by
  /// one. Errors: ENODEV when there are none.
  virtual result<void> del_group(uint32_t group) = 0;

  /// Errors: ENODEV; ENODEV for an unknown master; EEXIST for a taken name;
  /// EBUSY for naming a running link before Linux 6.2, even as it is named.
  /// What comes before the name (MAC, MTU, group) is done all the same.
  virtual result<void> set_link(int index, const link_change& change) = 0;

  /// Errors: EOPNOTSUPP if the link is no bridge port, ENODEV.
  virtual result<void> set_port_flags(int index, const port_flags& flags) = 0;

  /// Binds a MAC address to a bridge port (a static forwarding entry): frames
  /// to it leave there, and no other port can claim it. It goes with the port.
  /// Errors: ENODEV; EOPNOTSUPP or EINVAL if the link is no bridge port.
  virtual result<void> bind_mac(int index, const mac_address& mac) = 0;

  /// Cheap look-up of an index by name. An absent name costs nothing either:
  /// the ioctl for this has modprobe look for a driver of that name. Errors:
  /// ENODEV.
  virtual result<int> link_index(const std::string& name) = 0;

  /// Errors: ENODEV.
  virtual result<link_info> link(int index) = 0;

  virtual result<std::vector<link_info>> links() = 0;

  /// Errors: ENODEV.
  virtual result<link_statistics> statistics(int index) = 0;

  // -- addresses, routes, neighbours -----------------------------------------

  /// Adds an address without duplicate address detection: uniqueness is ours.
  /// Errors: EEXIST; ENODEV; EACCES or EPERM when IPv6 is disabled on it.
  virtual result<void> add_address(int index, const interface_address& x) = 0;

  /// Other addresses of the same subnet stay, though without the sysctl
  /// `promote_secondaries` the kernel takes them along with the first one.
  /// Errors: EADDRNOTAVAIL; ENODEV.
  virtual result<void> del_address(int index, const interface_address& x) = 0;

  /// All addresses of the link but the IPv6 link-local ones that the kernel
  /// makes: those it made, and those made of a MAC address as it does. Whether
  /// one is there is told by its route.
  virtual result<std::vector<interface_address>> addresses(int index) = 0;

  /// The addresses of all links, likewise.
  virtual result<std::vector<placed_address>> all_addresses() = 0;

  /// Tells the neighbours who has an address, so that they forget whom they
  /// knew before. IPv4: a gratuitous ARP request, through any link; of a
  /// bridge it goes to all ports, and opening the namespace behind one for it
  /// would cost more. IPv6: an unsolicited neighbour advertisement, through
  /// the link that has the address. Errors: ENODEV; ENETDOWN (IPv4);
  /// EADDRNOTAVAIL (IPv6).
  virtual result<void> announce(const neighbour_info& x) = 0;

  /// One of protocol `kernel` may stand beside that of another link.
  /// Errors: EEXIST; ENETUNREACH (gateway not on-link); ENETDOWN; ENODEV.
  virtual result<void> add_route(const route_info& x) = 0;

  /// Errors: ESRCH.
  virtual result<void> del_route(const route_info& x) = 0;

  /// Unicast routes of the main table, without those the kernel makes itself
  /// for addresses (protocol `kernel`).
  virtual result<std::vector<route_info>> routes() = 0;

  /// Every route through a link, of all tables and protocols: those that the
  /// kernel made for its addresses as well. None for an unknown link.
  virtual result<std::vector<route_info>> link_routes(int index) = 0;

  /// Errors: EEXIST, for exactly the same rule; EINVAL.
  virtual result<void> add_rule(const rule_info& x) = 0;

  /// Errors: ENOENT.
  virtual result<void> del_rule(const rule_info& x) = 0;

  /// All but those that every namespace has (protocol `kernel`), in the order
  /// in which they are asked, IPv4 first.
  virtual result<std::vector<rule_info>> rules() = 0;

  /// Every subnet that is on-link or routed in the main table, kernel-made
  /// ones included; automatic pools must not overlap them.
  virtual result<std::vector<prefix>> routed_subnets() = 0;

  /// Makes a permanent entry and replaces one of the same address. Errors:
  /// ENODEV.
  virtual result<void> set_neighbour(const neighbour_info& x) = 0;

  /// Forgets who has the address, whether somebody said so or it was learned.
  /// Errors: ENOENT.
  virtual result<void> del_neighbour(const neighbour_info& x) = 0;

  /// The permanent entries of a link; learned ones come and go.
  virtual result<std::vector<neighbour_info>> neighbours(int index) = 0;

  /// Who has an address at the moment, whether somebody said so or it was
  /// learned. Errors: ENOENT when nobody is known to; ENODEV.
  virtual result<neighbour_info> neighbour(int index, const ip_address& address)
    = 0;

  // -- sysctls ---------------------------------------------------------------

  /// Succeeds without writing if the value is there already (a read-only
  /// /proc/sys with the right value is fine). Errors: ENOENT (no such
  /// interface), EROFS, EACCES.
  virtual result<void>
  set_sysctl(sysctl key, const std::string& interface, int value) = 0;

  /// Errors: ENOENT.
  virtual result<int> read_sysctl(sysctl key, const std::string& interface) = 0;

  // -- firewall --------------------------------------------------------------

  /// Brings our two tables to these rules and exactly these elements, as one
  /// transaction. Sets of a table that has our chains and sets stay, so there
  /// is no instant without rules; any other is made anew. Makes the user's
  /// chain if it is missing and never touches it otherwise. Runs `nft` once (a
  /// second time when a table is not what it seems), so it takes some ms and
  /// 15 ms per 1 000 elements that differ: for start and repair. Errors:
  /// `unsupported`, naming what the kernel lacks, or that there is no `nft`;
  /// `invalid_argument` (an element twice, a wrong one).
  virtual result<void>
  load_firewall(const firewall::settings& rules,
                std::span<const firewall::element> elements)
    = 0;

  /// Adds and deletes elements, in this order, as one transaction. Takes some
  /// microseconds each, whatever is there. Errors: EEXIST (adding what is
  /// there), ENOENT (deleting what is not there; there is no such table);
  /// nothing is changed then.
  virtual result<void>
  change_elements(const std::string& table,
                  std::span<const firewall::element_change> changes)
    = 0;

  /// All elements of our tables, sorted. Errors: ENOENT when one of the tables
  /// or of the sets is not there.
  virtual result<std::vector<firewall::element>>
  list_elements(const std::string& table) = 0;

  /// Removes our two tables; done if they are not there. The user's chain
  /// stays.
  virtual result<void> remove_firewall(const std::string& table) = 0;

  /// Chains of others that drop what our tables accept. Sorted.
  virtual result<std::vector<firewall::foreign_chain>> forward_blockers() = 0;

  /// Forgets the tracked connections that match one of the filters; done if
  /// there are none. Each filter is a walk or two through the kernel's table
  /// (0.4 ms when it is nearly empty, 50 ms with 100 000 connections), many of
  /// them together one longer walk. Errors: `invalid_argument` for a filter
  /// that would match every connection, nothing is done then.
  /// @note Kernels before 6.0 do not know the last two conditions and forget
  ///       the other connections to that port as well.
  virtual result<void>
  flush_conntrack(std::span<const conntrack_filter> filters) = 0;

  /// The tracked connections of both families in the default zone. One walk:
  /// 20 ms when there are few, 250 ms for 100 000.
  virtual result<std::vector<connection_info>> connections() = 0;
};

/// Opens a kernel object in the namespace of the calling thread; each actor
/// that touches the kernel gets its own.
using kernel_factory = std::function<result<std::unique_ptr<kernel>>()>;

} // namespace troupe::netns
