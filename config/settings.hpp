#pragma once

#include "troupe/config/model/address.hpp"
#include "troupe/config/model/error.hpp"
#include "troupe/config/model/field.hpp"

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// A range that automatic subnets are cut out of, as Docker's
/// `default-address-pools`.
struct address_pool_setting {
  prefix base;
  int size = 0; ///< Length of each subnet; at least the base's.

  static constexpr auto fields() {
    return std::tuple{field{"base", &address_pool_setting::base},
                      field{"size", &address_pool_setting::size}};
  }
};

/// An operation on an object takes at most so many steps on a blocking actor,
/// one after the other, each of which may last as long as a driver's.
inline constexpr int steps_per_operation = 6;

/// And a request one more, to find its object: only if it may take longer than
/// all of them does the reason for a failure arrive before its deadline.
inline constexpr int steps_per_request = steps_per_operation + 1;

/// Settings of an embedded controller and of the daemon; the defaults here are
/// the only ones. Later sources win: defaults, file, environment, flags.
struct settings {
  /// Durable records. Must be on a local file system.
  std::string state_dir = "/var/lib/troupe";

  /// Runtime records, namespace pins and the socket. Must be on a tmpfs that
  /// goes away at reboot.
  std::string run_dir = "/run/troupe";

  /// The API's Unix socket; empty: `<run_dir>/troupe.sock`.
  std::string socket;

  /// Group that may use the socket; empty: only root.
  std::string socket_group;

  /// `trace`, `debug`, `info`, `warn`, `error`.
  std::string log_level = "info";

  /// Replaces the predefined local pools; empty: libnetwork's 31.
  std::vector<address_pool_setting> default_address_pools;

  /// Upper bound for one kernel operation before its outcome is unknown.
  int driver_timeout_ms = 15'000;

  /// Upper bound for one client request; more than `steps_per_request` times
  /// the one above.
  int request_timeout_ms = 120'000;

  /// Requests in work at once; more are answered `unavailable` at once.
  int max_requests = 1'024;

  /// Operations waiting for one network, endpoint or sandbox; more are answered
  /// `unavailable` at once.
  int max_queue = 256;

  /// Switch the host's forwarding on when a network needs it; else such a
  /// network is refused while it is off.
  bool ip_forward = true;

  /// Forwarded packets with this mark are accepted: `MARK[/MASK]`, numbers as
  /// in C; empty: none.
  std::string accept_mark;

  /// Program that serves published ports on loopback addresses; empty:
  /// `troupe-proxy` beside this program, where it was installed, or in
  /// /usr/libexec/troupe.
  std::string proxy_program;

  /// Namespaces made in advance, so that a new sandbox needs not wait for its
  /// own; 0: none. Each takes some 150 KiB of kernel memory.
  int ready_namespaces = 4;

  /// Delete kernel objects with our tag although the store does not know them
  /// and was just made. Only a person can decide that.
  bool remove_leftovers = false;

  static constexpr auto fields() {
    return std::tuple{
      field{"state-dir", &settings::state_dir},
      field{"run-dir", &settings::run_dir},
      field{"socket", &settings::socket},
      field{"socket-group", &settings::socket_group},
      field{"log-level", &settings::log_level},
      field{"default-address-pools", &settings::default_address_pools},
      field{"driver-timeout-ms", &settings::driver_timeout_ms},
      field{"request-timeout-ms", &settings::request_timeout_ms},
      field{"max-requests", &settings::max_requests},
      field{"max-queue", &settings::max_queue},
      field{"ip-forward", &settings::ip_forward},
      field{"accept-mark", &settings::accept_mark},
      field{"proxy-program", &settings::proxy_program},
      field{"ready-namespaces", &settings::ready_namespaces},
      field{"remove-leftovers", &settings::remove_leftovers}};
  }
};

/// A key and its text from the environment or the command line.
using overrides = std::map<std::string, std::string>;

/// Merges all sources and checks the result.
/// @param file JSON with `//` and `/* */` comments; empty: none.
/// @param environment variables `TROUPE_STATE_DIR` … by their full names.
/// @param flags by key, e.g. `state-dir`.
/// Errors: `invalid_argument` with the place (file, line and column; variable;
/// flag), the value and the nearest right key.
result<settings>
load_settings(std::string_view file_name, std::string_view file_text,
              const overrides& environment, const overrides& flags);

/// Checks ranges and normalises paths (absolute, no `..`). Called by
/// `load_settings` and again when a controller is opened.
result<settings> validated(settings x);

/// Path of the API's socket.
std::string socket_path(const settings& x);

} // namespace troupe
