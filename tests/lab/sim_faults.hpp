#pragma once

#include "troupe/tests/lab/scenario.hpp"
#include "troupe/tests/lab/simulated_system.hpp"

#include <string>

namespace troupe::testing {

/// What faults strike: one run.
class fault_target {
public:
  virtual ~fault_target() = default;
  virtual simulated_system& system() = 0;

  /// A fault has an effect now.
  virtual void struck(fault_kind what) = 0;

  /// The kernel says that something is not there, although it may be.
  virtual void misled() = 0;

  /// A line for the reader of the run.
  virtual void note(std::string line) = 0;

  /// A client goes away without its reply.
  virtual void hang_up(uint64_t salt) = 0;

  /// A client sends its request once more.
  virtual void repeat(uint64_t salt) = 0;
};

/// Plans faults, or lets them happen at once.
class fault_maker {
public:
  explicit fault_maker(fault_target& target) : target_{target} {
  }

  /// @param salt decides what the setting leaves open.
  void strike(const fault_setting& x, uint64_t salt);

private:
  void plan_kernel(const fault_setting& x, uint64_t salt);
  void wait_for_a_batch();
  void plan_store(const fault_setting& x, uint64_t salt);
  void plan_message(const fault_setting& x, uint64_t salt);

  fault_target& target_;
};

} // namespace troupe::testing
