#pragma once

// Private to the sources of the endpoint.

#include "troupe/actors/api/backoff.hpp"
#include "troupe/actors/core/turn_queue.hpp"
#include "troupe/actors/objects/endpoint.hpp"
#include "troupe/actors/objects/joined_endpoints.hpp"

namespace troupe {

struct endpoint_state;
using endpoint_pointer = endpoint_actor::stateful_pointer<endpoint_state>;

/// Operations are chains of steps: each step asks another actor and goes on in
/// the handler of its reply. Every chain ends in `settle` or `end`.
struct endpoint_state {
  static inline const char* name = "endpoint";

  explicit endpoint_state(endpoint_pointer selfptr) : self{selfptr} {
  }

  // -- steps of a join --------------------------------------------------------

  void start(promise<endpoint_status> reply);
  void fail_start(error why, promise<endpoint_status> reply);
  void join(const sandbox_actor& into, promise<endpoint_status> reply);
  void build(promise<endpoint_status> reply);
  void switch_gateway_then_commit(promise<endpoint_status> reply);
  void commit_join(promise<endpoint_status> reply);
  void finish_joining(promise<endpoint_status> reply);
  void give_up_turn(error why, promise<endpoint_status> reply);
  void take_back(error why, promise<endpoint_status> reply);
  void fail_join(error why, promise<endpoint_status> reply);
  join_spec join_record(std::vector<port_binding> ports) const;

  // -- steps of a leave and a removal -----------------------------------------

  void part(bool remove, promise<done> reply);
  void commit_leave(bool remove, promise<done> reply);
  void stay_joined(error why, promise<done> reply);
  void raze_then_finish(bool remove, promise<done> reply);
  void raze(std::function<void()> next);
  void unprotect(std::function<void()> next);
  void drop(bool force, promise<done> reply);
  void forget(promise<done> reply);

  // -- published ports, in endpoint_publish.cpp -------------------------------

  void change_ports(const std::vector<port_spec>& ports, bool publish,
                    promise<endpoint_status> reply);
  void publish_ports(const std::vector<port_spec>& ports,
                     promise<endpoint_status> reply);
  void unpublish_ports(const std::vector<port_spec>& ports,
                       promise<endpoint_status> reply);
  std::vector<ip_address> default_addresses() const;
  void refuse_ports(error why, promise<endpoint_status> reply);
  void end_change();
  void publish_more(endpoint_spec wanted, const std::vector<port_spec>& ports,
                    promise<endpoint_status> reply);
  commit_changes port_records(const endpoint_spec& wanted,
                              const std::vector<port_binding>& all) const;
  void adopt_ports(const endpoint_spec& wanted, std::vector<port_binding> all,
                   const char* action);
  void commit_ports(const endpoint_spec& wanted, std::vector<port_binding> all,
                    promise<endpoint_status> reply);
  bool link_suits(const endpoint_spec& wanted) const;
  void answer_change(promise<endpoint_status> reply);
  void suit_link(promise<endpoint_status> reply);
  void take_ports_back(error why, promise<endpoint_status> reply);
  void retract(const endpoint_spec& wanted, std::vector<port_binding> kept,
               promise<endpoint_status> reply);
  template <class Next>
  void restore_records(const error& why, Next next);
  template <class Next>
  void retract_but(std::vector<port_binding> kept, Next next);

  // -- the rest ---------------------------------------------------------------

  void check(const check_endpoint& msg, promise<mend_report> reply);
  void check_again();
  void be_gone_with_sandbox(promise<done> reply);
  endpoint_status status() const;
  drivers::endpoint_plan plan() const;

  /// Ends the operation in work and starts the next.
  void settle();
  void release_turn();
  /// Releases name and addresses, delivers, then the actor ends.
  void end(const std::function<void()>& deliver);
  error gone_error() const;
  std::string title() const;

  template <class Reply>
  void take_turn(promise<Reply> reply, std::function<void()> work);

  endpoint_pointer self;
  context_ptr context;
  std::shared_ptr<const endpoint_spec> spec;
  std::shared_ptr<const network_spec> network;
  network_actor owner;
  driver_actor driver;
  std::string host_interface; ///< Empty for drivers without one.
  bool filtered = false;      ///< Its driver uses the firewall.

  sandbox_actor sandbox; ///< While joining, joined or leaving.
  join_slot slot;
  std::vector<port_binding> bindings; ///< Published ports, while joined.
  const char* phase = "created";
  bool joined = false;
  bool has_turn = false; ///< Of the sandbox, for a change of the ports.
  bool starting = false; ///< Its record is not there yet.
  bool ended = false;
  bool quits_when_idle = false;
  turn_queue turns;
  seen_time changed = {}; ///< When its last operation ended.
  backoff checks;         ///< Between comparisons that failed.
  bool looks = false;     ///< It compares itself.
  bool missed = false;    ///< Something changed meanwhile.
};

template <class Reply>
void endpoint_state::take_turn(promise<Reply> reply,
                               std::function<void()> work) {
  auto guarded = [this, reply, work = std::move(work)]() mutable {
    if (!ended)
      return work();
    reply.deliver(gone_error());
    release_turn();
  };
  if (!turns.enter(std::move(guarded)))
    reply.deliver(
      error{ec::unavailable, title() + ": too many operations wait", "", 0});
}

} // namespace troupe
