#pragma once

#include "troupe/config/model/endpoint.hpp"
#include "troupe/config/model/network.hpp"
#include "troupe/config/model/sandbox.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace troupe::persistence {

/// Where a record lives. *durable*: on disk, fsync before the commit returns;
/// networks and endpoints made by `endpoint create`. *runtime*: on tmpfs,
/// survives kill -9 and vanishes at reboot with the kernel objects it
/// describes; sandboxes, joins and ephemeral endpoints.
enum class environment : uint8_t { durable, runtime };

struct remove_network_record {
  network_id id;
};
struct remove_endpoint_record {
  endpoint_id id;
  bool ephemeral = false;
};
struct remove_sandbox_record {
  sandbox_id id;
};
struct remove_join_record {
  endpoint_id endpoint;
};

/// Which families the host forwards because of us alone; goes with a reboot,
/// as the setting does.
struct forwarding_record {
  bool ipv4 = false;
  bool ipv6 = false;

  bool operator==(const forwarding_record&) const = default;
};

/// One change. Each put or removal names its record by id; the environment
/// follows from the type (an endpoint's from `ephemeral`).
using change
  = std::variant<network_spec, endpoint_spec, sandbox_spec, join_spec,
                 remove_network_record, remove_endpoint_record,
                 remove_sandbox_record, remove_join_record, forwarding_record>;

/// Where a change is made.
environment environment_of(const change& x);

/// Everything in the store.
struct snapshot {
  std::vector<network_spec> networks;
  std::vector<endpoint_spec> endpoints;
  std::vector<sandbox_spec> sandboxes;
  std::vector<join_spec> joins;
  /// Records of which a part could not be read, one line each; that part has
  /// its default. The store keeps them as they are.
  std::vector<std::string> problems = {};
  forwarding_record forwarding = {};
};

/// What start-up must know about the files it opened.
struct origin {
  bool durable_is_new = false; ///< The durable environment was just made.
  bool runtime_is_new = false; ///< The runtime environment was just made.
  bool rebooted = false;   ///< Boot id changed: runtime records were dropped.
  uint64_t generation = 0; ///< Counts the starts; the same in both.
  /// Set when the durable file is older than the runtime one (a restored
  /// backup): kernel objects must not be deleted on its word.
  std::optional<std::string> suspicious;
  std::vector<std::string> quarantined; ///< Files that were set aside.
};

/// The records of one daemon. One thread at a time.
class store {
public:
  virtual ~store() = default;

  /// Writes all changes of an environment in one transaction, durable first;
  /// returns when they are safe. Changes of one environment are atomic; where
  /// there are both, an error may leave the durable ones written.
  /// Errors: `unavailable` (full; removals still work), `internal`.
  virtual result<void> commit(std::span<const change> changes) = 0;

  /// All records. What cannot be read of one is told in `problems`. Errors:
  /// `internal`: the file cannot be read.
  virtual result<snapshot> load() = 0;

  virtual const origin& opened() const = 0;
};

/// How to open the store; called on the store's thread.
using store_factory = std::function<result<std::unique_ptr<store>>()>;

/// Opens (or makes) both LMDB environments: `<state_dir>/durable` and
/// `<run_dir>/runtime`. Takes an flock on each directory first (a second
/// opener breaks LMDB's locks silently), checks the files in a child process,
/// sets damaged ones aside (`<name>.damaged-<n>`).
/// Errors: `conflict` (another daemon), `unsupported` (newer schema),
/// `forbidden` (directory not writable), `internal`.
result<std::unique_ptr<store>>
open_lmdb(const std::string& state_dir, const std::string& run_dir);

/// A store in memory, for simulation and tests. `disk` outlives the store and
/// is what a "restart" finds.
struct memory_disk {
  snapshot content;
  uint64_t generation = 0;
  /// Called before each commit; an error refuses it.
  std::function<result<void>(std::span<const change>)> before_commit;
};

std::unique_ptr<store> open_memory(std::shared_ptr<memory_disk> disk);

} // namespace troupe::persistence
