#pragma once

#include "troupe/actors/embedded/embedded.hpp"
#include "troupe/config/model/fault.hpp"
#include "troupe/netns/faulty/kernel.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace troupe {

/// Where a fault can strike.
enum class fault_seam : uint8_t { kernel, store, request };

/// The faults of this very process, which come and go while it works. A daemon
/// has one only when it was started with `--enable-fault-injection`.
///
/// Cost: while no fault is armed each kernel call, commit and request costs one
/// relaxed load; with one, a lock and a walk over at most 64.
///
/// Crashes are real: the process kills itself, nothing is tidied up.
/// @thread_safety Everything.
class live_faults final : public netns::fault_source {
public:
  using effect = netns::fault_rule::effect;

  static constexpr size_t max_armed = 64;
  static constexpr size_t max_log = 1'024;

  /// @param die ends the process; tests put something milder here.
  explicit live_faults(std::function<void()> die = kill_this_process);

  /// Arms all of them or none. Errors: `invalid_argument` naming the fault by
  /// its place and the nearest right word; `unavailable` when there would be
  /// too many.
  result<fault_list> add(const add_faults& what);

  /// Those that are armed, and the latest that are spent.
  fault_list list() const;

  /// Takes one away, or all; ends delays in progress. Errors: `not_found`.
  result<void> remove(std::string_view id);
  void clear();

  fault_log log() const;

  /// How many can strike again, and how often any has struck.
  struct counters {
    size_t armed = 0;
    uint64_t hits = 0;
  };
  counters count() const;

  /// Every place with the faults that can strike there.
  static fault_points points();

  // -- for the seams ----------------------------------------------------------

  /// What is to happen to a commit. It has waited if there was a delay.
  std::optional<effect> judge_commit(error& why);

  /// A request has arrived: crashes if that is wanted.
  void on_request(std::string_view operation, bool mutates);

  /// Its reply is ready: crashes if that is wanted. @returns true if the reply
  /// is to be lost.
  bool on_reply(std::string_view operation, bool mutates);

  verdict judge(netns::call what) override;
  void crash() override;

private:
  /// One kind of fault.
  struct row {
    std::string_view name;
    fault_seam seam;
    effect what;

    bool returns_error() const {
      return what == effect::fail || what == effect::lose_reply;
    }
    bool has_errno() const {
      return seam == fault_seam::kernel && returns_error();
    }
    bool crashes() const {
      return what == effect::crash_before || what == effect::crash_after;
    }
  };
  struct rule {
    fault_status status;
    const row* kind = nullptr;
    uint64_t random = 0;
  };
  struct strike {
    std::optional<effect> what;
    int os_error = 0;
    const row* kind = nullptr;
    std::chrono::milliseconds delay{0};
    uint64_t clearings = 0; ///< When it struck.
  };

  static void kill_this_process();
  static std::span<const row> rows();
  static const row* row_named(std::string_view name);
  static result<const row*> check(const fault_spec& x);
  static result<void> check_place(const fault_spec& x, const row& kind);
  static bool hits(rule& x);

  strike
  strike_at(fault_seam seam, std::string_view place, bool before, bool by_any);
  void note(const rule& x, std::string_view place);
  void forget_spent();
  void update_armed();
  void wait(const strike& x);

  std::function<void()> die_;
  mutable std::mutex mutex_;
  std::condition_variable cleared_;
  uint64_t clearings_ = 0; ///< A delay ends when this changes.
  std::deque<rule> rules_;
  std::deque<fault_hit> log_;
  uint64_t last_id_ = 0;
  uint64_t total_hits_ = 0;
};

/// Puts faults in front of the kernel and the store of these parts.
embedded_parts
with_faults(embedded_parts parts, std::shared_ptr<live_faults> faults);

} // namespace troupe
