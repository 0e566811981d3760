#pragma once

#include "troupe/config/model/endpoint.hpp"
#include "troupe/config/model/instance.hpp"
#include "troupe/config/model/network.hpp"
#include "troupe/config/model/port.hpp"
#include "troupe/netns/kernel.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::drivers {

/// What the actors must know about a kind of network.
struct traits {
  bool uses_addresses = true;  ///< Networks have pools, endpoints addresses.
  bool single_network = false; ///< At most one network (host, null).
  bool host_namespace = false; ///< Endpoints join host sandboxes only.
  bool uses_firewall = false;  ///< Networks and endpoints have elements.
};

/// Where an endpoint's interface goes.
struct attachment {
  netns::namespace_ref ns;       ///< Empty path for the host's namespace.
  std::string interface;         ///< Final name inside, e.g. `eth0`.
  bool default_route_v4 = false; ///< This endpoint gives the default route.
  bool default_route_v6 = false;

  static constexpr auto fields() {
    return std::tuple{field{"ns", &attachment::ns},
                      field{"interface", &attachment::interface},
                      field{"default_route_v4", &attachment::default_route_v4},
                      field{"default_route_v6", &attachment::default_route_v6}};
  }
};

/// Everything a driver needs to build or take down one endpoint.
struct endpoint_plan {
  network_spec network;
  endpoint_spec endpoint;
  attachment where;

  static constexpr auto fields() {
    return std::tuple{field{"network", &endpoint_plan::network},
                      field{"endpoint", &endpoint_plan::endpoint},
                      field{"where", &endpoint_plan::where}};
  }
};

/// A kernel object that carries our tag.
struct found_object {
  enum class kind : uint8_t { network, endpoint, doomed };
  kind what = kind::endpoint;
  std::string brief_id; ///< First 12 digits of the owner's id; empty: doomed.
  int index = 0;
  std::string name;
};

/// An interface and what hangs on it, as somebody has read it.
struct seen_interface {
  netns::link_info link;
  std::string bridge;                       ///< Name of its master.
  std::vector<interface_address> addresses; ///< As `kernel::addresses` has it.
  std::vector<netns::route_info> routes;    ///< Through it, of all tables.
  std::vector<netns::rule_info> rules;      ///< Of its namespace.
};

using firewall_elements = std::vector<netns::firewall::element>;

/// How connections to a published port reach their endpoint.
struct port_delivery {
  bool rules = false; ///< By elements of the firewall.
  bool proxy = false; ///< By `troupe-proxy`, to whom the rules lead nowhere.
  /// Where the proxy connects to; set if the port leads anywhere.
  std::optional<ip_address> target;
};

/// How often neighbours are told who has an address, and how far apart.
struct announcements {
  uint32_t count = 3;
  uint32_t interval_ms = 1000;
};

/// What publishing a port means in a network, per family.
enum class publish_mode : uint8_t {
  none,   ///< Nothing: internal networks, drivers without ports.
  nat,    ///< A host port leads to the container's.
  routed, ///< The container's port is opened; no host port is taken.
};

/// Turns specs into kernel state for one kind of network.
///
/// Contract, for every method that takes a kernel:
/// - *All or nothing*: on error the kernel is as it was before the call.
/// - *Idempotent*: `create_*` brings what is there to the wanted state and
///   makes what is missing, so a retry, recovery and self-repair are the same
///   call; removing what is gone succeeds.
/// - *Blocking*: called on the driver's own thread only, with the kernel
///   object of the host's namespace.
/// - *Stateless*: a driver owns nothing but kernel objects.
class driver {
public:
  virtual ~driver() = default;

  /// The name users give, e.g. `bridge`.
  virtual std::string_view name() const = 0;

  virtual traits features() const = 0;

  /// Replaces names of other networks in the options by those of their
  /// interfaces, which is what rules are made of. Pure. Errors:
  /// `invalid_argument` for a name that no network has.
  virtual result<void>
  resolve(network_spec& network,
          std::span<const std::shared_ptr<const network_spec>> others) const;

  /// Gives a network that was given no MTU the one of the host's uplink, where
  /// its kind has one; 0: there is none. Pure.
  virtual void adopt_mtu(network_spec& network, uint32_t mtu_bytes) const;

  /// Notes in a new network that the host had its interface before: that
  /// belongs to somebody else and stays when the network goes. Pure.
  virtual void adopt_interface(network_spec& network) const;

  /// Checks a request before anything is touched; pure. Errors:
  /// `invalid_argument` (naming the label and the value), `forbidden`.
  virtual result<void> validate(const network_spec& network) const = 0;

  /// Checks an endpoint's options before anything is touched; pure.
  virtual result<void>
  validate_endpoint(const network_spec& network,
                    const endpoint_spec& endpoint) const = 0;

  /// May `wanted` live beside `existing` (same driver)? Pure. Errors:
  /// `conflict`, naming both and what they share; `forbidden` where only one
  /// network is allowed.
  virtual result<void> check_conflict(const network_spec& wanted,
                                      const network_spec& existing) const = 0;

  /// Name of the network's own interface; empty if it has none. Pure.
  virtual std::string network_interface(const network_spec& network) const = 0;

  /// Addresses of the network's own interface, those of the gateways. Pure.
  virtual std::vector<interface_address>
  network_addresses(const network_spec& network) const;

  /// Name of the endpoint's interface on the host; empty if it has none. Pure.
  virtual std::string host_interface(const endpoint_spec& endpoint) const = 0;

  /// Prefix of interface names inside sandboxes, e.g. `eth`. Pure.
  virtual std::string interface_prefix(const network_spec& network) const = 0;

  /// Would a new network find its place taken on this host? Reads only, and
  /// comes before anything else is changed for it. Errors: `conflict`.
  virtual result<void>
  check_place(netns::kernel& kernel, const network_spec& network) const;

  virtual result<void>
  create_network(netns::kernel& kernel, const network_spec& network) = 0;

  virtual result<void>
  remove_network(netns::kernel& kernel, const network_spec& network) = 0;

  /// Builds a joining endpoint: everything on the host and inside the
  /// sandbox's namespace (link, addresses, routes), in one call. An endpoint
  /// that is not joined has no kernel objects.
  virtual result<void>
  create_endpoint(netns::kernel& kernel, const endpoint_plan& plan) = 0;

  /// How an endpoint that has just joined is announced. Pure.
  virtual announcements
  announcing(const network_spec& network, const endpoint_spec& endpoint) const;

  /// Tells host and neighbours who has the endpoint's addresses now: they may
  /// remember another MAC address for 30 s and more. An endpoint that left
  /// meanwhile is `not_found`.
  virtual result<void>
  announce_endpoint(netns::kernel& kernel, const endpoint_plan& plan);

  /// Takes endpoints down, all in one go: deleting fifty links together costs
  /// the kernel little more than deleting one. Goes on after an error and
  /// returns the first.
  virtual result<void>
  remove_endpoints(netns::kernel& kernel, std::span<const endpoint_plan> plans)
    = 0;

  /// Everything in the kernel that carries our tag and is of this driver.
  virtual result<std::vector<found_object>> list(netns::kernel& kernel) = 0;

  /// Removes objects that `list` found and nobody wants.
  virtual result<void>
  remove_found(netns::kernel& kernel, std::span<const found_object> objects)
    = 0;

  /// How the kernel differs from the spec, one line each, e.g.
  /// `trp1a2b3c…: mtu is 1500, not 1450`. Empty: as wanted. Reads only.
  virtual result<std::vector<std::string>>
  inspect_network(netns::kernel& kernel, const network_spec& network) = 0;

  virtual result<std::vector<std::string>>
  inspect_endpoint(netns::kernel& kernel, const endpoint_plan& plan) = 0;

  // -- comparisons -----------------------------------------------------------
  //
  // The one list of them: `inspect_*` reads the kernel for it, the doctor has
  // its own reader. Lines as above; pure. Settings in /proc/sys are left out.

  /// Of the network's own interface.
  virtual std::vector<std::string>
  compare_network(const network_spec& network, const seen_interface& own) const;

  /// Of the endpoint's interface on the host.
  virtual std::vector<std::string>
  compare_host_end(const endpoint_plan& plan, const seen_interface& end) const;

  /// Of its interface in the sandbox.
  virtual std::vector<std::string>
  compare_inside(const endpoint_plan& plan, const seen_interface& inside) const;

  // -- firewall --------------------------------------------------------------

  /// The firewall's elements that a network wants as long as it exists. Pure.
  /// Errors: `invalid_argument` (options).
  virtual result<firewall_elements>
  network_elements(const network_spec& network) const;

  /// The elements that an endpoint wants while it is joined. Pure.
  /// @param bindings Its published ports, with the host ports that were
  ///        chosen; in routed mode those without one as well.
  virtual result<firewall_elements>
  endpoint_elements(const network_spec& network, const endpoint_spec& endpoint,
                    std::span<const port_binding> bindings) const;

  /// How connections to a published port reach the endpoint. Pure.
  virtual port_delivery
  delivery(const network_spec& network, const endpoint_spec& endpoint,
           const port_binding& binding) const;

  /// How a published port of that family works in the network. Pure.
  virtual publish_mode
  publishing(const network_spec& network, ip_family family) const;

  /// The address that ports are published at when none is given; empty: all of
  /// the host, of both families. Pure.
  virtual std::optional<ip_address>
  publish_address(const network_spec& network) const;

  /// May the network's endpoints talk to each other directly? Pure.
  virtual bool connects_endpoints(const network_spec& network) const;

  /// Must the host forward packets of this family? Pure.
  virtual bool
  needs_forwarding(const network_spec& network, ip_family family) const;
};

using driver_factory
  = std::function<std::unique_ptr<driver>(const instance& owner)>;

} // namespace troupe::drivers
