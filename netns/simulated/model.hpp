#pragma once

#include "troupe/netns/simulated/kernel.hpp"
#include "troupe/netns/watch.hpp"

#include <array>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

/// The simulated machine's data and rules; private to `netns`.
namespace troupe::netns::simulation {

/// Number of entries in `enum class sysctl`.
inline constexpr size_t sysctl_count = 9;

/// IPv6 does not run on a link with a smaller MTU (RFC 8200).
inline constexpr uint32_t ipv6_least_mtu_bytes = 1280;

using sysctl_values = std::array<int, sysctl_count>;

/// A link and everything that hangs on it.
struct link_state {
  link_info info;
  bool loopback = false;
  bool own_mac = false; ///< Bridge: set by somebody, ports do not change it.
  bool own_mtu = false; ///< Bridge: likewise.
  uint64_t peer_ns = 0; ///< Veth: inode of the namespace of the other end.
  int peer = 0;         ///< Veth: index of the other end, 0: no veth.
  std::set<mac_address> bound; ///< Bridge ports: MACs bound to them.
  std::vector<interface_address> addresses;
  sysctl_values conf{};
  std::array<bool, sysctl_count> written{}; ///< Does not follow `default`.
  link_statistics counters;

  int& value(sysctl key) {
    return conf[static_cast<size_t>(key)];
  }
  int value(sysctl key) const {
    return conf[static_cast<size_t>(key)];
  }

  /// Does the link have the /proc/sys/net/ipv6 entries at all?
  bool has_ipv6() const {
    return loopback || info.mtu_bytes >= ipv6_least_mtu_bytes;
  }
  /// Does IPv6 run on it?
  bool runs_ipv6() const {
    return has_ipv6() && value(sysctl::ipv6_disable) == 0;
  }
  bool has_address(ip_family family) const;

  /// Its addresses as `kernel::addresses` tells them.
  std::vector<interface_address> listed() const;
};

/// Our two tables in a namespace.
struct firewall_tables {
  std::optional<firewall::accept_mark> mark;
  using key = std::pair<firewall::set_id, std::vector<uint8_t>>;
  std::map<key, std::vector<uint8_t>> elements; ///< With their data.
  bool has_rules = true; ///< Somebody may delete them and leave the rest.
  std::shared_ptr<const std::string> text; ///< The rules, as nft reads them.
};

/// A namespace.
struct space {
  uint64_t inode = 0;
  int next_index = 1; ///< Indices are never reused.
  int handles = 0;    ///< Open kernel objects keep a namespace alive.
  bool dying = false; ///< Waits for `finish_teardown`.
  std::map<int, link_state> links;
  std::set<route_info> routes; ///< Not those of addresses, see `kernel_routes`.
  std::set<route_info> lost;   ///< Those of addresses that somebody deleted.
  std::vector<rule_info> rules;          ///< By family and priority.
  std::vector<neighbour_info> announced; ///< The last 4 096.
  std::map<std::pair<int, ip_address>, mac_address> neighbours;
  sysctl_values all{};
  sysctl_values defaults{};
  std::map<std::string, firewall_tables> firewalls; ///< By name.
  bool user_chain = false;
  std::set<firewall::foreign_chain> foreign_chains;
  std::vector<connection_info> connections;

  link_state* find(int index);
  link_state* find(const std::string& name);
};

/// The whole machine. Not thread safe; `simulated_world` locks around it.
///
/// The methods are those of `kernel` with the namespace as first parameter,
/// plus what only a third party can do.
class model {
public:
  explicit model(std::string pins);

  // -- namespaces: namespaces.cpp ---------------------------------------------

  result<namespace_ref> create_namespace(const std::string& name);
  result<namespace_ref>
  adopt_namespace(const std::string& name, const std::string& path);
  result<void> remove_namespace(const std::string& name);
  std::vector<std::pair<std::string, namespace_ref>> pins() const;

  /// Inode of the namespace at a path, 0 for another file. Errors: ENOENT.
  result<uint64_t> look_up(const std::string& path) const;

  /// One that the caller keeps open, or that has a process. Errors: ENOENT.
  result<std::string> find_namespace(uint64_t inode, bool is_kept) const;

  /// Opens a path and compares the inode. Errors: `not_found`.
  result<space*> open(const namespace_ref& ns);

  /// By pin, external path, or "" for the host's. Errors: ENOENT.
  result<space*> named(const std::string& name);

  /// The namespace of an open kernel object. Errors: ENODEV after a reboot.
  result<space*> held(uint64_t inode);

  void acquire(uint64_t inode);
  void release(uint64_t inode);

  namespace_ref make_external(const std::string& path);
  result<void> drop_external(const std::string& path);
  result<void> unmount_pin(const std::string& name);
  result<void> replace_pin(const std::string& name);
  int finish_teardown();
  void reboot();

  // -- links: links.cpp -------------------------------------------------------

  int add_device(space& ns, link_state link);
  result<int> add_bridge(space& ns, const bridge_request& request);
  result<int> add_veth(space& ns, const veth_request& request);
  result<void> del_link(space& ns, int index);
  result<void> del_group(space& ns, uint32_t group);
  void move_link(space& from, int index, space& to);
  result<void> set_link(space& ns, int index, const link_change& change);
  result<void> set_port_flags(space& ns, int index, const port_flags& flags);
  result<void> bind_mac(space& ns, int index, const mac_address& mac);
  result<link_state*> link(space& ns, int index, std::string_view operation);

  // -- addresses, routes, neighbours: addresses.cpp, _routes.cpp --------------

  result<void> add_address(space& ns, int index, const interface_address& x);
  result<void> del_address(space& ns, int index, const interface_address& x);
  result<void> add_route(space& ns, route_info x);
  result<void> del_route(space& ns, const route_info& x);
  static result<void> add_rule(space& ns, const rule_info& x);
  result<void> del_rule(space& ns, const rule_info& x);
  result<void> announce(space& ns, const neighbour_info& x);
  result<void> set_neighbour(space& ns, const neighbour_info& x);
  result<void> del_neighbour(space& ns, const neighbour_info& x);
  result<neighbour_info>
  neighbour(space& ns, int index, const ip_address& address);

  /// Links on which IPv6 runs get a link-local address once they have a
  /// carrier: this one, its bridge and its other end.
  void settle_ipv6(space& ns, link_state& link);

  /// Effects of a cleared IFF_UP: routes, neighbours and IPv6 addresses are
  /// lost.
  void bring_down(space& ns, link_state& link);

  /// Drops what IPv6 has on a link, as when it is disabled there.
  void drop_ipv6(space& ns, link_state& link);

  // -- sysctls: sysctls.cpp ---------------------------------------------------

  result<void>
  set_sysctl(space& ns, sysctl key, const std::string& interface, int value);
  result<int> read_sysctl(space& ns, sysctl key, const std::string& interface);

  // -- firewall: firewall.cpp -------------------------------------------------

  result<void> load_firewall(space& ns, const firewall::settings& rules,
                             std::span<const firewall::element> elements);
  result<void>
  change_elements(space& ns, const std::string& table,
                  std::span<const firewall::element_change> changes);
  result<std::vector<firewall::element>>
  list_elements(const space& ns, const std::string& table) const;
  static result<void>
  flush_conntrack(space& ns, std::span<const conntrack_filter> filters);

  // -- events ----------------------------------------------------------------

  using observer = std::function<void(const kernel_event&)>;

  /// Called for each change, with the world locked.
  std::map<int, observer> observers;

  /// Reports a change of a namespace that is the host's or pinned.
  /// @param link the link concerned, null if the event names none.
  void emit(const space& ns, kernel_event::kind what,
            const link_state* link = nullptr);

  const std::string pins_directory;
  uint64_t host = 0; ///< Inode of the host's namespace.
  std::map<uint64_t, space> spaces;
  std::map<std::string, uint64_t> pinned;   ///< Name to inode, 0: unmounted.
  std::map<std::string, uint64_t> external; ///< Path to inode.
  std::set<std::string> plain_files;
  bool defer_teardown = false;
  bool read_only_sysctls = false;
  bool renames_running_links = true;

private:
  space& make_space();
  void write_link(space& ns, link_state& link, sysctl key, int value);
  void write_all(space& ns, sysctl key, int value);
  void emit_pin(const std::string& name);
  void make_quiet(space& ns);
  void make_link_local(space& ns, link_state& link);
  bool has_carrier(const space& ns, const link_state& link) const;
  void destroy_if_unused(uint64_t inode);
  void tear_down(space& ns);
  void erase_link(space& ns, int index);
  result<void> enslave(space& ns, link_state& link, int master);
  void release_port(space& ns, link_state& link);
  void follow_ports(space& ns, int bridge);
  result<void> set_mac(space& ns, link_state& link, const mac_address& mac);
  result<void> set_mtu(space& ns, link_state& link, uint32_t mtu_bytes);
  static result<void> set_details(link_state& link, const link_change& change);
  result<void> rename(space& ns, link_state& link, const std::string& name);
  mac_address next_mac();

  uint64_t next_inode_ = 4026532000;
  uint32_t next_mac_ = 1;
};

/// 68 to 65535, what Ethernet-like devices accept.
bool is_mtu(uint32_t mtu_bytes);

/// Routes that exist because of addresses on links that are up.
/// @param only the link with that index; 0: all.
std::vector<route_info> kernel_routes(const space& ns, int only = 0);

/// Those of them that are unicast ones of the main table.
std::vector<route_info> connected_routes(const space& ns, int only = 0);

/// Effects of IFF_UP on addresses: the loopback device gets its own.
void bring_up(link_state& link);

/// `operation object`: the start of every message.
std::string about(std::string_view operation, std::string_view object);

} // namespace troupe::netns::simulation
