#pragma once

#include "troupe/netns/kernel.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::netns {

/// The methods of `kernel`, in the order of its declaration.
enum class call : uint8_t {
  create_namespace,
  adopt_namespace,
  remove_namespace,
  find_namespace,
  namespaces,
  enter,
  add_bridge,
  add_veth,
  del_link,
  del_group,
  set_link,
  set_port_flags,
  bind_mac,
  link_index,
  link,
  links,
  statistics,
  add_address,
  del_address,
  addresses,
  all_addresses,
  announce,
  add_route,
  del_route,
  routes,
  link_routes,
  add_rule,
  del_rule,
  rules,
  routed_subnets,
  set_neighbour,
  del_neighbour,
  neighbours,
  neighbour,
  set_sysctl,
  read_sysctl,
  load_firewall,
  change_elements,
  list_elements,
  remove_firewall,
  forward_blockers,
  flush_conntrack,
  connections,
};

inline constexpr size_t call_count = 43;

/// The method's name, e.g. `add_veth`.
std::string_view to_string(call what);

/// Those of all methods, in their order.
std::vector<std::string_view> call_names();

/// Inverse of `to_string`; empty for an unknown name.
std::optional<call> call_from_string(std::string_view name);

/// True if the call changes the kernel; false for those that read or `enter`.
bool mutates(call what);

/// Errors that the kernel really gives, for whoever injects one.
std::vector<int> injected_errors();

/// Their names, e.g. `ENOBUFS`, in the same order.
std::vector<std::string_view> injected_error_names();

/// The error with this name; 0 for other texts.
int error_named(std::string_view name);

/// What happens to a call, and to which one.
struct fault_rule {
  enum class effect : uint8_t {
    fail,         ///< The call is not done and returns `os_error`.
    lose_reply,   ///< The call is done, yet returns `os_error`.
    crash_before, ///< The process "dies" before the call.
    crash_after,  ///< The process "dies" after the call, before it returns.
    run,          ///< `action` runs first, then the call: a delay, a third
                  ///< party that interferes. Not counted as a failure.
  };

  effect what = effect::fail;
  std::optional<call> on; ///< Empty: calls of any kind.
  unsigned nth = 0;       ///< Which matching call, from 0, is the first hit.
  bool for_ever = false;  ///< And all matching ones after it.
  int os_error = EIO;     ///< For `fail` and `lose_reply`.
  /// Runs when the rule hits, before the call; with `run` it is all that
  /// happens. May use the simulated world.
  std::function<void()> action;
};

/// Says what is to happen to kernel calls.
/// @thread_safety Everything.
class fault_source {
public:
  virtual ~fault_source() = default;
  fault_source(const fault_source&) = delete;
  fault_source& operator=(const fault_source&) = delete;

  /// What is to happen to one call.
  struct verdict {
    bool dead = false; ///< Crashed before.
    std::optional<fault_rule::effect> effect;
    int os_error = 0;
    std::vector<std::function<void()>> actions;
  };

  /// False: nothing is to happen to any call, and nobody counts them. This is
  /// all that a call costs while no fault is wanted: one relaxed load. Whoever
  /// arms and then asks for an operation gives the order by that.
  bool armed() const noexcept {
    return armed_.load(std::memory_order_relaxed);
  }

  /// @pre `armed`, or it was a moment ago.
  virtual verdict judge(call what) = 0;

  /// Performs the crash a verdict asked for.
  virtual void crash() = 0;

protected:
  explicit fault_source(bool armed) : armed_{armed} {
  }

  void arm(bool on) noexcept {
    armed_.store(on, std::memory_order_relaxed);
  }

private:
  std::atomic<bool> armed_;
};

/// One call that was seen.
struct seen_call {
  call what;
  bool done;    ///< It reached the kernel behind.
  bool faulted; ///< The caller got an injected error or a crash.
};

/// The faults of a simulation or a test. One plan serves all kernel objects of
/// one process under test; the process "crashes" as a whole: from then on every
/// call fails with `internal` and does nothing, so destructors and undo paths
/// cannot tidy up what a dead process would have left behind.
/// @thread_safety Everything; callbacks run on the caller's thread without a
///                lock of the plan.
class fault_plan : public fault_source {
public:
  /// Always armed: it counts calls.
  fault_plan() : fault_source{true} {
  }

  /// Rules apply in the order of addition; the first that hits is taken, but
  /// `run` rules are all run. A rule counts calls from its addition on.
  void add(fault_rule rule);

  /// Forgets all rules; a crash stays.
  void clear();

  /// Only calls that change the kernel are counted and hit. Default: all.
  void mutations_only(bool on);

  /// Called once when the process crashes, e.g. to leave a real process.
  void on_crash(std::function<void()> callback);

  /// Has the process crashed?
  bool crashed() const;

  /// The process starts again: calls work, rules and counters stay.
  void restart();

  /// Calls seen while not crashed; with `mutations_only` those alone.
  size_t calls() const;
  size_t calls(call what) const;

  /// How often a rule (other than `run`) hit. A sweep over n ends with the
  /// first n for which this stays 0.
  size_t faults() const;

  /// The last 4 096 calls seen, oldest first.
  std::vector<seen_call> log() const;

  /// Sets counters and log to nothing, those of the rules as well.
  void reset_counters();

  verdict judge(call what) override;
  void crash() override;

private:
  struct counted_rule {
    fault_rule rule;
    size_t matches = 0;
  };
  bool hits(counted_rule& x, call what);
  void note(const seen_call& x);

  mutable std::mutex mutex_;
  std::vector<counted_rule> rules_;
  std::function<void()> on_crash_;
  bool mutations_only_ = false;
  bool crashed_ = false;
  size_t faults_ = 0;
  size_t total_ = 0;
  std::array<size_t, call_count> counts_{};
  std::deque<seen_call> log_;
};

/// The error every call returns after a crash.
error crash_error(call what);

/// Puts faults in front of a kernel, simulated or real. Kernels that `enter`
/// returns obey the same source.
std::unique_ptr<kernel> open_faulty_kernel(std::unique_ptr<kernel> behind,
                                           std::shared_ptr<fault_source> plan);

/// The same for a factory.
kernel_factory faulty_kernel_factory(kernel_factory behind,
                                     std::shared_ptr<fault_source> plan);

} // namespace troupe::netns
