#pragma once

#include "troupe/tests/fault/scenarios.hpp"
#include "troupe/tests/lab/invariants.hpp"

#include <string>

namespace troupe::fault {

/// They are injected into every call.
using netns::injected_errors;

/// Where a fault comes in.
enum class seam : uint8_t {
  kernel, ///< At a call of the kernel.
  store,  ///< At a commit.
  ports,  ///< At a socket, or a request to the proxy that holds them.
};

/// One fault: what happens at which call.
struct fault {
  using effect = netns::fault_rule::effect;

  seam where = seam::kernel;
  effect what = effect::fail;
  unsigned nth = 0;
  bool for_ever = false;
  int os_error = 0;
  unsigned gap = 0; ///< Again so many calls later; 0: not.
};

/// e.g. `kernel fail 7 once ENOBUFS`.
std::string to_string(const fault& x);

/// How many runs had a fault, over all tests of this program.
size_t& runs();

/// One prepared world and what it was like before the fault.
class run {
public:
  explicit run(const scenario& what);

  /// What became of the operation.
  const result<reply>& outcome() const {
    return outcome_;
  }

  /// Plans the fault and does the operation. @returns false if the fault never
  /// came: there is no such call.
  bool strike(const fault& x);

  /// Starts the daemon, with another crash at the given call of the recovery.
  /// @returns false if there is no such call.
  bool crash_in_recovery(const fault& x);

  /// After an error or a success without crash: all is as it has to be.
  std::string check_outcome(const fault& x);

  /// After a crash: starts again and checks.
  std::string check_recovery();

  /// Deletes everything; the machine is as at the beginning.
  std::string check_empty(const fault& x);

private:
  void plan(const fault& x);
  void plan_ports(const fault& x);
  void heal();
  std::string machine() const;
  std::string check_records(const fault& x);
  std::string settle_then_check(const fault& x);

  const scenario& what_;
  testing::simulated_system system_;
  unsigned port_faults_ = 0;   ///< That came.
  std::string empty_;          ///< The machine before the first request.
  std::string world_before_;   ///< Before the operation.
  std::string records_before_; ///< Likewise.
  result<reply> outcome_ = troupe::fail(ec::internal, "not done yet");
};

} // namespace troupe::fault
