#pragma once

#include "troupe/config/model/network.hpp"
#include "troupe/config/model/port.hpp"

#include <optional>
#include <string>
#include <vector>

namespace troupe {

/// An endpoint as requested and, with everything decided, as recorded.
struct endpoint_spec {
  endpoint_id id;                 ///< Empty in a request.
  network_id network;             ///< Set by the network.
  std::string name;               ///< Unique within its network.
  std::optional<ip_address> ipv4; ///< Wanted address; empty: any free one.
  std::optional<ip_address> ipv6; ///< Wanted address; empty: any free one.
  std::optional<mac_address> mac; ///< Empty in a request: derived.
  std::vector<interface_address>
    addresses;            ///< Held addresses; in records only.
  bool ephemeral = false; ///< Made by `attach`: goes with its sandbox.
  int priority = 0;       ///< The gateway comes from the highest one.
  text_map options;       ///< Driver options, e.g. the interface's name.
  text_map labels;
  int64_t created_ms = 0;
  std::vector<port_spec> ports;      ///< Published while joined.
  std::vector<exposed_port> exposed; ///< What the container listens on.
  bool publish_all = false; ///< Publish exposed ports at automatic host ports.

  static constexpr auto fields() {
    return std::tuple{field{"id", &endpoint_spec::id},
                      field{"network", &endpoint_spec::network},
                      field{"name", &endpoint_spec::name},
                      field{"ipv4", &endpoint_spec::ipv4},
                      field{"ipv6", &endpoint_spec::ipv6},
                      field{"mac", &endpoint_spec::mac},
                      field{"addresses", &endpoint_spec::addresses},
                      field{"ephemeral", &endpoint_spec::ephemeral},
                      field{"priority", &endpoint_spec::priority},
                      field{"options", &endpoint_spec::options},
                      field{"labels", &endpoint_spec::labels},
                      field{"created_ms", &endpoint_spec::created_ms},
                      field{"ports", &endpoint_spec::ports},
                      field{"exposed", &endpoint_spec::exposed},
                      field{"publish_all", &endpoint_spec::publish_all}};
  }
};

/// The record that an endpoint is joined to a sandbox. Runtime store, keyed by
/// the endpoint's id.
struct join_spec {
  endpoint_id endpoint;
  network_id network;
  sandbox_id sandbox;
  std::string interface; ///< Name inside the sandbox, e.g. `eth0`.
  /// What was published: a restart gives back the same host ports.
  std::vector<port_binding> bindings;

  static constexpr auto fields() {
    return std::tuple{field{"endpoint", &join_spec::endpoint},
                      field{"network", &join_spec::network},
                      field{"sandbox", &join_spec::sandbox},
                      field{"interface", &join_spec::interface},
                      field{"bindings", &join_spec::bindings}};
  }
};

/// An endpoint as `inspect` shows it.
struct endpoint_status {
  endpoint_spec spec;
  std::string network_name;
  std::optional<sandbox_id> sandbox; ///< Set while joined.
  std::string sandbox_name;
  std::string interface;                ///< Inside the sandbox, while joined.
  std::string host_interface;           ///< On the host, while joined.
  std::optional<ip_address> gateway;    ///< IPv4, while joined.
  std::optional<ip_address> gateway_v6; ///< While joined.
  std::string state;                    ///< `created`, `joined`, …
  std::vector<port_binding> bindings;   ///< Published ports, while joined.

  static constexpr auto fields() {
    return std::tuple{field{"spec", &endpoint_status::spec},
                      field{"network_name", &endpoint_status::network_name},
                      field{"sandbox", &endpoint_status::sandbox},
                      field{"sandbox_name", &endpoint_status::sandbox_name},
                      field{"interface", &endpoint_status::interface},
                      field{"host_interface", &endpoint_status::host_interface},
                      field{"gateway", &endpoint_status::gateway},
                      field{"gateway_v6", &endpoint_status::gateway_v6},
                      field{"state", &endpoint_status::state},
                      field{"bindings", &endpoint_status::bindings}};
  }
};

} // namespace troupe
