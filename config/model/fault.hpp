#pragma once

// Faults that are injected into a running daemon, as the API shows them; what
// they do is in actors/embedded/live_faults.hpp and docs/testing.md.

#include "troupe/config/model/field.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

/// A fault as it is asked for. The fields are those of a fault in a scenario
/// of troupe-sim, so that a plan can be moved from one to the other.
struct fault_spec {
  std::string fault; ///< e.g. `kernel-fail`.
  /// What it strikes: a kernel call (`add_veth`) or, for `request-…`, an
  /// operation of the API (`attach_sandbox`). Empty: any.
  std::string on;
  std::string error;      ///< Of `kernel-fail` and `-lose-reply`; empty: EIO.
  std::optional<int> nth; ///< Which of those from now on, from 0; -1: the next.
  bool for_ever = false;  ///< And all after it.
  std::optional<int> delay_ms;  ///< For `…-delay`; default 5 000.
  std::optional<int> per_mille; ///< Instead of `nth`: how likely each one is.

  static constexpr auto fields() {
    return std::tuple{field{"fault", &fault_spec::fault},
                      field{"on", &fault_spec::on},
                      field{"error", &fault_spec::error},
                      field{"nth", &fault_spec::nth},
                      field{"for-ever", &fault_spec::for_ever},
                      field{"delay-ms", &fault_spec::delay_ms},
                      field{"per-mille", &fault_spec::per_mille}};
  }
};

/// Adds faults, all or none; replied to with a `fault_list` of these.
struct add_faults {
  std::vector<fault_spec> faults;
  /// Decides what `per-mille` leaves open; without it one is drawn.
  std::optional<uint64_t> seed;

  static constexpr auto fields() {
    return std::tuple{field{"faults", &add_faults::faults},
                      field{"seed", &add_faults::seed}};
  }
};

/// A fault that was added.
struct fault_status {
  uint64_t id = 0; ///< Counts from 1.
  fault_spec spec;
  uint64_t seed = 0;
  uint64_t seen = 0; ///< What it could have struck since.
  uint64_t hits = 0; ///< What it has struck.
  bool armed = true; ///< It can strike again.

  static constexpr auto fields() {
    return std::tuple{
      field{"id", &fault_status::id},     field{"spec", &fault_status::spec},
      field{"seed", &fault_status::seed}, field{"seen", &fault_status::seen},
      field{"hits", &fault_status::hits}, field{"armed", &fault_status::armed}};
  }
};

struct fault_list {
  std::vector<fault_status> faults; ///< In the order of addition.

  static constexpr auto fields() {
    return std::tuple{field{"faults", &fault_list::faults}};
  }
};

/// One time that a fault struck.
struct fault_hit {
  uint64_t sequence = 0; ///< Counts from 1, without gaps.
  int64_t time_ms = 0;   ///< Unix time.
  uint64_t id = 0;       ///< Of the fault.
  std::string fault;
  std::string on;     ///< The call, `commit`, or the operation.
  std::string effect; ///< e.g. `ENOBUFS`, `5000 ms`, `crash`.

  static constexpr auto fields() {
    return std::tuple{field{"sequence", &fault_hit::sequence},
                      field{"time_ms", &fault_hit::time_ms},
                      field{"id", &fault_hit::id},
                      field{"fault", &fault_hit::fault},
                      field{"on", &fault_hit::on},
                      field{"effect", &fault_hit::effect}};
  }
};

struct fault_log {
  std::vector<fault_hit> hits; ///< The last 1 024, oldest first.

  static constexpr auto fields() {
    return std::tuple{field{"hits", &fault_log::hits}};
  }
};

/// A place where faults can strike.
struct fault_point {
  std::string name;                ///< For `on`; `commit` needs none.
  std::vector<std::string> faults; ///< That can strike there.

  static constexpr auto fields() {
    return std::tuple{field{"name", &fault_point::name},
                      field{"faults", &fault_point::faults}};
  }
};

struct fault_points {
  std::vector<fault_point> points;
  std::vector<std::string> errors; ///< For `error`.

  static constexpr auto fields() {
    return std::tuple{field{"points", &fault_points::points},
                      field{"errors", &fault_points::errors}};
  }
};

} // namespace troupe
