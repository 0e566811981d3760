#pragma once

// Every request of the public API and its reply, as plain structs. The same
// structs are the bodies of the HTTP API and the messages between actors.
// A `network`, `endpoint` or `sandbox` text refers to an object by full id,
// else by name, else by unique id prefix.

#include "troupe/config/model/endpoint.hpp"
#include "troupe/config/model/network.hpp"
#include "troupe/config/model/sandbox.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace troupe {

// -- networks -----------------------------------------------------------------

/// Creates a network; replied to with its `network_status`.
struct create_network {
  network_spec spec;

  static constexpr auto fields() {
    return std::tuple{field{"spec", &create_network::spec}};
  }
};

/// Removes a network without endpoints; replied to with `done`. Errors:
/// `forbidden` with the endpoints' names while it has some.
struct remove_network {
  std::string network;

  static constexpr auto fields() {
    return std::tuple{field{"network", &remove_network::network}};
  }
};

/// Replied to with a `network_status`.
struct inspect_network {
  std::string network;

  static constexpr auto fields() {
    return std::tuple{field{"network", &inspect_network::network}};
  }
};

/// Replied to with a `network_list`.
struct list_networks {
  static constexpr auto fields() {
    return std::tuple{};
  }
};

struct network_list {
  std::vector<network_status> networks; ///< By name.

  static constexpr auto fields() {
    return std::tuple{field{"networks", &network_list::networks}};
  }
};

// -- endpoints ----------------------------------------------------------------

/// Creates an endpoint that outlives a container; replied to with its
/// `endpoint_status`.
struct create_endpoint {
  std::string network;
  endpoint_spec spec;

  static constexpr auto fields() {
    return std::tuple{field{"network", &create_endpoint::network},
                      field{"spec", &create_endpoint::spec}};
  }
};

/// Removes an endpoint; replied to with `done`. Errors: `forbidden` while it
/// is joined, unless `force` (it leaves first).
struct remove_endpoint {
  std::string network; ///< May be empty if `endpoint` is an id or unique.
  std::string endpoint;
  bool force = false;

  static constexpr auto fields() {
    return std::tuple{field{"network", &remove_endpoint::network},
                      field{"endpoint", &remove_endpoint::endpoint},
                      field{"force", &remove_endpoint::force}};
  }
};

/// Replied to with an `endpoint_status`.
struct inspect_endpoint {
  std::string network; ///< May be empty if `endpoint` is an id or unique.
  std::string endpoint;

  static constexpr auto fields() {
    return std::tuple{field{"network", &inspect_endpoint::network},
                      field{"endpoint", &inspect_endpoint::endpoint}};
  }
};

/// Replied to with an `endpoint_list`.
struct list_endpoints {
  std::string network; ///< Empty: of all networks.

  static constexpr auto fields() {
    return std::tuple{field{"network", &list_endpoints::network}};
  }
};

struct endpoint_list {
  std::vector<endpoint_status> endpoints; ///< By network name, then by name.

  static constexpr auto fields() {
    return std::tuple{field{"endpoints", &endpoint_list::endpoints}};
  }
};

// -- sandboxes ----------------------------------------------------------------

/// Creates a sandbox; replied to with its `sandbox_status`.
struct create_sandbox {
  sandbox_spec spec;

  static constexpr auto fields() {
    return std::tuple{field{"spec", &create_sandbox::spec}};
  }
};

/// Removes a sandbox; its endpoints leave, ephemeral ones are removed with it.
/// Replied to with `done`.
struct remove_sandbox {
  std::string sandbox;

  static constexpr auto fields() {
    return std::tuple{field{"sandbox", &remove_sandbox::sandbox}};
  }
};

/// Replied to with a `sandbox_status`.
struct inspect_sandbox {
  std::string sandbox;

  static constexpr auto fields() {
    return std::tuple{field{"sandbox", &inspect_sandbox::sandbox}};
  }
};

/// Replied to with a `sandbox_list`.
struct list_sandboxes {
  static constexpr auto fields() {
    return std::tuple{};
  }
};

struct sandbox_list {
  std::vector<sandbox_status> sandboxes; ///< By name.

  static constexpr auto fields() {
    return std::tuple{field{"sandboxes", &sandbox_list::sandboxes}};
  }
};

// -- joining ------------------------------------------------------------------

/// Joins an endpoint to a sandbox; replied to with its `endpoint_status`.
/// Errors: `forbidden` when it is joined already.
struct join_endpoint {
  std::string network; ///< May be empty if `endpoint` is an id or unique.
  std::string endpoint;
  std::string sandbox;

  static constexpr auto fields() {
    return std::tuple{field{"network", &join_endpoint::network},
                      field{"endpoint", &join_endpoint::endpoint},
                      field{"sandbox", &join_endpoint::sandbox}};
  }
};

/// Takes an endpoint out of its sandbox; replied to with `done`. An ephemeral
/// endpoint is removed. Errors: `forbidden` when it is not joined.
struct leave_endpoint {
  std::string network; ///< May be empty if `endpoint` is an id or unique.
  std::string endpoint;

  static constexpr auto fields() {
    return std::tuple{field{"network", &leave_endpoint::network},
                      field{"endpoint", &leave_endpoint::endpoint}};
  }
};

/// Makes an ephemeral endpoint and joins it, in one operation; replied to with
/// its `endpoint_status`.
struct attach_sandbox {
  std::string network;
  std::string sandbox;
  endpoint_spec spec; ///< An empty name: the sandbox's name.

  static constexpr auto fields() {
    return std::tuple{field{"network", &attach_sandbox::network},
                      field{"sandbox", &attach_sandbox::sandbox},
                      field{"spec", &attach_sandbox::spec}};
  }
};

/// Takes a sandbox off a network: its endpoint there leaves (the first that
/// joined, if there are several), and is removed if it is ephemeral. Replied to
/// with `done`. Errors: `not_found`.
struct detach_sandbox {
  std::string network;
  std::string sandbox;

  static constexpr auto fields() {
    return std::tuple{field{"network", &detach_sandbox::network},
                      field{"sandbox", &detach_sandbox::sandbox}};
  }
};

/// Publishes more ports of an endpoint, while it is joined or from its next
/// join on; replied to with its `endpoint_status`. All or nothing. Errors:
/// `conflict` naming who has a port; `invalid_argument` naming the part;
/// `forbidden` in networks that publish nothing.
struct publish_ports {
  std::string network; ///< May be empty if `endpoint` is an id or unique.
  std::string endpoint;
  std::vector<port_spec> ports;

  static constexpr auto fields() {
    return std::tuple{field{"network", &publish_ports::network},
                      field{"endpoint", &publish_ports::endpoint},
                      field{"ports", &publish_ports::ports}};
  }
};

/// Gives published ports back: those with the same protocol and container
/// port, and the same host address and port where they are given. Replied to
/// with the `endpoint_status`. Errors: `not_found` if none is published.
struct unpublish_ports {
  std::string network; ///< May be empty if `endpoint` is an id or unique.
  std::string endpoint;
  std::vector<port_spec> ports;

  static constexpr auto fields() {
    return std::tuple{field{"network", &unpublish_ports::network},
                      field{"endpoint", &unpublish_ports::endpoint},
                      field{"ports", &unpublish_ports::ports}};
  }
};

/// Nothing more to say than that it is done.
struct done {
  static constexpr auto fields() {
    return std::tuple{};
  }
};

// -- the daemon itself --------------------------------------------------------

/// Replied to with a `daemon_status`.
struct get_status {
  static constexpr auto fields() {
    return std::tuple{};
  }
};

/// One step of start-up.
struct startup_step {
  std::string name; ///< `loaded`, …, `ready`; docs/actors.md.
  int64_t duration_us = 0;
  std::string detail;

  static constexpr auto fields() {
    return std::tuple{field{"name", &startup_step::name},
                      field{"duration_us", &startup_step::duration_us},
                      field{"detail", &startup_step::detail}};
  }
};

struct daemon_status {
  std::string version;
  std::string state_dir;
  std::string run_dir;
  uint64_t generation = 0; ///< Counts the starts.
  uint64_t networks = 0, endpoints = 0, sandboxes = 0;
  std::vector<std::string> drivers;
  std::vector<startup_step> startup;
  std::vector<std::string> warnings; ///< What is degraded, and why.

  static constexpr auto fields() {
    return std::tuple{field{"version", &daemon_status::version},
                      field{"state_dir", &daemon_status::state_dir},
                      field{"run_dir", &daemon_status::run_dir},
                      field{"generation", &daemon_status::generation},
                      field{"networks", &daemon_status::networks},
                      field{"endpoints", &daemon_status::endpoints},
                      field{"sandboxes", &daemon_status::sandboxes},
                      field{"drivers", &daemon_status::drivers},
                      field{"startup", &daemon_status::startup},
                      field{"warnings", &daemon_status::warnings}};
  }
};

/// Compares store, actors and kernel; replied to with a `doctor_report`.
struct run_doctor {
  bool repair = false;
  bool probe = false; ///< Also sends packets along the ways that are promised.

  static constexpr auto fields() {
    return std::tuple{field{"repair", &run_doctor::repair},
                      field{"probe", &run_doctor::probe}};
  }
};

/// One difference between what should be and what is.
struct finding {
  std::string object; ///< e.g. `endpoint web/c1 (1a2b3c4d5e6f)`.
  std::string problem;
  std::string repair; ///< What `--repair` does, or did; empty: it is not ours
                      ///< to change.
  bool repaired = false;
  std::string command = {}; ///< What the user can do, if it is not ours.
  std::string failure = {}; ///< Why it could not be repaired.

  static constexpr auto fields() {
    return std::tuple{field{"object", &finding::object},
                      field{"problem", &finding::problem},
                      field{"repair", &finding::repair},
                      field{"repaired", &finding::repaired},
                      field{"command", &finding::command},
                      field{"failure", &finding::failure}};
  }
};

struct doctor_report {
  std::vector<finding> findings;

  static constexpr auto fields() {
    return std::tuple{field{"findings", &doctor_report::findings}};
  }
};

/// Something happened. Sent to subscribers in order; `sequence` has no gaps,
/// so a reader sees when it missed some.
struct event {
  uint64_t sequence = 0;
  int64_t time_ms = 0; ///< Unix time.
  std::string type;    ///< `network`, `endpoint`, `sandbox`, `daemon`.
  std::string action;  ///< `create`, `remove`, `join`, `leave`, `repair`, …
  std::string id;
  std::string name;
  text_map attributes; ///< e.g. `network` = its name, `reason` of a repair.

  static constexpr auto fields() {
    return std::tuple{field{"sequence", &event::sequence},
                      field{"time_ms", &event::time_ms},
                      field{"type", &event::type},
                      field{"action", &event::action},
                      field{"id", &event::id},
                      field{"name", &event::name},
                      field{"attributes", &event::attributes}};
  }
};

} // namespace troupe
