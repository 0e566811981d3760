#include "troupe/actors/firewall.hpp"

#include "troupe/actors/firewall_work.hpp"
#include "troupe/actors/log.hpp"
#include "troupe/drivers/registry.hpp"

#include <iterator>
#include <utility>

namespace troupe {

/// A change that waits for the next transaction.
struct waiting_job {
  firewall_job job;
  std::function<void(const result<void>&)> finish;
};

struct firewall_state {
  static inline const char* name = "firewall";

  std::unique_ptr<firewall_work> work;
  error problem{ec::unavailable, "open the firewall: not done yet", "", 0};
  std::vector<waiting_job> waiting;
  bool retrying = false;
};

namespace {

using pointer = firewall_actor::stateful_pointer<firewall_state>;

/// What failed while nobody waits for it is tried again after this time.
constexpr auto retry_delay = std::chrono::milliseconds{500};

void open(pointer self, const system_context& context) {
  auto& state = state_of(self);
  auto kernel = context.parts.open_kernel();
  if (!kernel) {
    state.problem = std::move(kernel.error());
    return;
  }
  auto rules = netns::firewall::settings{};
  rules.table = netns::firewall::table_name(context.owner);
  if (!context.how.accept_mark.empty())
    if (auto mark
        = netns::firewall::accept_mark::parse(context.how.accept_mark))
      rules.mark = *mark;
  auto ports = context.parts.make_ports ? context.parts.make_ports() : nullptr;
  if (ports)
    if (auto started = ports->start(); !started)
      log().warn("published ports: {}", started.error().message);
  state.work
    = std::make_unique<firewall_work>(std::move(*kernel), std::move(ports),
                                      std::move(rules), context.how.ip_forward);
}

/// Queues a change; everything that waits is one transaction.
void submit(pointer self, firewall_job job,
            std::function<void(const result<void>&)> finish) {
  auto& state = state_of(self);
  if (state.waiting.empty())
    tell(firewall_actor{self}, flush_firewall{});
  state.waiting.push_back({std::move(job), std::move(finish)});
}

void try_again_later(pointer self) {
  auto& state = state_of(self);
  if (std::exchange(state.retrying, true))
    return;
  tell_after(firewall_actor{self}, retry_delay, check_firewall{});
}

/// One transaction for all; if that fails, one for each, so that only the
/// culprit fails.
void flush(pointer self) {
  auto& state = state_of(self);
  auto batch = std::exchange(state.waiting, {});
  auto jobs = std::vector<firewall_job>{};
  for (const auto& x : batch)
    jobs.push_back(x.job);
  auto all = state.work->apply(std::move(jobs));
  if (state.work->missing())
    try_again_later(self);
  for (auto& x : batch) {
    if (all || batch.size() == 1)
      x.finish(all);
    else
      x.finish(state.work->apply({std::move(x.job)}));
  }
}

/// The elements of an endpoint with these ports.
result<firewall_job>
job_of(const system_context& context, const network_spec& network,
       const endpoint_spec& endpoint,
       const std::vector<port_binding>& bindings) {
  auto driver = drivers::make(network.driver, context.owner);
  if (!driver)
    return fail(ec::invalid_argument, "unknown driver " + network.driver);
  auto wanted = driver->endpoint_elements(network, endpoint, bindings);
  if (!wanted)
    return fail(std::move(wanted.error()));
  return firewall_job{endpoint.id.value, std::move(*wanted), false};
}

result<firewall_job>
prepare(firewall_work& work, const system_context& context,
        const network_spec& network, bool only_rules = false) {
  auto driver = drivers::make(network.driver, context.owner);
  if (!driver)
    return fail(ec::invalid_argument, "unknown driver " + network.driver);
  auto wanted = driver->network_elements(network);
  if (!wanted)
    return fail(std::move(wanted.error()));
  if (!only_rules)
    if (auto open = work.open_forwarding(*driver, network); !open)
      return fail(std::move(open.error()));
  return firewall_job{network.id.value, std::move(*wanted), false};
}

/// Takes the ports and names all that the endpoint then has.
result<std::pair<firewall_job, std::vector<port_binding>>>
prepare(firewall_work& work, const system_context& context,
        const protect_endpoint& msg) {
  auto driver = drivers::make(msg.network.driver, context.owner);
  if (!driver)
    return fail(ec::invalid_argument, "unknown driver " + msg.network.driver);
  auto fresh = work.publish(*driver, msg);
  if (!fresh)
    return fail(std::move(fresh.error()));
  auto all = msg.kept;
  all.insert(all.end(), fresh->begin(), fresh->end());
  drivers::sort_bindings(all);
  auto job = job_of(context, msg.network, msg.endpoint, all);
  if (!job) {
    work.release_but(msg.endpoint, msg.kept);
    return fail(std::move(job.error()));
  }
  return std::pair{std::move(*job), std::move(all)};
}

void protect(pointer self, const system_context& context, protect_endpoint& msg,
             promise<published_ports> reply) {
  auto prepared = prepare(*state_of(self).work, context, msg);
  if (!prepared)
    return reply.deliver(std::move(prepared.error()));
  auto& [job, bindings] = *prepared;
  submit(self, std::move(job),
         [=, &state = state_of(self), msg = std::move(msg),
          bindings = std::move(bindings)](const result<void>& done) mutable {
           if (done)
             return reply.deliver(published_ports{std::move(bindings)});
           state.work->release_but(msg.endpoint, msg.kept);
           reply.deliver(done.error());
         });
}

/// Everything of the records in one transaction. What cannot be restored is a
/// problem to tell, not a reason to leave the others without rules.
restored_firewall restore(firewall_work& work, const system_context& context,
                          const restore_firewall& msg) {
  auto result = restored_firewall{};
  auto jobs = std::vector<firewall_job>{};
  for (const auto& x : msg.networks) {
    auto job = prepare(work, context, x);
    if (!job) { // Without forwarding, but not without isolation.
      result.problems.push_back(job.error().message);
      job = prepare(work, context, x, true);
    }
    if (job)
      jobs.push_back(std::move(*job));
  }
  for (const auto& x : msg.endpoints) {
    auto prepared = prepare(work, context, x);
    if (prepared) {
      jobs.push_back(std::move(prepared->first));
      continue;
    }
    result.problems.push_back(prepared.error().message);
    if (auto bare = job_of(context, x.network, x.endpoint, {}))
      jobs.push_back(std::move(*bare));
  }
  if (work.ports() != nullptr)
    if (auto done = work.ports()->finish_restore(); !done)
      result.problems.push_back(done.error().message);
  for (auto& x : jobs)
    x.is_final = true; // The records say so.
  auto done = jobs.empty() ? work.load() : work.apply(std::move(jobs));
  if (!done)
    result.problems.push_back(done.error().message);
  if (work.missing())
    result.problems.push_back(work.missing()->message);
  return result;
}

result<mend_report> check(firewall_work& work, const check_firewall& msg) {
  // Perhaps it is there by now; if not, the status keeps saying so.
  if (work.missing() && msg.repair)
    (void)work.load();
  auto found = work.differences();
  if (!found)
    return fail(std::move(found.error()));
  if (found->empty() && msg.changed && !work.book().empty())
    found->push_back("firewall: somebody changed its rules");
  if (!msg.repair)
    return mend_report{std::move(*found)};
  if (!found->empty())
    if (auto done = work.load(); !done)
      return fail(std::move(done.error()));
  if (work.ports() != nullptr)
    if (auto done = work.ports()->repair(); !done)
      found->push_back(done.error().message);
  return mend_report{std::move(*found)};
}

void unprotect(pointer self, const unprotect_endpoint& msg,
               promise<done> reply) {
  submit(self, {msg.endpoint.id.value, {}, true},
         [=, &state = state_of(self)](const result<void>& removed) mutable {
           if (!removed) {
             log().warn("endpoint {}: remove its rules: {}; tried again later",
                        quoted(msg.endpoint.name), removed.error().message);
             try_again_later(self);
           }
           state.work->release_all(msg.endpoint);
           reply.deliver(done{});
         });
}

} // namespace

firewall_actor::behavior_type
firewall(firewall_actor::stateful_pointer<firewall_state> self,
         context_ptr context) {
  open(self, *context);
  // Without a kernel nothing below can work; each request is told why.
  const auto lost = [self]() -> std::optional<error> {
    if (state_of(self).work)
      return {};
    return state_of(self).problem;
  };
  return {
    [=](const protect_network& msg) -> caf::result<done> {
      if (auto why = lost())
        return to_caf(std::move(*why));
      auto job = prepare(*state_of(self).work, *context, msg.network);
      if (!job)
        return to_caf(std::move(job.error()));
      auto reply = promise<done>{self};
      submit(self, std::move(*job), [reply](const result<void>& x) mutable {
        x ? reply.deliver(done{}) : reply.deliver(x.error());
      });
      return reply;
    },
    [=](const unprotect_network& msg) -> caf::result<done> {
      if (auto why = lost())
        return to_caf(std::move(*why));
      auto reply = promise<done>{self};
      submit(self, {msg.network.value, {}, true},
             [=](const result<void>& x) mutable {
               if (!x)
                 try_again_later(self);
               reply.deliver(done{});
             });
      return reply;
    },
    [=](protect_endpoint& msg) -> caf::result<published_ports> {
      if (auto why = lost())
        return to_caf(std::move(*why));
      auto reply = promise<published_ports>{self};
      protect(self, *context, msg, reply);
      return reply;
    },
    [=](const retract_ports& msg) -> caf::result<done> {
      if (auto why = lost())
        return to_caf(std::move(*why));
      auto job = job_of(*context, msg.network, msg.endpoint, msg.kept);
      if (!job)
        return to_caf(std::move(job.error()));
      auto reply = promise<done>{self};
      job->is_final = true;
      submit(self, std::move(*job),
             [=, &state = state_of(self)](const result<void>& x) mutable {
               if (!x)
                 try_again_later(self);
               state.work->release_but(msg.endpoint, msg.kept);
               reply.deliver(done{});
             });
      return reply;
    },
    [=](const unprotect_endpoint& msg) -> caf::result<done> {
      if (auto why = lost())
        return to_caf(std::move(*why));
      auto reply = promise<done>{self};
      unprotect(self, msg, reply);
      return reply;
    },
    [=](const restore_firewall& msg) -> caf::result<restored_firewall> {
      if (auto why = lost())
        return to_caf(std::move(*why));
      auto restored = restore(*state_of(self).work, *context, msg);
      if (!restored.problems.empty())
        try_again_later(self);
      return restored;
    },
    [=](const check_firewall& msg) -> caf::result<mend_report> {
      auto& state = state_of(self);
      if (msg.repair)
        state.retrying = false;
      if (auto why = lost())
        return to_caf(std::move(*why));
      auto report = check(*state.work, msg);
      if (!report && msg.repair)
        try_again_later(self);
      if (report && msg.repair)
        for (const auto& x : report->differences)
          publish(*context, "firewall", "repair", {}, {}, {{"reason", x}});
      return to_caf(std::move(report));
    },
    [=](const get_firewall_notes&) -> caf::result<firewall_notes> {
      if (auto why = lost())
        return firewall_notes{{why->message}};
      return firewall_notes{state_of(self).work->warnings()};
    },
    [=](const flush_firewall&) -> caf::result<done> {
      flush(self);
      return done{};
    },
  };
}

firewall_actor spawn_firewall(caf::actor_system& system, context_ptr context) {
  return spawn_blocking(system, context, firewall, context);
}

} // namespace troupe
