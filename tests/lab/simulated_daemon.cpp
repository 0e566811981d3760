#include "troupe/tests/lab/simulated_daemon.hpp"

#include "troupe/actors/controller/controller.hpp"
#include "troupe/actors/embedded/door.hpp"
#include "troupe/tests/lab/message_faults.hpp"

#include <caf/scheduler/test_coordinator.hpp>

#include <algorithm>
#include <map>
#include <optional>

namespace troupe::testing {

namespace {

/// Longer than any deadline of the daemon.
constexpr auto patience = std::chrono::seconds{1'200};

/// More messages than any state of these systems needs: an endless loop of
/// actors ends a run instead of hanging it.
constexpr size_t most_messages = 2'000'000;

struct simulated_config : caf::actor_system_config {
  simulated_config() {
    add_message_types<caf::id_block::troupe>();
    set("scheduler.policy", caf::atom("testing"));
  }
};

} // namespace

struct simulated_daemon::impl {
  explicit impl(context_ptr what) : context{std::move(what)}, system{config} {
    controller = spawn_controller(system, context);
    door = spawn_door(system, controller);
  }

  ~impl() {
    faults.clear();
    (void)ask_controller(shut_down{});
    caf::anon_send_exit(door, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(controller, caf::exit_reason::user_shutdown);
    door = door_actor{};
    controller = controller_actor{};
    context->release_services();
    run();
    // Nobody else ends the children of an actor that was killed.
    faults.kill_all();
    run();
  }

  caf::scheduler::test_coordinator& scheduler() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
  }

  /// Runs the job at `position` if its actor is not held.
  bool run_job(size_t position) {
    auto& jobs = scheduler().jobs;
    std::swap(jobs[position], jobs.front());
    if (!faults.strike(*jobs.front(), now))
      return false;
    scheduler().run_once();
    return true;
  }

  /// Position of the first job, from `from` on and around, whose actor is not
  /// held; none if all are.
  std::optional<size_t> next_job(size_t from) {
    auto& jobs = scheduler().jobs;
    for (size_t i = 0; i < jobs.size(); ++i) {
      const auto position = (from + i) % jobs.size();
      if (!faults.is_held(*jobs[position], now))
        return position;
    }
    return std::nullopt;
  }

  void run() {
    for (auto left = most_messages; left > 0; --left) {
      const auto position = next_job(0);
      if (!position)
        return;
      run_job(*position);
    }
  }

  void advance(std::chrono::milliseconds x) {
    now += x;
    scheduler().advance_time(x);
  }

  /// Asks for something that is not part of the public API.
  template <class Message>
  result<void> ask_controller(Message message) {
    auto outcome = std::make_shared<std::optional<result<void>>>();
    // With an argument, since CAF binds a null reference without any.
    system.spawn(
      [=](caf::event_based_actor* self, const controller_actor& to) {
        ask<done>(
          self, to, patience, message,
          [outcome](done&) {
            *outcome = result<void>{};
          },
          [outcome](error why) {
            *outcome = result<void>{fail(std::move(why))};
          });
      },
      controller);
    run();
    for (auto past = std::chrono::seconds{0}; !*outcome && past <= patience;
         ++past) {
      advance(std::chrono::seconds{1});
      run();
    }
    return outcome->value_or(result<void>{fail(ec::timeout, "no reply")});
  }

  context_ptr context;
  simulated_config config; // Outlives the system.
  caf::actor_system system;
  controller_actor controller;
  door_actor door;
  std::chrono::milliseconds now{0};
  message_faults faults;
};

simulated_daemon::simulated_daemon(settings how, instance owner,
                                   embedded_parts parts) {
  auto context = std::make_shared<system_context>();
  context->how = std::move(how);
  context->owner = std::move(owner);
  context->parts = std::move(parts);
  context->spawn_detached = false;
  impl_ = std::make_unique<impl>(std::move(context));
}

simulated_daemon::~simulated_daemon() = default;

result<void> simulated_daemon::start_up() {
  return impl_->ask_controller(troupe::start_up{});
}

void simulated_daemon::submit(request what, std::chrono::milliseconds deadline,
                              reply_handler handler) {
  tell(impl_->door,
       submit_request{std::move(what), deadline, std::move(handler)});
}

void simulated_daemon::subscribe(uint64_t number, event_handler handler) {
  tell(impl_->context->events, add_subscriber{number, std::move(handler)});
}

void simulated_daemon::unsubscribe(uint64_t number) {
  tell(impl_->context->events, remove_subscriber{number});
}

void simulated_daemon::lose_events() {
  auto lost = seen_event{};
  lost.what.what = netns::kernel_event::kind::overflow;
  (void)impl_->ask_controller(kernel_events{{lost}});
}

void simulated_daemon::report(std::vector<netns::kernel_event> events) {
  // Its own changes were made before this, in real time, which passes.
  constexpr auto later = std::chrono::hours{24};
  auto seen = kernel_events{};
  for (auto& x : events)
    seen.events.push_back(
      {std::move(x), std::chrono::steady_clock::now() + later});
  (void)impl_->ask_controller(std::move(seen));
}

void simulated_daemon::run() {
  impl_->run();
}

bool simulated_daemon::run_one(std::mt19937_64& rng) {
  const auto count = impl_->scheduler().jobs.size();
  if (count == 0)
    return false;
  const auto position = impl_->next_job(rng() % count);
  if (!position)
    return false;
  impl_->run_job(*position);
  return true;
}

void simulated_daemon::advance(std::chrono::milliseconds x) {
  impl_->advance(x);
  impl_->run();
}

void simulated_daemon::stall(std::chrono::milliseconds x) {
  impl_->advance(x);
}

void simulated_daemon::add(message_rule rule) {
  impl_->faults.add(std::move(rule));
}

void simulated_daemon::clear_rules() {
  impl_->faults.clear();
}

} // namespace troupe::testing
