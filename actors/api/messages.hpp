#pragma once

// Every request of the public API and its reply, as plain structs. The same
// structs are the bodies of the HTTP API and the messages between actors.
// A `network`, `endpoint` or `sandbox` text refers to an object by full id,
// else by name, else by unique id prefix.
//
// A request says all that is to be known of it: its `reply`, its `name`, its
// `ways` over HTTP, its fields. Routes, OpenAPI, both interfaces of actors and
// the client are made from that; what is still to be written by hand stands in
// docs/actors.md, "Adding a message".

#include "troupe/config/model/endpoint.hpp"
#include "troupe/config/model/network.hpp"
#include "troupe/config/model/sandbox.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// A way to a request over HTTP; api/routes.hpp says how fields go along.
struct http_way {
  std::string_view method;
  std::string_view path;    ///< `{name}` stands for the field of that name.
  std::string_view summary; ///< One sentence.
  int success = 200;        ///< HTTP status.
};

/// Nothing more to say than that it is done.
struct done {
  static constexpr auto fields() {
    return std::tuple{};
  }
};

// -- networks -----------------------------------------------------------------

/// Creates a network.
struct create_network {
  using reply = network_status;
  static constexpr auto name = "create_network";
  static constexpr auto ways
    = std::array{http_way{"POST", "/v1/networks", "Creates a network.", 201}};

  network_spec spec;

  static constexpr auto fields() {
    return std::tuple{field{"spec", &create_network::spec}};
  }
};

/// Removes a network without endpoints. Errors: `forbidden` with the
/// endpoints' names while it has some.
struct remove_network {
  using reply = done;
  static constexpr auto name = "remove_network";
  static constexpr auto ways
    = std::array{http_way{"DELETE", "/v1/networks/{network}",
                          "Removes a network without endpoints."}};

  std::string network;

  static constexpr auto fields() {
    return std::tuple{field{"network", &remove_network::network}};
  }
};

struct inspect_network {
  using reply = network_status;
  static constexpr auto name = "inspect_network";
  static constexpr auto ways
    = std::array{http_way{"GET", "/v1/networks/{network}", "Shows a network."}};

  std::string network;

  static constexpr auto fields() {
    return std::tuple{field{"network", &inspect_network::network}};
  }
};

struct network_list {
  std::vector<network_status> networks; ///< By name.

  static constexpr auto fields() {
    return std::tuple{field{"networks", &network_list::networks}};
  }
};

struct list_networks {
  using reply = network_list;
  static constexpr auto name = "list_networks";
  static constexpr auto ways
    = std::array{http_way{"GET", "/v1/networks", "Lists all networks."}};

  static constexpr auto fields() {
    return std::tuple{};
  }
};

// -- endpoints ----------------------------------------------------------------

/// Creates an endpoint that outlives a container.
struct create_endpoint {
  using reply = endpoint_status;
  static constexpr auto name = "create_endpoint";
  static constexpr auto ways = std::array{
    http_way{"POST", "/v1/networks/{network}/endpoints",
             "Creates an endpoint that outlives a container.", 201}};

  std::string network;
  endpoint_spec spec;

  static constexpr auto fields() {
    return std::tuple{field{"network", &create_endpoint::network},
                      field{"spec", &create_endpoint::spec}};
  }
};

/// Removes an endpoint. Errors: `forbidden` while it is joined, unless `force`
/// (it leaves first).
struct remove_endpoint {
  using reply = done;
  static constexpr auto name = "remove_endpoint";
  static constexpr auto ways = std::array{
    http_way{"DELETE", "/v1/networks/{network}/endpoints/{endpoint}",
             "Removes an endpoint of a network."},
    http_way{"DELETE", "/v1/endpoints/{endpoint}", "Removes an endpoint."}};

  std::string network; ///< May be empty if `endpoint` is an id or unique.
  std::string endpoint;
  bool force = false;

  static constexpr auto fields() {
    return std::tuple{field{"network", &remove_endpoint::network},
                      field{"endpoint", &remove_endpoint::endpoint},
                      field{"force", &remove_endpoint::force}};
  }
};

struct inspect_endpoint {
  using reply = endpoint_status;
  static constexpr auto name = "inspect_endpoint";
  static constexpr auto ways = std::array{
    http_way{"GET", "/v1/networks/{network}/endpoints/{endpoint}",
             "Shows an endpoint of a network."},
    http_way{"GET", "/v1/endpoints/{endpoint}", "Shows an endpoint."}};

  std::string network; ///< May be empty if `endpoint` is an id or unique.
  std::string endpoint;

  static constexpr auto fields() {
    return std::tuple{field{"network", &inspect_endpoint::network},
                      field{"endpoint", &inspect_endpoint::endpoint}};
  }
};

struct endpoint_list {
  std::vector<endpoint_status> endpoints; ///< By network name, then by name.

  static constexpr auto fields() {
    return std::tuple{field{"endpoints", &endpoint_list::endpoints}};
  }
};

struct list_endpoints {
  using reply = endpoint_list;
  static constexpr auto name = "list_endpoints";
  static constexpr auto ways
    = std::array{http_way{"GET", "/v1/networks/{network}/endpoints",
                          "Lists the endpoints of a network."},
                 http_way{"GET", "/v1/endpoints", "Lists all endpoints."}};

  std::string network; ///< Empty: of all networks.

  static constexpr auto fields() {
    return std::tuple{field{"network", &list_endpoints::network}};
  }
};

// -- sandboxes ----------------------------------------------------------------

/// Creates a sandbox.
struct create_sandbox {
  using reply = sandbox_status;
  static constexpr auto name = "create_sandbox";
  static constexpr auto ways
    = std::array{http_way{"POST", "/v1/sandboxes", "Creates a sandbox.", 201}};

  sandbox_spec spec;

  static constexpr auto fields() {
    return std::tuple{field{"spec", &create_sandbox::spec}};
  }
};

/// Removes a sandbox; its endpoints leave, ephemeral ones are removed with it.
struct remove_sandbox {
  using reply = done;
  static constexpr auto name = "remove_sandbox";
  static constexpr auto ways
    = std::array{http_way{"DELETE", "/v1/sandboxes/{sandbox}",
                          "Removes a sandbox; its endpoints leave first."}};

  std::string sandbox;

  static constexpr auto fields() {
    return std::tuple{field{"sandbox", &remove_sandbox::sandbox}};
  }
};

struct inspect_sandbox {
  using reply = sandbox_status;
  static constexpr auto name = "inspect_sandbox";
  static constexpr auto ways = std::array{
    http_way{"GET", "/v1/sandboxes/{sandbox}", "Shows a sandbox."}};

  std::string sandbox;

  static constexpr auto fields() {
    return std::tuple{field{"sandbox", &inspect_sandbox::sandbox}};
  }
};

struct sandbox_list {
  std::vector<sandbox_status> sandboxes; ///< By name.

  static constexpr auto fields() {
    return std::tuple{field{"sandboxes", &sandbox_list::sandboxes}};
  }
};

struct list_sandboxes {
  using reply = sandbox_list;
  static constexpr auto name = "list_sandboxes";
  static constexpr auto ways
    = std::array{http_way{"GET", "/v1/sandboxes", "Lists all sandboxes."}};

  static constexpr auto fields() {
    return std::tuple{};
  }
};

// -- joining ------------------------------------------------------------------

/// Joins an endpoint to a sandbox.
/// Errors: `forbidden` when it is joined already.
struct join_endpoint {
  using reply = endpoint_status;
  static constexpr auto name = "join_endpoint";
  static constexpr auto ways = std::array{
    http_way{"POST", "/v1/networks/{network}/endpoints/{endpoint}/join",
             "Joins an endpoint of a network to a sandbox."},
    http_way{"POST", "/v1/endpoints/{endpoint}/join",
             "Joins an endpoint to a sandbox."}};

  std::string network; ///< May be empty if `endpoint` is an id or unique.
  std::string endpoint;
  std::string sandbox;

  static constexpr auto fields() {
    return std::tuple{field{"network", &join_endpoint::network},
                      field{"endpoint", &join_endpoint::endpoint},
                      field{"sandbox", &join_endpoint::sandbox}};
  }
};

/// Takes an endpoint out of its sandbox. An ephemeral endpoint is removed.
/// Errors: `forbidden` when it is not joined.
struct leave_endpoint {
  using reply = done;
  static constexpr auto name = "leave_endpoint";
  static constexpr auto ways = std::array{
    http_way{"POST", "/v1/networks/{network}/endpoints/{endpoint}/leave",
             "Takes an endpoint of a network out of its sandbox."},
    http_way{"POST", "/v1/endpoints/{endpoint}/leave",
             "Takes an endpoint out of its sandbox."}};

  std::string network; ///< May be empty if `endpoint` is an id or unique.
  std::string endpoint;

  static constexpr auto fields() {
    return std::tuple{field{"network", &leave_endpoint::network},
                      field{"endpoint", &leave_endpoint::endpoint}};
  }
};

/// Makes an ephemeral endpoint and joins it, in one operation.
struct attach_sandbox {
  using reply = endpoint_status;
  static constexpr auto name = "attach_sandbox";
  static constexpr auto ways = std::array{http_way{
    "POST", "/v1/networks/{network}/attach",
    "Makes an ephemeral endpoint and joins it, in one operation.", 201}};

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
/// joined, if there are several), and is removed if it is ephemeral. Errors:
/// `not_found`.
struct detach_sandbox {
  using reply = done;
  static constexpr auto name = "detach_sandbox";
  static constexpr auto ways = std::array{http_way{
    "POST", "/v1/networks/{network}/detach", "Takes a sandbox off a network."}};

  std::string network;
  std::string sandbox;

  static constexpr auto fields() {
    return std::tuple{field{"network", &detach_sandbox::network},
                      field{"sandbox", &detach_sandbox::sandbox}};
  }
};

/// Publishes more ports of an endpoint, while it is joined or from its next
/// join on. All or nothing. Errors:
/// `conflict` naming who has a port; `invalid_argument` naming the part;
/// `forbidden` in networks that publish nothing.
struct publish_ports {
  using reply = endpoint_status;
  static constexpr auto name = "publish_ports";
  static constexpr auto ways = std::array{
    http_way{"POST", "/v1/networks/{network}/endpoints/{endpoint}/publish",
             "Publishes ports of an endpoint of a network."},
    http_way{"POST", "/v1/endpoints/{endpoint}/publish",
             "Publishes ports of an endpoint."}};

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
/// port, and the same host address and port where they are given. Errors:
/// `not_found` if none is published.
struct unpublish_ports {
  using reply = endpoint_status;
  static constexpr auto name = "unpublish_ports";
  static constexpr auto ways = std::array{
    http_way{"POST", "/v1/networks/{network}/endpoints/{endpoint}/unpublish",
             "Gives published ports of an endpoint of a network back."},
    http_way{"POST", "/v1/endpoints/{endpoint}/unpublish",
             "Gives published ports of an endpoint back."}};

  std::string network; ///< May be empty if `endpoint` is an id or unique.
  std::string endpoint;
  std::vector<port_spec> ports;

  static constexpr auto fields() {
    return std::tuple{field{"network", &unpublish_ports::network},
                      field{"endpoint", &unpublish_ports::endpoint},
                      field{"ports", &unpublish_ports::ports}};
  }
};

// -- the daemon itself --------------------------------------------------------

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

struct get_status {
  using reply = daemon_status;
  static constexpr auto name = "get_status";
  static constexpr auto ways
    = std::array{http_way{"GET", "/v1/status", "Shows the daemon's state."}};

  static constexpr auto fields() {
    return std::tuple{};
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

/// Compares store, actors and kernel.
struct run_doctor {
  using reply = doctor_report;
  static constexpr auto name = "run_doctor";
  static constexpr auto ways = std::array{
    http_way{"POST", "/v1/doctor",
             "Compares store, actors and kernel, and repairs on request."}};

  bool repair = false;
  bool probe = false; ///< Also sends packets along the ways that are promised.

  static constexpr auto fields() {
    return std::tuple{field{"repair", &run_doctor::repair},
                      field{"probe", &run_doctor::probe}};
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
