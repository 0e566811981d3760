#pragma once

// Private to the sources of the sandbox.

#include "troupe/actors/api/backoff.hpp"
#include "troupe/actors/core/turn_queue.hpp"
#include "troupe/actors/objects/joined_endpoints.hpp"
#include "troupe/actors/objects/sandbox.hpp"

#include <set>

namespace troupe {

struct sandbox_state;
using sandbox_pointer = sandbox_actor::stateful_pointer<sandbox_state>;

/// A join or a leave holds the sandbox's turn from its `reserve_…` to its
/// `finish_…`.
struct sandbox_state {
  static inline const char* name = "sandbox";

  explicit sandbox_state(sandbox_pointer selfptr) : self{selfptr} {
  }

  // -- create and remove ------------------------------------------------------

  void start(promise<sandbox_status> reply);
  void commit_start(promise<sandbox_status> reply);
  void fail_start(error why, bool uncommit, promise<sandbox_status> reply);
  bool is_adopted() const; ///< Its namespace is somebody else's.
  void drop(promise<done> reply);
  void drop_records(promise<done> reply);
  void close_after_drop(promise<done> reply);
  void stay(error why, promise<done> reply);
  void raze_adopted(std::function<void(result<void>)> next);
  void announce_doomed();
  void close_pin(std::function<void()> next);
  close_namespace closing() const;
  void dismiss_endpoints(std::function<void()> next);

  // -- join and leave ---------------------------------------------------------

  void reserve(const joining_endpoint& who, promise<join_slot> reply);
  result<joined_endpoint> admit(const joining_endpoint& who) const;
  void finish_join_of(const finish_join& msg, promise<done> reply);
  void finish_leave_of(const finish_leave& msg, promise<done> reply);
  void apply_routes(std::function<void(result<void>)> next);
  void look_again_after(const char* step, const error& why);
  void check_again();
  void cancel(const endpoint_id& id);

  // -- the rest ---------------------------------------------------------------

  void check(promise<mend_report> reply);
  void adopt_state(const namespace_state& found, mend_report& report);
  void record_namespace();
  void check_members(mend_report report, promise<mend_report> reply);
  join_slot slot_of(const joined_endpoint& x) const;
  std::vector<drivers::endpoint_plan> plans() const;
  sandbox_status status() const;
  error gone_error() const;
  std::string title() const;
  void settle();

  template <class Reply>
  void take_turn(const endpoint_id& who, promise<Reply> reply,
                 std::function<void()> work);

  sandbox_pointer self;
  context_ptr context;
  sandbox_spec spec;
  netns::namespace_ref ns; ///< Empty path: the host's.
  joined_endpoints table;
  std::map<endpoint_id, joining_endpoint> members;
  turn_queue turns;
  endpoint_id holder;              ///< Whose join or leave has the turn.
  bool switched = false;           ///< The holder's join moved a default route.
  std::set<endpoint_id> cancelled; ///< Gave up while waiting for their turn.
  bool starting = false;           ///< Its record is not there yet.
  bool ended = false;
  bool unrecorded = false; ///< The store may name the namespace before.
  bool rebuilt = false;    ///< A new, empty namespace replaced a lost one.
  std::string problem;     ///< Why the namespace is lost.
  seen_time changed = {};
  backoff checks;      ///< Between comparisons that failed.
  bool missed = false; ///< Something changed during a comparison.
};

template <class Reply>
void sandbox_state::take_turn(const endpoint_id& who, promise<Reply> reply,
                              std::function<void()> work) {
  auto guarded = [this, who, reply, work = std::move(work)]() mutable {
    if (ended)
      reply.deliver(gone_error());
    else if (!who.empty() && cancelled.erase(who) > 0)
      reply.deliver(error{ec::timeout, title() + ": gave up waiting", "", 0});
    else {
      holder = who;
      return work();
    }
    turns.leave();
  };
  if (!turns.enter(std::move(guarded)))
    reply.deliver(
      error{ec::unavailable, title() + ": too many operations wait", "", 0});
}

} // namespace troupe
