#pragma once

#include "troupe/config/model/error.hpp"
#include "troupe/config/model/field.hpp"
#include "troupe/config/model/named.hpp"
#include "troupe/netns/faulty/kernel.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::testing {

/// What a simulated client can ask for.
enum class operation_kind : uint8_t {
  create_network,
  remove_network,
  create_endpoint,
  remove_endpoint,
  create_sandbox,
  remove_sandbox,
  join,
  leave,
  attach,
  detach,
  publish,
  unpublish,
  inspect,
  doctor,
};

/// What can go wrong; docs/testing.md has a line for each.
enum class fault_kind : uint8_t {
  kernel_fail,
  kernel_lose_reply,
  kernel_delay,
  kernel_crash_before,
  kernel_crash_after,
  store_full,
  store_io_error,
  store_lose_reply,
  store_crash_before,
  store_crash_after,
  store_power_loss,
  message_drop,
  message_lose_reply,
  message_delay,
  message_reorder,
  actor_kill,
  process_crash,
  recovery_crash,
  power_loss,
  host_delete_link,
  host_set_down,
  host_rename_link,
  host_flush_addresses,
  host_flush_ruleset,
  host_unmount_pin,
  host_flush_routes,
  host_delete_inside,
  client_slow,
  client_dead,
  client_repeat,
};

} // namespace troupe::testing

namespace troupe {

template <>
inline constexpr auto
  enum_names<testing::operation_kind> = std::array<std::string_view, 14>{
    "create-network",
    "remove-network",
    "create-endpoint",
    "remove-endpoint",
    "create-sandbox",
    "remove-sandbox",
    "join",
    "leave",
    "attach",
    "detach",
    "publish",
    "unpublish",
    "inspect",
    "doctor"};

template <>
inline constexpr auto
  enum_names<testing::fault_kind> = std::array<std::string_view, 30>{
    "kernel-fail",         "kernel-lose-reply",    "kernel-delay",
    "kernel-crash-before", "kernel-crash-after",   "store-full",
    "store-io-error",      "store-lose-reply",     "store-crash-before",
    "store-crash-after",   "store-power-loss",     "message-drop",
    "message-lose-reply",  "message-delay",        "message-reorder",
    "actor-kill",          "process-crash",        "recovery-crash",
    "power-loss",          "host-delete-link",     "host-set-down",
    "host-rename-link",    "host-flush-addresses", "host-flush-ruleset",
    "host-unmount-pin",    "host-flush-routes",    "host-delete-inside",
    "client-slow",         "client-dead",          "client-repeat"};

} // namespace troupe

namespace troupe::testing {

// The enumerations above are of this namespace, their names' functions are not.
using troupe::to_string;

/// How often clients ask for what, relative to each other; 0: never.
struct operation_mix {
  int create_network = 8, remove_network = 4;
  int create_endpoint = 8, remove_endpoint = 4;
  int create_sandbox = 10, remove_sandbox = 4;
  int join = 8, leave = 4;
  int attach = 12, detach = 4;
  int publish = 6, unpublish = 3;
  int inspect = 3, doctor = 2;

  static constexpr auto fields() {
    return std::tuple{field{"create-network", &operation_mix::create_network},
                      field{"remove-network", &operation_mix::remove_network},
                      field{"create-endpoint", &operation_mix::create_endpoint},
                      field{"remove-endpoint", &operation_mix::remove_endpoint},
                      field{"create-sandbox", &operation_mix::create_sandbox},
                      field{"remove-sandbox", &operation_mix::remove_sandbox},
                      field{"join", &operation_mix::join},
                      field{"leave", &operation_mix::leave},
                      field{"attach", &operation_mix::attach},
                      field{"detach", &operation_mix::detach},
                      field{"publish", &operation_mix::publish},
                      field{"unpublish", &operation_mix::unpublish},
                      field{"inspect", &operation_mix::inspect},
                      field{"doctor", &operation_mix::doctor}};
  }
};

/// One kind of fault of a scenario.
struct fault_setting {
  fault_kind fault = fault_kind::kernel_fail;
  /// Which kernel call (`add_veth`) or which receiving actor (`store`); empty:
  /// any.
  std::string on;
  std::string error;     ///< e.g. `ENOBUFS`; empty: any. For `kernel-…`.
  int nth = -1;          ///< Which matching call or message; -1: any of 30.
  bool for_ever = false; ///< And all after it, until the quiet phase.
  int delay_ms = 5'000;  ///< Virtual time, for `…-delay` and `client-slow`.
  /// How likely it is planned before each operation, of 1 000.
  int per_mille = 20;

  static constexpr auto fields() {
    return std::tuple{field{"fault", &fault_setting::fault},
                      field{"on", &fault_setting::on},
                      field{"error", &fault_setting::error},
                      field{"nth", &fault_setting::nth},
                      field{"for-ever", &fault_setting::for_ever},
                      field{"delay-ms", &fault_setting::delay_ms},
                      field{"per-mille", &fault_setting::per_mille}};
  }
};

/// What a run does; everything else follows from the seed.
struct scenario {
  std::string name = "default";
  int clients = 3;     ///< 1 to 16; each has one request in work at a time.
  int operations = 40; ///< 1 to 100 000, of all clients together.
  int objects = 4;     ///< 1 to 16 names of each kind: few, so that they meet.
  /// Virtual time over which the operations are spread; 0: no pauses.
  int duration_ms = 0;
  /// Each seed draws its own mix, number of clients and choice of the faults.
  bool swarm = false;
  operation_mix mix;
  std::vector<fault_setting> faults;

  static constexpr auto fields() {
    return std::tuple{field{"name", &scenario::name},
                      field{"clients", &scenario::clients},
                      field{"operations", &scenario::operations},
                      field{"objects", &scenario::objects},
                      field{"duration-ms", &scenario::duration_ms},
                      field{"swarm", &scenario::swarm},
                      field{"mix", &scenario::mix},
                      field{"faults", &scenario::faults}};
  }
};

/// Reads a scenario: JSON with comments. Errors: `invalid_argument` with file,
/// line and column, the value, and the nearest right key.
result<scenario>
load_scenario(std::string_view file_name, std::string_view text);

/// Swarm mode with every fault there is.
scenario swarm_scenario();

// What `kernel-fail` and `kernel-lose-reply` choose from.
using netns::error_named;
using netns::injected_errors;

} // namespace troupe::testing
