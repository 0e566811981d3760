#pragma once

// The public C++ API: one facade over an embedded controller or a daemon. No
// type of CAF, libnl, LMDB or a JSON library appears here.

#include "troupe/actors/api/backend.hpp"
#include "troupe/config/settings.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

class endpoint;
class network;
class sandbox;

/// What a network may be given beside driver and name.
struct network_options {
  std::vector<ipam_pool> pools;
  bool enable_ipv4 = true;
  bool enable_ipv6 = false;
  bool internal = false;
  std::string ipam_driver = "default";
  text_map options; ///< Driver options.
  text_map labels;
};

/// What an endpoint may be given beside its name.
struct endpoint_options {
  std::optional<ip_address> ipv4;
  std::optional<ip_address> ipv6;
  std::optional<mac_address> mac;
  int priority = 0;
  text_map options;
  text_map labels;
  std::vector<port_spec> ports; ///< See `parse_port_spec`.
  std::vector<exposed_port> exposed;
  bool publish_all = false;
};

/// What a sandbox may be given beside its name.
struct sandbox_options {
  std::string hostname;
  std::string domainname;
  std::string netns_path; ///< Empty: Troupe makes the namespace.
  bool use_host_namespace = false;
  text_map labels;
};

/// The way in. Copies share one connection or one set of actors.
/// @thread_safety All methods may be called from any thread, concurrently;
/// the synchronous ones not from inside a handler.
class controller {
public:
  /// Starts an embedded controller and waits until it is ready.
  static result<controller> open(const settings& how);

  /// Uses the daemon behind `unix:///path`.
  static result<controller> connect(const std::string& uri);

  /// Uses a daemon on another host, `caf+tls://host[:port]`, through its
  /// `troupe-remote`. A request that was sent when the connection broke is
  /// repeated on the next one, within its deadline and with one effect.
  /// @note In the library `troupe::remote`.
  static result<controller>
  connect(const std::string& uri, const credentials& who);

  /// Uses any other way to a controller, e.g. a simulated one in tests.
  /// @pre `link` is not null.
  static controller over(std::shared_ptr<backend> link);

  /// Errors: see `create_network` in messages.hpp; so for all methods.
  result<network> create_network(std::string driver, std::string name,
                                 network_options options = {});

  /// Finds a network by id, name or unique id prefix.
  result<troupe::network> find_network(std::string_view reference);
  result<std::vector<troupe::network>> networks();

  result<sandbox>
  create_sandbox(std::string name, sandbox_options options = {});

  /// The way of 2015: a sandbox around an existing namespace; its name is
  /// derived from the path.
  result<sandbox> create_sandbox_from(std::string netns_path);

  result<troupe::sandbox> find_sandbox(std::string_view reference);
  result<std::vector<troupe::sandbox>> sandboxes();

  result<daemon_status> status();
  result<doctor_report> doctor(bool repair = false, bool probe = false);

  /// Every synchronous call gives up after this long; default 120 s.
  void set_deadline(std::chrono::milliseconds deadline);

  /// The asynchronous way: any request, the handler is called once.
  void submit(request what, reply_handler handler);

  result<uint64_t> subscribe(event_handler handler);
  void unsubscribe(uint64_t subscription);

  /// The shared connection; for programs that speak in messages.
  const std::shared_ptr<backend>& link() const;

private:
  friend class endpoint;
  friend class network;
  friend class sandbox;
  struct shared;
  explicit controller(std::shared_ptr<shared> x);
  std::shared_ptr<shared> shared_;
};

/// A network that exists or existed; a value with the network's id.
class network {
public:
  const network_id& id() const;
  const std::string& name() const;
  const std::string& type() const; ///< The driver's name.

  result<network_status> info() const;
  result<endpoint>
  create_endpoint(std::string name, endpoint_options options = {});
  result<endpoint> find_endpoint(std::string_view reference) const;
  result<std::vector<endpoint>> endpoints() const;

  /// Creates an endpoint and joins it, in one operation.
  result<endpoint> attach(const sandbox& where, std::string name = {},
                          endpoint_options options = {});
  result<void> detach(const sandbox& where);

  result<void> remove();

private:
  friend class controller;
  network(controller owner, network_spec spec);
  controller owner_;
  network_spec spec_;
};

class endpoint {
public:
  const endpoint_id& id() const;
  const std::string& name() const;

  /// Current state; gateways and interface while joined.
  result<endpoint_status> info() const;
  result<endpoint_status> join(const sandbox& where);
  result<void> leave();

  /// Publishes more ports, or gives some back; see `publish_ports`.
  result<endpoint_status> publish(std::vector<port_spec> ports);
  result<endpoint_status> unpublish(std::vector<port_spec> ports);

  /// @param force leaves first when joined.
  result<void> remove(bool force = false);

private:
  friend class controller;
  friend class network;
  endpoint(controller owner, endpoint_spec spec);
  controller owner_;
  endpoint_spec spec_;
};

class sandbox {
public:
  const sandbox_id& id() const;
  const std::string& name() const;

  /// Path of the pinned namespace.
  const std::string& key() const;

  result<sandbox_status> info() const;

  /// The way of 2015: joins an endpoint's interface.
  result<endpoint_status> add_interface(endpoint& x);

  /// The endpoints leave; ephemeral ones are removed.
  result<void> remove();

private:
  friend class controller;
  sandbox(controller owner, sandbox_status status);
  controller owner_;
  sandbox_spec spec_;
  std::string key_;
};

} // namespace troupe
