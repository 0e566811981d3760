#pragma once

// Private to the controller's sources.

#include "troupe/actors/controller/controller.hpp"
#include "troupe/actors/controller/directory.hpp"
#include "troupe/actors/controller/link_index.hpp"
#include "troupe/actors/controller/recovery.hpp"
#include "troupe/actors/doctor/doctor.hpp"
#include "troupe/actors/services/watcher.hpp"

#include <set>

namespace troupe {

struct controller_state;
using controller_pointer = controller_actor::stateful_pointer<controller_state>;

struct controller_state {
  static inline const char* name = "controller";

  explicit controller_state(controller_pointer selfptr) : self{selfptr} {
  }
  controller_state(const controller_state&) = delete;
  controller_state& operator=(const controller_state&) = delete;

  /// However the controller ends: nobody else would end the others.
  ~controller_state() {
    end_all();
  }

  // -- start-up, in startup.cpp -----------------------------------------------

  void start_up(promise<done> reply);
  void rebuild(loaded_records& loaded, promise<done> reply);
  void remake_namespaces(promise<done> reply);
  void spawn_objects(const reconciled_namespaces& pins);
  void rejoin_endpoints(size_t next, promise<done> reply);
  void claim_subnets_again(size_t next, promise<done> reply);
  void collect_plans(promise<done> reply);
  void
  restore_rules(std::vector<drivers::endpoint_plan> plans, promise<done> reply);
  void reconcile_drivers(std::vector<drivers::endpoint_plan> plans,
                         promise<done> reply);
  void be_ready(promise<done> reply);
  void finish_cleaning();
  void probe_kernel();
  void end_step(std::string name, std::string detail);
  void commit_pins(const reconciled_namespaces& pins);

  // -- objects, in controller.cpp ---------------------------------------------

  void spawn_services(caf::actor_system& system);
  driver_actor driver_of(const std::string& driver_name);
  void create(network_spec spec, promise<network_status> reply);
  void create(sandbox_spec spec, promise<sandbox_status> reply);
  void remove(const network_id& id, promise<done> reply);
  void remove(const sandbox_id& id, promise<done> reply);

  /// Calls `next` with the endpoint, or delivers why there is none. An empty
  /// network means: whichever has it.
  template <class Reply>
  void
  with_endpoint(const std::string& network, const std::string& endpoint,
                promise<Reply> reply, std::function<void(endpoint_actor)> next);
  result<endpoint_actor>
  choose_endpoint(const std::vector<network_id>& asked,
                  std::vector<result<found_endpoints>> answers,
                  const std::string& reference) const;

  // -- watching, in watch.cpp -------------------------------------------------

  void start_watcher();
  void look_at(const kernel_events& msg);
  void look_at_early();
  void look_at(const std::vector<seen_event>& events);
  void look_at(const seen_event& x);
  void compare_everything(seen_time seen);
  void compare_touched_later(std::chrono::milliseconds pause);
  void compare_touched();
  void compare_regularly();
  void compare_slice(size_t rounds);
  void compare_links(const host_links& found);
  void look_at_link(const link_index::place& place, seen_time seen);
  void status(promise<daemon_status> reply);
  void add_sandbox_notes(daemon_status result,
                         std::vector<netns::promised_network> networks,
                         promise<daemon_status> reply);
  void add_firewall_notes(daemon_status result,
                          std::vector<netns::promised_network> networks,
                          promise<daemon_status> reply);
  void add_obstructions(daemon_status result,
                        std::vector<netns::promised_network> networks,
                        promise<daemon_status> reply);
  void shut_down(promise<done> reply);

  // -- doctor, in doctor.cpp --------------------------------------------------

  using doctor_answer = std::function<void(result<doctor_report>)>;

  void ask_doctor(const run_doctor& what, promise<doctor_report> reply);
  void next_doctor();
  void doctor(const run_doctor& how, doctor_answer reply);
  void compare(bool repair, doctor_answer reply);
  void probe(doctor_report report, doctor_answer reply);
  void send_probes(doctor_report report, const persistence::snapshot& records,
                   doctor_answer reply);
  void diagnose_then(std::function<void(result<diagnosis>)> next);
  void repair_all(diagnosis before, doctor_answer reply);
  void sweep_leftovers(const diagnosis& before, std::function<void()> next);

  done claim(const claim_link& x);
  done release(const release_link& x);
  void note_freed(size_t objects);

  /// Ends every actor but this one.
  void end_all();

  struct waiting_doctor {
    run_doctor what;
    promise<doctor_report> reply;
  };

  controller_pointer self;
  context_ptr context;
  directory objects;
  link_index links; ///< Which events concern whom.
  /// What events have told about since it was compared for that reason.
  std::set<std::string> touched_links;
  std::set<sandbox_id> touched_sandboxes;
  bool touched_due = false; ///< They are compared soon.
  std::map<std::string, driver_actor> drivers;
  watcher_actor watcher;
  std::shared_ptr<watch_switch> watching = std::make_shared<watch_switch>();

  bool ready = false;
  std::vector<seen_event> early; ///< Seen before, for when it is ready.
  seen_time reconciled = {};     ///< What came before start-up has seen.
  bool ended = false;            ///< The others have been ended.
  bool remove_leftovers = true;
  size_t leftovers = 0;
  bool unfinished = false; ///< Start-up could not mend all.
  std::vector<std::string> warnings;
  std::vector<startup_step> steps;
  std::chrono::steady_clock::time_point step_began;
  rebuild_plan plan; ///< During start-up only.
  persistence::origin origin;
  uint64_t generation = 0;
  std::vector<waiting_doctor> doctors; ///< Asked for while one works.
  bool doctor_works = false;
  size_t freed = 0;          ///< Objects that went since memory was given back.
  size_t audit_ticks = 0;    ///< Regular comparisons so far.
  size_t audit_position = 0; ///< Where the regular comparison goes on.
};

} // namespace troupe
