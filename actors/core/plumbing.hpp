#pragma once

// Messages between actors that are not part of the public API. They never
// leave the process. Those with actor handles are in interfaces.hpp.

#include "troupe/actors/api/messages.hpp"
#include "troupe/drivers/driver.hpp"
#include "troupe/netns/audit/audit.hpp"
#include "troupe/netns/audit/path_probe.hpp"
#include "troupe/netns/watch.hpp"
#include "troupe/persistence/store.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

// -- to the store -------------------------------------------------------------

/// Commits all changes in one transaction; `done` once they are safe.
struct commit_changes {
  std::vector<persistence::change> changes;
};

/// Internal to the store: writes everything that waits.
struct flush_store {};

/// Replied to with `loaded_records`.
struct load_records {};

struct loaded_records {
  persistence::snapshot records;
  persistence::origin origin;
};

// -- to a driver --------------------------------------------------------------

/// Before anything is changed for a new network: could it be built?
struct check_new_network {
  network_spec network;
};
struct build_network {
  network_spec network;
};
struct raze_network {
  network_spec network;
};
struct build_endpoint {
  drivers::endpoint_plan plan;
};
/// Tells host and neighbours who has the endpoint's addresses, as often as its
/// network says; ends when the endpoint has left.
struct announce_endpoint {
  drivers::endpoint_plan plan;
  uint32_t times = 0; ///< How often it was done already.
};
/// Razes that wait together are one bulk deletion.
struct raze_endpoint {
  drivers::endpoint_plan plan;
};
/// Internal to the driver: razes everything that waits.
struct flush_razes {};

/// The namespaces of these endpoints are dying and take the links along; what
/// is still there after a while is removed. Replied to with `done` at once.
struct expect_gone {
  std::vector<drivers::endpoint_plan> plans;
};
/// Internal to the driver: looks after what `expect_gone` announced.
struct check_gone {
  uint64_t number = 0; ///< An older one than the last is late.
};

/// Compares and mends; replied to with a `mend_report`.
struct mend_network {
  network_spec network;
};
struct mend_endpoint {
  drivers::endpoint_plan plan;
};

/// What was found different, and mended.
struct mend_report {
  std::vector<std::string> differences;
  /// What could not be mended, with the reason or the command that helps.
  std::vector<finding> unmended = {};
};

/// Adds one report to another.
inline void append(mend_report& all, mend_report more) {
  std::ranges::move(more.differences, std::back_inserter(all.differences));
  std::ranges::move(more.unmended, std::back_inserter(all.unmended));
}

/// The report of a repair that failed.
inline mend_report not_mended(std::string object, const error& why) {
  return {{},
          {{std::move(object), "could not be mended", "rebuild what differs",
            false, why.hint, why.message}}};
}

/// Brings the kernel to the wanted state: mends what differs, builds what is
/// missing, removes what carries our tag and is not wanted. Replied to with a
/// `reconcile_report`.
struct reconcile_driver {
  std::vector<network_spec> networks;
  std::vector<drivers::endpoint_plan> plans;
  bool remove_leftovers = true;
  /// Ids, 12 digits each, of objects of other drivers: what carries one of them
  /// is no leftover.
  std::vector<std::string> foreign = {};
};

struct reconcile_report {
  std::vector<finding> findings; ///< Repaired or, with a reason, not.
  size_t leftovers = 0;          ///< Objects removed (or only seen).
};

/// Removes links with our tag that a second look still found to belong to
/// nobody.
struct remove_leftovers {
  std::vector<std::string> links;
};

/// Replied to with `routed_subnets`.
struct list_routed_subnets {
  std::string interface; ///< That of a new network.
};

struct routed_subnets {
  std::vector<prefix> subnets;
  uint32_t uplink_mtu_bytes = 0; ///< 0: the host has no default route.
  bool has_interface = false;    ///< It is there already: somebody else's.
};

// -- to the namespaces --------------------------------------------------------

/// Makes and pins a namespace, or pins the one at `path`.
struct open_namespace {
  sandbox_id sandbox;
  std::string path;
};

struct opened_namespace {
  netns::namespace_ref ns;
};

/// Internal to the namespaces: makes namespaces in advance, one at a time, so
/// that requests need not wait for long.
struct prepare_namespaces {};

struct close_namespace {
  sandbox_id sandbox;
  /// One that is somebody else's and lives on: nothing of ours stays in it.
  netns::namespace_ref shared;
};

/// Removes pins that a second look still found to belong to nobody.
struct remove_pins {
  std::vector<std::string> names;
};

/// One family's default route: through this link, to this gateway.
struct default_route {
  std::string interface;
  ip_address gateway;
  bool operator==(const default_route&) const = default;
};

/// Makes these the only default routes of ours; empty: none.
struct set_default_routes {
  netns::namespace_ref ns;
  std::optional<default_route> v4;
  std::optional<default_route> v6;
};

/// Compares pins with the wanted sandboxes: re-makes lost ones, removes those
/// nobody wants. Replied to with `reconciled_namespaces`.
struct reconcile_namespaces {
  std::vector<sandbox_spec> wanted;
  bool remove_leftovers = true;
  /// Where the only wanted sandbox should be: if it is, no pin is listed, which
  /// would cost time with the number of sandboxes.
  netns::namespace_ref known = {};
};

/// The pin of one sandbox after reconciliation.
struct namespace_state {
  sandbox_id sandbox;
  netns::namespace_ref ns;
  bool remade = false;       ///< A new, empty namespace replaces a lost one.
  std::string problem;       ///< Why there is none, if there is none.
  bool pinned_again = false; ///< Somebody had taken its pin away.
};

struct reconciled_namespaces {
  std::vector<namespace_state> states;
  size_t leftovers = 0;
};

// -- to the auditor -----------------------------------------------------------

struct doctor_views;

/// Reads the kernel with the doctor's own code and compares all views. Replied
/// to with `examined`.
struct examine {
  std::shared_ptr<doctor_views> views; ///< All but the kernel's; handed over.
};

struct examined {
  std::vector<finding> findings;
  std::vector<std::string> links; ///< Leftovers: carry our tag, have no record.
  std::vector<std::string> pins;  ///< Likewise.
  bool rules = false;             ///< The firewall's elements were compared.
};

/// Replied to with `host_links`: those of the host's namespace, in one dump.
struct list_host_links {};

struct host_links {
  std::vector<netns::link_info> links;
};

/// Gives memory that was freed back to the system. Replied to with `done`.
struct trim_memory {};

/// The obstructions that the status tells. Replied to with `seen_obstructions`.
struct audit_obstructions {
  std::vector<netns::promised_network> networks;
};

struct seen_obstructions {
  std::vector<netns::obstruction> found;
};

// -- to a prober --------------------------------------------------------------

/// Sends packets along these ways. Replied to with `probed`.
struct probe_ways {
  std::vector<netns::path_probe> ways;
};

struct probed {
  std::vector<std::string> failures; ///< Of each way; empty: it is open.
};

// -- to the firewall ----------------------------------------------------------

/// Isolates the network and lets the host forward for it. Replied to with
/// `done`.
struct protect_network {
  network_spec network;
};

/// The network is gone. Replied to with `done`.
struct unprotect_network {
  network_id network;
};

/// Guards an endpoint and publishes its ports, all or nothing. Replied to with
/// `published_ports`: all that are published now.
struct protect_endpoint {
  network_spec network;
  endpoint_spec endpoint;
  std::vector<port_spec> wishes;
  bool publish_all = false;
  std::vector<port_binding> kept; ///< Published before; they stay.
  /// After a restart: exactly these again, instead of wishes.
  std::optional<std::vector<port_binding>> restored = {};
};

struct published_ports {
  std::vector<port_binding> bindings;
};

/// Gives back all ports but these. Replied to with `done`, as below.
struct retract_ports {
  network_spec network;
  endpoint_spec endpoint;
  std::vector<port_binding> kept;
};

/// The endpoint is joined no more. Replied to with `done`, whatever the kernel
/// says; what could not be removed is tried again.
struct unprotect_endpoint {
  endpoint_spec endpoint;
};

/// At start-up: replaces whatever an earlier run has left, in one transaction.
/// Replied to with `restored_firewall`.
struct restore_firewall {
  std::vector<network_spec> networks;
  std::vector<protect_endpoint> endpoints;
  persistence::forwarding_record forwarding = {}; ///< Of an earlier run.
};

struct restored_firewall {
  std::vector<std::string> problems;
};

/// Compares with the kernel and, if asked, mends. Replied to with a
/// `mend_report`.
struct check_firewall {
  bool repair = true;
  bool changed = false;     ///< Somebody else has changed the rules.
  bool elements = true;     ///< False: somebody else compares those.
  bool connections = false; ///< Tracked ones, too: a walk through them all.
  bool again = false;       ///< From itself: something is still missing.
};

/// Looks after the published ports' proxy; the firewall's own message to
/// itself. Replied to with a `mend_report`.
struct check_proxy {};

/// Replied to with `firewall_notes`: what the user should know.
struct get_firewall_notes {};

struct firewall_notes {
  std::vector<std::string> warnings;
};

/// Internal to the firewall: brings everything that waits to the kernel.
struct flush_firewall {};

// -- to the address management ------------------------------------------------

/// Claims the subnets of a network; the reply has every subnet decided.
struct claim_pools {
  network_spec network;
  std::vector<prefix> exclude;
};

struct claimed_pools {
  std::vector<ipam_pool> pools;
  std::vector<std::string> leases;
};

struct release_pools {
  std::string ipam_driver;
  std::vector<std::string> leases;
};

// -- to a network -------------------------------------------------------------

/// Does the work of creation: pools, kernel, commit. Replied to with the
/// `network_status`. On error the network actor ends.
struct start_network {};

/// At start-up: claims the subnets of a recorded network. Replied to with
/// `done`.
struct restore_network {};

/// Ends the network's ENDPOINT actors; nothing is removed. Replied to with
/// `done`.
struct stop_network {};

/// Gives the endpoint's name and addresses back. Replied to with `done`.
struct endpoint_gone {
  endpoint_id id;
};

/// When a change was seen that may be somebody else's. Changes that an object's
/// own operation explains are not looked at.
using seen_time = std::chrono::steady_clock::time_point;

/// Look whatever happened before.
inline constexpr auto seen_anyway = seen_time::max();

/// Own changes are seen at most this long after the operation has ended.
inline constexpr auto own_change_grace = std::chrono::milliseconds{20};

/// Compares the network's own kernel objects with its spec and mends them.
/// Replied to with a `mend_report`.
struct check_network {
  seen_time seen = seen_anyway;
  std::string link = {}; ///< Only if this is the network's own; empty: anyway.
  bool again = false;    ///< From itself: the last one failed.
};

/// The same for the endpoint with this interface on the host, or for all if
/// `link` is empty.
struct check_endpoints {
  std::string link;
  seen_time seen = seen_anyway;
};

/// Replied to with a `network_status`.
struct get_network {};

/// Removes the network and ends the actor. Replied to with `done`.
struct drop_network {};

// -- to an endpoint -----------------------------------------------------------

/// Commits the new record. Replied to with an `endpoint_status`.
struct start_endpoint {};

struct get_endpoint {};

struct drop_endpoint {
  bool force = false;
};

/// Publishes these ports, or gives them back. Replied to with an
/// `endpoint_status`.
struct change_ports {
  std::vector<port_spec> ports;
  bool publish = true;
};

struct part_endpoint {}; ///< Leaves its sandbox. Replied to with `done`.

/// The sandbox took the endpoint's interface along. Replied to with `done`.
struct sandbox_gone {
  sandbox_id sandbox;
};

/// Compares the endpoint with the kernel and mends it. Replied to with a
/// `mend_report`.
struct check_endpoint {
  seen_time seen = seen_anyway;
  bool again = false; ///< From itself: the last one failed.
};

// -- to a sandbox -------------------------------------------------------------

/// Pins the namespace and commits. Replied to with a `sandbox_status`.
struct start_sandbox {};

struct get_sandbox {};

struct drop_sandbox {};

/// What a joining endpoint gets: its place in the sandbox.
struct join_slot {
  drivers::attachment where;
  std::string sandbox_name;
  sandbox_id sandbox;
  bool switches_gateway = false; ///< Ask `switch_gateway` before the commit.
};

/// The default route moves to the joining endpoint. Replied to with `done`.
struct switch_gateway {
  endpoint_id endpoint;
};

/// Ends a join that got a slot. Replied to with `done`.
struct finish_join {
  endpoint_id endpoint;
  bool joined = false;
};

/// Asks for the turn to leave. Replied to with `done`; `not_found` when the
/// sandbox does not have the endpoint.
struct reserve_leave {
  endpoint_id endpoint;
};

/// Ends a leave that got its turn. Replied to with `done`.
struct finish_leave {
  endpoint_id endpoint;
  bool left = false;
};

/// Where an endpoint is, with today's gateways. Replied to with a `join_slot`.
struct locate_endpoint {
  endpoint_id endpoint;
};

/// Replied to with `endpoint_plans`: everything joined here.
struct list_plans {};

struct endpoint_plans {
  std::vector<drivers::endpoint_plan> plans;
};

/// Compares the namespace and everything in it with what should be there.
/// Replied to with a `mend_report`.
struct check_sandbox {
  seen_time seen = seen_anyway;
  bool again = false; ///< From itself: the last one failed.
};

// -- to the watcher and the controller ----------------------------------------

struct poll_kernel {};

/// From a network: this link of the host is its own, or will be. Replied to
/// with `done`.
struct claim_link {
  std::string link;
  network_id network;
};

/// The link is no longer the network's. Replied to with `done`.
struct release_link {
  std::string link;
  network_id network;
};

struct seen_event {
  netns::kernel_event what;
  seen_time seen;
};

/// What the kernel reported since the last time.
struct kernel_events {
  std::vector<seen_event> events;
};

/// Loads, rebuilds, reconciles. Replied to with `done` when ready.
struct start_up {};

/// Ends all actors; networks stay up. Replied to with `done`.
struct shut_down {};

/// Internal to the controller: the regular full comparison.
struct audit_tick {};

/// Internal to the controller: goes on with something after a pause.
struct run_later {
  std::function<void()> work;
};

// -- to the event hub ---------------------------------------------------------

/// Numbers the event and hands it to the subscribers.
struct publish_event {
  event what;
};

struct add_subscriber {
  uint64_t number = 0;
  std::function<void(const event&)> handler;
};

struct remove_subscriber {
  uint64_t number = 0;
};

} // namespace troupe
