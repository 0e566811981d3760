#pragma once

#include "troupe/drivers/driver.hpp"
#include "troupe/netns/undo_stack.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

/// How packets find their way out of a sandbox, the same for every driver.
///
/// Each endpoint has a routing table of its own with its subnets and its
/// network's gateways, and rules that lead there what is sent from its
/// addresses: answers leave where the request came in, whichever endpoint has
/// the default route of the main table. All of it carries our protocol; what
/// others made is not touched.
namespace troupe::drivers {

/// The metric of our default routes: a namespace's own ones, of a VPN or from
/// before it was adopted, come first.
inline constexpr uint32_t default_metric = 2048;

/// What an endpoint wants for that.
struct wanted_paths {
  uint32_t table = 0;    ///< Its own.
  std::string interface; ///< Inside.
  std::vector<interface_address> addresses;
  /// Where IPv6 is on; with it neighbours are found.
  std::optional<interface_address> link_local;
  std::vector<ip_address> gateways; ///< Of its network.
  std::vector<ip_address> defaults; ///< Of default routes.
  /// Ports whose servers may answer from no address in particular.
  std::vector<port_spec> udp_ports;
};

/// Pure. Internal networks have no gateways.
wanted_paths want_paths(const endpoint_plan& plan);

/// Its table, from the endpoint's id: apart from those that people choose.
uint32_t table_of(const endpoint_id& id);

/// Our default route through a link.
netns::route_info default_route_to(const ip_address& gateway, int index);

/// True for a default route that we made.
bool is_our_default(const netns::route_info& x);

/// Its rules. Pure.
std::vector<netns::rule_info> rules_of(const wanted_paths& wanted);

/// Everything that is to lead through its link: what the kernel makes for its
/// addresses, its own table, default routes. Pure.
std::vector<netns::route_info> routes_of(const wanted_paths& wanted, int index);

/// Routes and rules of a namespace.
struct present_paths {
  std::vector<netns::route_info> routes;
  std::vector<netns::rule_info> rules;
};

/// What is missing or too much, one line each. Pure.
std::vector<std::string> compare_paths(const present_paths& present,
                                       const wanted_paths& wanted, int index);

/// Reads those through a link, and the rules.
result<present_paths> read_paths(netns::kernel& inside, int index);

/// Makes rules and routes for an interface that is new.
result<void> build_paths(netns::kernel& inside, netns::undo_stack& undo,
                         const wanted_paths& wanted, int index);

/// Adds what is missing and removes what the endpoint no longer wants: the
/// routes that the kernel made for its addresses as well.
result<void> mend_paths(netns::kernel& inside, netns::undo_stack& undo,
                        const wanted_paths& wanted, int index);

/// Removes the endpoint's rules; its routes go with its interface.
result<void> remove_paths(netns::kernel& inside, const wanted_paths& wanted);

/// Removes rules of endpoints that are not there any more, without knowing
/// them: those from addresses that no link has, and to tables that no rule from
/// an address leads to.
result<void> remove_stale_paths(netns::kernel& inside);

} // namespace troupe::drivers
