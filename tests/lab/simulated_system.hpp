#pragma once

#include "troupe/actors/troupe.hpp"
#include "troupe/config/model/instance.hpp"
#include "troupe/netns/faulty/kernel.hpp"
#include "troupe/netns/ports/simulated_ports.hpp"
#include "troupe/netns/simulated/kernel.hpp"
#include "troupe/netns/watch.hpp"
#include "troupe/persistence/faulty_store.hpp"
#include "troupe/tests/lab/message_rule.hpp"
#include "troupe/tests/lab/seeded_random.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace troupe {
struct embedded_parts;
}

namespace troupe::testing {

class simulated_daemon;

/// A machine and a daemon on it: the real actors on a deterministic scheduler
/// and virtual time, all on the calling thread, in front of a simulated kernel
/// and a store in memory. Kernel and disk outlive the daemon.
///
/// Needs no privileges, touches nothing of the machine it runs on, and gives
/// the same results every time, ids included when it runs in `with_seed`.
/// @thread_safety One thread, from construction to destruction.
class simulated_system {
public:
  /// The machine has a network card, a bridge of somebody else, one of another
  /// Troupe daemon, and the namespaces of two containers at /proc/7/ns/net and
  /// /proc/8/ns/net.
  simulated_system();
  ~simulated_system();
  simulated_system(const simulated_system&) = delete;
  simulated_system& operator=(const simulated_system&) = delete;

  // -- life of the daemon -----------------------------------------------------

  /// Starts the daemon; after a crash it is alive again. Faults stay planned.
  /// A daemon that runs is stopped first. Errors: those of start-up, which ends
  /// the daemon.
  result<void> start();

  /// Ends the daemon in order; networks stay up.
  void stop();

  /// Kills the daemon: nothing it does from here on reaches kernel or disk.
  void crash();

  /// The next crash, whoever causes it, is a loss of power: of the machine only
  /// the disk stays, with every commit that was acknowledged. Kernel objects,
  /// the run directory (sandboxes, joins, ephemeral endpoints) and host ports
  /// are gone, and the machine is furnished anew.
  void arm_power_loss();

  /// The machine is on again; `start` sees to it as well. @returns false if it
  /// was never off.
  bool boot();

  /// Has the daemon been killed, by `crash` or by a fault plan?
  bool crashed() const;

  // -- requests ---------------------------------------------------------------

  /// The public facade over this system, as `controller::open` gives it over
  /// the real parts: what a runtime under test is handed. Survives restarts of
  /// the daemon, but not this object. While no daemon runs every call fails
  /// with `unavailable`.
  troupe::controller controller();

  /// Sends a request, lets the daemon run, lets virtual time pass if it has
  /// to. Errors: those of the request; `timeout` if no reply came.
  result<reply> call(request what);

  /// Sends a request; the handler is called while `run` or `advance` runs, or
  /// at once, with `unavailable`, while no daemon runs.
  void submit(request what, reply_handler handler);

  // -- time -------------------------------------------------------------------

  /// Runs until there is nothing to do at this instant.
  void run();

  /// Runs one message of an actor chosen by `rng`. @returns false if there is
  /// none.
  bool run_one(std::mt19937_64& rng);

  /// Runs up to `steps` messages, each of an actor chosen by `rng`.
  void run_shuffled(std::mt19937_64& rng, size_t steps);

  /// Lets virtual time pass.
  void advance(std::chrono::milliseconds x);

  /// Lets virtual time pass while a kernel call is under way; for the actions
  /// of `kernel_faults`.
  void stall(std::chrono::milliseconds x);

  /// Virtual time since the construction.
  std::chrono::milliseconds now() const {
    return now_;
  }

  /// Virtual time that the last `call` needed.
  std::chrono::milliseconds last_call_took() const {
    return took_;
  }

  // -- faults -----------------------------------------------------------------

  /// Plans what happens to a message between actors. A restart forgets it.
  void add(message_rule rule);

  /// The kernel tells the daemon that it has dropped events, as it does when
  /// they come too fast. There is no other news of it here but `report`: what
  /// somebody else has changed is found by this, or by the regular comparison.
  void lose_events();

  /// The kernel tells the daemon what somebody else has changed, e.g. as a
  /// `netns::simulated_watch` has seen it.
  void report(std::vector<netns::kernel_event> events);

  /// Takes all planned faults away; a crash stays, and so does an actor's end.
  void heal();

  // -- what there is ----------------------------------------------------------

  /// Replies beyond the first that a request got.
  size_t surplus_replies() const {
    return surplus_;
  }

  const instance& owner() const {
    return owner_;
  }

  /// What the store holds as sorted text, for comparisons.
  std::string records() const;

  std::shared_ptr<netns::simulated_world> world;
  std::shared_ptr<persistence::memory_disk> disk;
  /// The host's ports; the proxy outlives the daemon as well.
  std::shared_ptr<netns::simulated_ports> ports;
  std::shared_ptr<netns::fault_plan> kernel_faults;
  std::shared_ptr<persistence::store_fault_plan> store_faults;

private:
  class facade;

  void furnish();
  embedded_parts make_parts() const;

  instance owner_;
  std::unique_ptr<simulated_daemon> daemon_;
  std::shared_ptr<facade> facade_;
  std::chrono::milliseconds now_{0};
  std::chrono::milliseconds took_{0};
  size_t surplus_ = 0;
  bool loses_power_ = false;
};

} // namespace troupe::testing
