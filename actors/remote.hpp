#pragma once

// The remote interface: typed actors that `troupe-remote` offers over TCP with
// mutual TLS, for programs that speak CAF themselves. Everybody else uses the
// facade in troupe.hpp, `controller::connect("caf+tls://…", credentials)`,
// which is made of exactly this.
//
// Way in: the DOOR is the one published actor. `hello` gets the handles of the
// others, which are good for this connection only.
//
// Shapes: requests and replies are those of the local API (messages.hpp), each
// request with a `ticket` in front. Field by field, by position: both sides
// must be of one schema, which `hello` verifies.
//
// Errors: the codes of `troupe::ec`; `from_caf` in caf.hpp unpacks them. Those
// of an object's contract come from the daemon, and beside them
//   unavailable       the daemon is away, or the peer has too many open
//   requests timeout           `deadline_ms` passed; the outcome is unknown
//   unsupported       protocol or schema differ (`hello`)
//   invalid_argument  a ticket that cannot be: see there
// An actor that is gone answers nothing: always ask with a timeout.
//
// Deadlines: `ticket::deadline_ms` bounds the whole request on the other side,
// at most `longest_deadline_ms`. Ask with a somewhat longer timeout, so that
// the error that says more arrives first.
//
// Delivery: a request that changes something has one effect however often it is
// sent under one `sequence`, by one client in one session: the first one is
// carried out, the others wait for it or get its outcome again. Requests that
// only read may simply be repeated. Replies come in any order.
//
// Limits: rates and open requests are counted per certificate subject, over all
// its connections: docs/remote.md.

#include "troupe/actors/api/messages.hpp"
#include "troupe/actors/core/api_type_ids.hpp"
#include "troupe/actors/core/caf.hpp"

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

namespace troupe::remote {

/// Version of this file's messages. `hello`, `welcome` and the DOOR stay as
/// they are in every version, so that both sides can say what differs.
inline constexpr uint32_t protocol = 1;

/// Ten minutes: as long as outcomes of an absent client are surely remembered.
inline constexpr int64_t longest_deadline_ms = 600'000;

/// Outcomes remembered for one client; beyond that the oldest is forgotten.
inline constexpr size_t max_outcomes = 1'024;

// Serialisation from field tables, for the types of this namespace.
using troupe::inspect;

/// Comes in front of every request.
struct ticket {
  /// Number of the request, from 1; each new request has another one. A request
  /// that is sent again keeps its number. Errors: `conflict` when a different
  /// request has it.
  uint64_t sequence = 0;

  /// Requests whose replies have arrived: their outcomes can be forgotten.
  std::vector<uint64_t> answered;

  /// Time for the request, from its arrival, in milliseconds; at least 1.
  int64_t deadline_ms = 60'000;

  static constexpr auto fields() {
    return std::tuple{field{"sequence", &ticket::sequence},
                      field{"answered", &ticket::answered},
                      field{"deadline_ms", &ticket::deadline_ms}};
  }
};

/// Asks for what happened since; waits until something does.
struct next_events {
  uint64_t feed = 0; ///< 0: from now on.
  uint64_t next = 0; ///< As in the last batch.
  int64_t wait_ms = 0;

  static constexpr auto fields() {
    return std::tuple{field{"feed", &next_events::feed},
                      field{"next", &next_events::next},
                      field{"wait_ms", &next_events::wait_ms}};
  }
};

struct event_batch {
  uint64_t feed = 0; ///< Changes when the other side has started anew.
  uint64_t next = 0; ///< For the next request.
  uint64_t lost = 0; ///< So many were dropped before these.
  std::vector<event> events;

  static constexpr auto fields() {
    return std::tuple{
      field{"feed", &event_batch::feed}, field{"next", &event_batch::next},
      field{"lost", &event_batch::lost}, field{"events", &event_batch::events}};
  }
};

/// Requests that go to the same actor.
template <class... Requests>
struct request_group {
  template <class Request>
  static constexpr bool has = (std::is_same_v<Request, Requests> || ...);

  /// An actor that answers them as messages.hpp says.
  using actor
    = actor_if<caf::result<typename Requests::reply>(ticket, Requests)...>;
};

using controller_requests
  = request_group<create_network, list_networks, list_endpoints, create_sandbox,
                  list_sandboxes, get_status, run_doctor>;
using network_requests
  = request_group<inspect_network, remove_network, create_endpoint,
                  attach_sandbox, detach_sandbox>;
using endpoint_requests
  = request_group<inspect_endpoint, remove_endpoint, join_endpoint,
                  leave_endpoint, publish_ports, unpublish_ports>;
using sandbox_requests = request_group<inspect_sandbox, remove_sandbox>;

/// The CONTROLLER of the other side.
using controller_actor = controller_requests::actor;

/// All NETWORKS of the other side; each request names its network.
using network_actor = network_requests::actor;

/// All ENDPOINTS of the other side; each request names its endpoint.
using endpoint_actor = endpoint_requests::actor;

/// All SANDBOXES of the other side; each request names its sandbox.
using sandbox_actor = sandbox_requests::actor;

/// The EVENTS of the other side.
using events_actor = actor_if<
  // Replied to as soon as there is an event, and after `wait_ms` (at most 30 s)
  // with an empty batch. A connection has one such request open at a time.
  caf::result<event_batch>(next_events)>;

/// Says who is there and what it speaks.
struct hello {
  uint32_t protocol = remote::protocol;
  std::string schema;  ///< `remote::schema()`.
  std::string version; ///< Of Troupe, for messages.

  /// Chosen by the client once, 32 random hex digits; the same on each of its
  /// connections. Requests are remembered under it, and under the certificate.
  std::string client;

  static constexpr auto fields() {
    return std::tuple{
      field{"protocol", &hello::protocol}, field{"schema", &hello::schema},
      field{"version", &hello::version}, field{"client", &hello::client}};
  }
};

struct welcome {
  std::string version; ///< Of Troupe on the other side.

  /// The memory of this client's requests. When it differs from the last
  /// connection's that memory is lost: what was sent before must not be sent
  /// again, its outcome is unknown.
  uint64_t session = 0;

  controller_actor controller;
  network_actor network;
  endpoint_actor endpoint;
  sandbox_actor sandbox;
  events_actor events;

  static constexpr auto fields() {
    return std::tuple{field{"version", &welcome::version},
                      field{"session", &welcome::session},
                      field{"controller", &welcome::controller},
                      field{"network", &welcome::network},
                      field{"endpoint", &welcome::endpoint},
                      field{"sandbox", &welcome::sandbox},
                      field{"events", &welcome::events}};
  }
};

/// The DOOR: the published actor.
using door_actor = actor_if<
  // Must come first on each connection. Errors: `unsupported` if protocol or
  // schema differ; `invalid_argument` for a bad client.
  caf::result<welcome>(hello)>;

/// Digest of all messages' shapes, 16 hex digits: of one value where both sides
/// read the same bytes as the same fields.
std::string schema();

} // namespace troupe::remote

// clang-format off

// A block of their own, far behind the API's. On the wire CAF 0.17 names types,
// CAF 1.x numbers them: never renumber, new ones go to the end.
CAF_BEGIN_TYPE_ID_BLOCK(troupe_remote, caf::first_custom_type_id + 400)
  CAF_ADD_TYPE_ID(troupe_remote, (troupe::remote::hello))
  CAF_ADD_TYPE_ID(troupe_remote, (troupe::remote::welcome))
  CAF_ADD_TYPE_ID(troupe_remote, (troupe::remote::ticket))
  CAF_ADD_TYPE_ID(troupe_remote, (troupe::remote::next_events))
  CAF_ADD_TYPE_ID(troupe_remote, (troupe::remote::event_batch))
CAF_END_TYPE_ID_BLOCK(troupe_remote)

// clang-format on
