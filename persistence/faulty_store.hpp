#pragma once

#include "troupe/persistence/store.hpp"

#include <functional>
#include <memory>

namespace troupe::persistence {

/// Decides which commits fail. Shared by all stores of one process under test,
/// so that counting goes on over a restart if the test wants it to.
struct store_fault_plan {
  enum class effect : uint8_t {
    none,       ///< Counts only.
    fail,       ///< The commit is not done and returns `why`.
    lose_reply, ///< The commit is done, yet returns `why`.
    /// The runtime environment refuses: what belongs to the durable one, which
    /// is written first, is done, and the commit returns `why` if there was
    /// more. No commit is atomic over both.
    fail_runtime,
    crash_between, ///< The process "dies" between the two.
    crash_before,  ///< The process "dies" before the commit.
    crash_after,   ///< The process "dies" after it, before it returns.
  };

  effect what = effect::none;
  unsigned nth = 0;      ///< Which commit, from 0, is the first hit.
  unsigned times = 1;    ///< How many one after the other.
  bool for_ever = false; ///< And all after it.
  error why{ec::unavailable, "commit: injected fault", {}, 0};

  /// Told of each fault, before it strikes.
  std::function<void()> on_hit = {};

  /// Told of a "crash", e.g. to stop the fault plan of the kernel as well.
  std::function<void()> on_crash = {};

  /// Asked before each call: true once something else "crashed" the process.
  std::function<bool()> is_dead = {};

  unsigned seen = 0;    ///< Commits that were asked for.
  unsigned faulted = 0; ///< Of those, how many got a fault.
  bool crashed = false; ///< Everything fails until the test clears it.
};

/// Puts a plan in front of a store. After a "crash" every call fails with
/// `internal` and does nothing, as if nobody was there any more.
std::unique_ptr<store> make_faulty(std::unique_ptr<store> behind,
                                   std::shared_ptr<store_fault_plan> plan);

} // namespace troupe::persistence
