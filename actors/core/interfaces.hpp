#pragma once

// Every actor type of the system, with one comment per message. All requests
// have a deadline and exactly one reply; errors are those of the object's
// contract in messages.hpp plus `timeout`, `unavailable` (its queue is full, or
// it is ending) and `internal`.

#include "troupe/actors/api/backend.hpp"
#include "troupe/actors/core/caf.hpp"
#include "troupe/actors/core/plumbing.hpp"
#include "troupe/config/model/reference.hpp"

#include <memory>
#include <string>

namespace troupe {

struct attach_to;
struct enter_sandbox;
struct find_endpoint;
struct found_endpoints;
struct part_from;
struct rejoin;
struct reserve_join;
struct restore_join;
struct submit_request;

/// The STORE actor: sole owner of both environments, detached.
using store_actor = actor_if<
  // Commits in one transaction with everything else that waits.
  caf::result<done>(commit_changes),
  // Its own tick: writes what waits.
  caf::result<done>(flush_store),
  // Reads all records.
  caf::result<loaded_records>(load_records)>;

/// The DRIVER actor: hosts one driver on its own thread, detached.
using driver_actor = actor_if<
  // Says why a new network could not be built, and changes nothing.
  caf::result<done>(check_new_network),
  // Builds a network's kernel objects.
  caf::result<done>(build_network),
  // Removes them.
  caf::result<done>(raze_network),
  // Builds a joining endpoint, inside its sandbox as well.
  caf::result<done>(build_endpoint),
  // Announces an endpoint that has joined; also its own tick for that.
  caf::result<done>(announce_endpoint),
  // Takes an endpoint down, together with all others that wait.
  caf::result<done>(raze_endpoint),
  // Its own tick: takes down what waits.
  caf::result<done>(flush_razes),
  // Looks after links whose namespace is dying.
  caf::result<done>(expect_gone),
  // Its own tick for that.
  caf::result<done>(check_gone),
  // Compares a network with the kernel and mends it.
  caf::result<mend_report>(mend_network),
  // Compares an endpoint with the kernel and mends it.
  caf::result<mend_report>(mend_endpoint),
  // Brings everything of this driver to the wanted state.
  caf::result<reconcile_report>(reconcile_driver),
  // Removes links of ours that nobody owns.
  caf::result<done>(remove_leftovers),
  // Lists the subnets the host routes.
  caf::result<routed_subnets>(list_routed_subnets)>;

/// The NAMESPACES actor: creates, pins and removes namespaces, changes default
/// routes in them; detached.
using namespaces_actor = actor_if<
  // Makes or adopts, and pins.
  caf::result<opened_namespace>(open_namespace),
  // Internal: keeps some ready.
  caf::result<done>(prepare_namespaces),
  // Removes the pin; one that is gone is fine.
  caf::result<done>(close_namespace),
  // Replaces the default routes of both families.
  caf::result<done>(set_default_routes),
  // Compares all pins with the wanted ones and mends them.
  caf::result<reconciled_namespaces>(reconcile_namespaces),
  // Removes pins that nobody owns.
  caf::result<done>(remove_pins)>;

/// The AUDITOR actor: what reads or compares everything there is and takes its
/// time; detached, so that nobody else waits for it.
using auditor_actor = actor_if<
  // Compares store, actors and kernel for the doctor.
  caf::result<examined>(examine),
  // Lists the host's links.
  caf::result<host_links>(list_host_links),
  // The part of the doctor's reading that the status tells.
  caf::result<seen_obstructions>(audit_obstructions),
  // Gives memory back.
  caf::result<done>(trim_memory)>;

/// A PROBER: sends packets for the doctor, once; detached.
using prober_actor = actor_if<
  // Sends them and waits for answers.
  caf::result<probed>(probe_ways)>;

/// The FIREWALL actor: the wanted rules of all networks and endpoints, and the
/// host's ports; detached. Changes that wait together are one transaction.
using firewall_actor = actor_if<
  // Isolates a network.
  caf::result<done>(protect_network),
  // Forgets a network.
  caf::result<done>(unprotect_network),
  // Guards an endpoint, publishes its ports.
  caf::result<published_ports>(protect_endpoint),
  // Gives some of its ports back.
  caf::result<done>(retract_ports),
  // Forgets an endpoint.
  caf::result<done>(unprotect_endpoint),
  // At start-up: everything at once.
  caf::result<restored_firewall>(restore_firewall),
  // Compares with the kernel and mends.
  caf::result<mend_report>(check_firewall),
  // Looks after the process that holds the ports.
  caf::result<mend_report>(check_proxy),
  // Tells what the user should know.
  caf::result<firewall_notes>(get_firewall_notes),
  // Its own tick: does what waits.
  caf::result<done>(flush_firewall)>;

/// The IPAM actor: owns the claimed subnets of all networks.
using ipam_actor = actor_if<
  // Claims every subnet of a network, all or none.
  caf::result<claimed_pools>(claim_pools),
  // Gives subnets back; unknown leases are ignored.
  caf::result<done>(release_pools)>;

/// The NETWORK actor: one per network; owns its spec, its endpoints' names and
/// its addresses.
using network_actor = actor_if<
  // Builds and commits the network; on error the actor ends.
  caf::result<network_status>(start_network),
  // Takes the subnets of a recorded network.
  caf::result<done>(restore_network),
  // Tells its state.
  caf::result<network_status>(get_network),
  // Removes it; forbidden while it has endpoints. The actor ends.
  caf::result<done>(drop_network),
  // Creates an endpoint.
  caf::result<endpoint_status>(create_endpoint),
  // Creates an ephemeral endpoint and joins it.
  caf::result<endpoint_status>(attach_to),
  // Tells the state of all endpoints.
  caf::result<endpoint_list>(list_endpoints),
  // Finds every endpoint that a reference may mean.
  caf::result<found_endpoints>(find_endpoint),
  // From an endpoint that ended: its name and addresses are free.
  caf::result<done>(endpoint_gone),
  // At shut-down: ends its endpoints' actors.
  caf::result<done>(stop_network),
  // Compares the bridge with the spec and mends it.
  caf::result<mend_report>(check_network),
  // Compares endpoints with the kernel and mends them.
  caf::result<mend_report>(check_endpoints)>;

/// The ENDPOINT actor: one per endpoint; owns its life cycle.
///
///     created ──enter_sandbox──► joining ──► joined
///        ▲                                     │
///        └───────────◄── leaving ◄──part───────┘   gone: the actor ended
using endpoint_actor = actor_if<
  // Commits the record of a new endpoint; on error the actor ends.
  caf::result<endpoint_status>(start_endpoint),
  // Joins a sandbox; an ephemeral endpoint that fails ends.
  caf::result<endpoint_status>(enter_sandbox),
  // Leaves its sandbox; an ephemeral endpoint ends.
  caf::result<done>(part_endpoint),
  // Removes the endpoint; the actor ends.
  caf::result<done>(drop_endpoint),
  // Tells its state.
  caf::result<endpoint_status>(get_endpoint),
  // At start-up: it is joined by record.
  caf::result<done>(rejoin),
  // Publishes or gives back ports.
  caf::result<endpoint_status>(change_ports),
  // From its sandbox, which was removed with everything in it.
  caf::result<done>(sandbox_gone),
  // Compares itself with the kernel and mends it.
  caf::result<mend_report>(check_endpoint)>;

/// The SANDBOX actor: one per sandbox; owns its namespace, the order of its
/// endpoints and the choice of the gateways. Joins and leaves take turns.
using sandbox_actor = actor_if<
  // Pins the namespace and commits; on error the actor ends.
  caf::result<sandbox_status>(start_sandbox),
  // Tells its state.
  caf::result<sandbox_status>(get_sandbox),
  // Removes it and what is in it. The actor ends.
  caf::result<done>(drop_sandbox),
  // Gives a joining endpoint its turn and its place.
  caf::result<join_slot>(reserve_join),
  // At start-up: an endpoint is joined by record.
  caf::result<join_slot>(restore_join),
  // Tells where an endpoint is.
  caf::result<join_slot>(locate_endpoint),
  // Tells what drivers should have built here.
  caf::result<endpoint_plans>(list_plans),
  // Moves the default route to the joining endpoint.
  caf::result<done>(switch_gateway),
  // Ends that turn.
  caf::result<done>(finish_join),
  // Gives a leaving endpoint its turn.
  caf::result<done>(reserve_leave),
  // Ends that turn; the default routes move on.
  caf::result<done>(finish_leave),
  // Makes the endpoint in that network leave.
  caf::result<done>(part_from),
  // Compares the namespace and its endpoints with the kernel and mends them.
  caf::result<mend_report>(check_sandbox)>;

/// The EVENTS actor: numbers events and hands them to subscribers.
using events_actor = actor_if<
  // Hands on one event.
  caf::result<done>(publish_event),
  // Starts a subscription.
  caf::result<done>(add_subscriber),
  // Ends it; the handler is not called after the reply.
  caf::result<done>(remove_subscriber)>;

/// The requests of the public API, as messages to an actor.
template <class... Requests>
auto requests_interface(const std::variant<Requests...>*)
  -> actor_if<caf::result<typename Requests::reply>(Requests)...>;
using requests_if
  = decltype(requests_interface(static_cast<const request*>(nullptr)));

/// The CONTROLLER actor: finds objects by name and forwards; spawns; starts up
/// and shuts down. It decides nothing about the objects.
using controller_actor = actor_if<
  // Loads, rebuilds, reconciles; done when ready.
  caf::result<done>(start_up),
  // Stops everything but the networks.
  caf::result<done>(shut_down),
  // From the watcher.
  caf::result<done>(kernel_events),
  // From a network: events of this link concern it.
  caf::result<done>(claim_link),
  // They no longer do.
  caf::result<done>(release_link),
  // Its own tick: compares everything.
  caf::result<done>(audit_tick),
  // Its own tick: goes on after a pause.
  caf::result<done>(run_later)>::extend_with<requests_if>;

/// The WATCHER actor: turns kernel events into messages; detached.
using watcher_actor = actor_if<
  // Its own tick: waits for events and passes them on.
  caf::result<done>(poll_kernel)>;

/// The DOOR actor: takes requests of any thread into the actor system and
/// calls their handlers.
using door_actor = actor_if<
  // Sends the request to the controller; the handler gets the reply.
  caf::result<done>(submit_request)>;

// -- messages with handles ----------------------------------------------------

/// Makes an ephemeral endpoint in a network and joins it to a sandbox.
struct attach_to {
  sandbox_actor sandbox;
  endpoint_spec spec;
};

struct enter_sandbox {
  sandbox_actor sandbox;
};

struct find_endpoint {
  std::string reference;
};

/// One that the reference may mean; its title is `NETWORK/ENDPOINT`.
struct found_endpoint {
  reference_match match;
  endpoint_actor handle;
};

/// All of one network that fit, in the strongest way that fits one.
struct found_endpoints {
  std::vector<found_endpoint> all;
};

struct part_from {
  network_id network;
};

/// What a sandbox must know about an endpoint.
struct joining_endpoint {
  endpoint_actor handle;
  driver_actor driver;
  std::shared_ptr<const network_spec> network;
  std::shared_ptr<const endpoint_spec> endpoint;
};

/// Asks for the turn to join.
struct reserve_join {
  joining_endpoint who;
};

/// Joined by record, under this name.
struct restore_join {
  joining_endpoint who;
  std::string interface;
};

/// Takes the endpoint back into its sandbox, by record.
struct rejoin {
  sandbox_actor sandbox;
  std::string interface;
  std::vector<port_binding> bindings;
};

struct submit_request {
  request what;
  std::chrono::milliseconds deadline;
  reply_handler handler;
};

} // namespace troupe

#include "troupe/actors/core/type_ids.hpp"
