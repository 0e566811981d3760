#pragma once

#include "troupe/netns/firewall/messages.hpp"
#include "troupe/netns/firewall/ruleset.hpp"
#include "troupe/netns/firewall/senders.hpp"
#include "troupe/netns/real/namespace.hpp"
#include "troupe/netns/real/route.hpp"
#include "troupe/netns/real/socket.hpp"
#include "troupe/netns/real/sysctl.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>

/// The class behind `open_netlink_kernel`; private to netns. Its methods are
/// in kernel.cpp (namespaces, sysctls), kernel_links.cpp,
/// kernel_routes.cpp and kernel_firewall.cpp.
namespace troupe::netns {

/// `what index`, for messages.
inline std::string numbered(std::string_view what, int index) {
  return std::string{what}.append(" ").append(std::to_string(index));
}

/// The real kernel, through one rtnetlink socket of its namespace.
class netlink_kernel : public kernel {
public:
  /// What an object shares with those it enters.
  struct origin {
    pin_directory pins;
    uint64_t host_inode = 0; ///< The host's namespace.
    std::shared_ptr<sysctl_files> files;
    std::shared_ptr<firewall::sender_list> senders; ///< May be null.
  };

  /// @param ns The namespace of `socket`.
  /// @param settings Those of `ns`.
  netlink_kernel(origin from, unique_fd ns, netlink_socket socket,
                 sysctls settings)
    : origin_(std::move(from)), ns_(std::move(ns)), socket_(std::move(socket)),
      sysctls_(std::move(settings)) {
  }

  ~netlink_kernel() override;

  result<namespace_ref> create_namespace(const std::string& name) override;
  result<bool> prepare_namespace(size_t wanted) override;
  result<namespace_ref>
  adopt_namespace(const std::string& name, const std::string& path) override;
  result<void> remove_namespace(const std::string& name) override;
  void
  keep_namespace(const std::string& name, const namespace_ref& ns) override;
  result<std::string> find_namespace(uint64_t inode) override;
  result<std::vector<std::pair<std::string, namespace_ref>>>
  namespaces() override;
  result<std::unique_ptr<kernel>> enter(const namespace_ref& ns) override;

  result<int> add_bridge(const bridge_request& request) override;
  result<int> add_veth(const veth_request& request) override;
  result<void> del_link(int index) override;
  result<void> del_group(uint32_t group) override;
  result<void> set_link(int index, const link_change& change) override;
  result<void> set_port_flags(int index, const port_flags& flags) override;
  result<void> bind_mac(int index, const mac_address& mac) override;
  result<int> link_index(const std::string& name) override;
  result<link_info> link(int index) override;
  result<std::vector<link_info>> links() override;
  result<link_statistics> statistics(int index) override;

  result<void> add_address(int index, const interface_address& x) override;
  result<void> del_address(int index, const interface_address& x) override;
  result<std::vector<interface_address>> addresses(int index) override;
  result<std::vector<placed_address>> all_addresses() override;
  result<void> announce(const neighbour_info& x) override;
  result<void> add_route(const route_info& x) override;
  result<void> del_route(const route_info& x) override;
  result<std::vector<route_info>> routes() override;
  result<std::vector<route_info>> link_routes(int index) override;
  result<void> add_rule(const rule_info& x) override;
  result<void> del_rule(const rule_info& x) override;
  result<std::vector<rule_info>> rules() override;
  result<std::vector<prefix>> routed_subnets() override;
  result<void> set_neighbour(const neighbour_info& x) override;
  result<void> del_neighbour(const neighbour_info& x) override;
  result<std::vector<neighbour_info>> neighbours(int index) override;
  result<neighbour_info>
  neighbour(int index, const ip_address& address) override;

  result<void>
  set_sysctl(sysctl key, const std::string& interface, int value) override;
  result<int> read_sysctl(sysctl key, const std::string& interface) override;

  result<void>
  load_firewall(const firewall::settings& rules,
                std::span<const firewall::element> elements) override;
  result<void>
  change_elements(const std::string& table,
                  std::span<const firewall::element_change> changes) override;
  result<std::vector<firewall::element>>
  list_elements(const std::string& table) override;
  result<void> remove_firewall(const std::string& table) override;
  result<std::vector<firewall::foreign_chain>> forward_blockers() override;
  result<void>
  flush_conntrack(std::span<const conntrack_filter> filters) override;
  result<std::vector<connection_info>> connections() override;

private:
  // Whether there is a link with that index.
  bool exists(int index) const;

  // The index of a link that was just made.
  result<int> index_of_new(const std::string& name) const;

  // Deletes an address that is not the only one of its subnet.
  result<void> del_one_of_subnet(int index, const interface_address& x);

  // Calls `visit` for each route of a table, through a link; zero: any.
  result<void> each_route(uint32_t table, int index,
                          const std::function<void(const known_route&)>& visit);

  // The socket for nf_tables and connection tracking, opened when needed.
  result<netlink_socket*> firewall_socket();

  // Lists the sets one by one.
  static result<std::vector<firewall::element>>
  list_once(netlink_socket& socket, const std::string& table);
  static result<void>
  append_elements(netlink_socket& socket, firewall::table_family family,
                  const std::string& table,
                  std::vector<firewall::element>& out);

  // Those of our tables that are as the ruleset makes them, but perhaps for
  // their rules and elements. What cannot be read is not.
  result<std::vector<firewall::sound_table>>
  sound_tables(const std::string& table);

  // Loads the ruleset as one transaction.
  result<void> load_once(const firewall::settings& rules,
                         std::span<const firewall::element> elements,
                         std::span<const firewall::sound_table> sound);

  // All chains on the hook `forward`.
  result<std::vector<firewall::forward_chain>> forward_chains();

  origin origin_;
  std::vector<unique_fd> ready_; // Namespaces that wait for their name.
  std::map<std::string, unique_fd> kept_; // Namespaces, by their pins.
  unique_fd ns_;
  netlink_socket socket_;
  unique_fd packet_; ///< For ARP. Kept: to close one takes the kernel 15 ms.
  sysctls sysctls_;
  std::optional<netlink_socket> firewall_;
  uint32_t firewall_port_ = 0; ///< Of that socket.
};

} // namespace troupe::netns
