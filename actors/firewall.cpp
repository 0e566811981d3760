#include "troupe/actors/firewall.hpp"

#include "troupe/actors/firewall_work.hpp"
#include "troupe/actors/log.hpp"
#include "troupe/drivers/registry.hpp"

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
  auto rules = netns::firewall::settings_of(context.owner);
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

result<std::unique_ptr<drivers::driver>>
driver_of(const system_context& context, const network_spec& network) {
  if (auto driver = drivers::make(network.driver, context.owner))
    return driver;
  return fail(ec::invalid_argument, "unknown driver " + network.driver);
}

/// The elements of an endpoint with these ports.
result<firewall_job>
job_of(const drivers::driver& driver, const network_spec& network,
       const endpoint_spec& endpoint,
       const std::vector<port_binding>& bindings) {
  auto wanted = driver.endpoint_elements(network, endpoint, bindings);
  if (!wanted)
    return fail(std::move(wanted.error()));
  return firewall_job{endpoint.id.value, std::move(*wanted), false};
}

/// The elements of a network.
result<firewall_job>
job_of(const drivers::driver& driver, const network_spec& network) {
  auto wanted = driver.network_elements(network);
  if (!wanted)
    return fail(std::move(wanted.error()));
  return firewall_job{network.id.value, std::move(*wanted), false};
}

/// Lets the host forward as well.
result<firewall_job> prepare(firewall_work& work, const drivers::driver& driver,
                             const network_spec& network) {
  auto job = job_of(driver, network);
  if (job)
    if (auto open = work.open_forwarding(driver, network); !open)
      return fail(std::move(open.error()));
  return job;
}

/// An endpoint's elements, and all the ports that it then has.
struct prepared_endpoint {
  firewall_job job;
  std::vector<port_binding> bindings;
};

/// Takes the ports.
result<prepared_endpoint>
prepare(firewall_work& work, const drivers::driver& driver,
        const protect_endpoint& msg) {
  auto fresh = work.publish(driver, msg);
  if (!fresh)
    return fail(std::move(fresh.error()));
  auto all = msg.kept;
  all.insert(all.end(), fresh->begin(), fresh->end());
  drivers::sort_bindings(all);
  auto job = job_of(driver, msg.network, msg.endpoint, all);
  if (!job) {
    work.release_but(msg.endpoint, msg.kept);
    return fail(std::move(job.error()));
  }
  return prepared_endpoint{std::move(*job), std::move(all)};
}

// -- messages -----------------------------------------------------------------

void protect(pointer self, const drivers::driver& driver,
             const protect_network& msg, promise<done> reply) {
  auto job = prepare(*state_of(self).work, driver, msg.network);
  if (!job)
    return reply.deliver(std::move(job.error()));
  submit(self, std::move(*job), [reply](const result<void>& x) mutable {
    x ? reply.deliver(done{}) : reply.deliver(x.error());
  });
}

void protect(pointer self, const drivers::driver& driver, protect_endpoint& msg,
             promise<published_ports> reply) {
  auto prepared = prepare(*state_of(self).work, driver, msg);
  if (!prepared)
    return reply.deliver(std::move(prepared.error()));
  submit(self, std::move(prepared->job),
         [=, &state = state_of(self), msg = std::move(msg),
          all = std::move(prepared->bindings)](const result<void>& x) mutable {
           if (x)
             return reply.deliver(published_ports{std::move(all)});
           state.work->release_but(msg.endpoint, msg.kept);
           reply.deliver(x.error());
         });
}

/// Removals have happened: what the kernel refuses to give up is tried again.
void submit_final(pointer self, firewall_job job, std::string title,
                  std::function<void()> finish) {
  job.is_final = true;
  submit(self, std::move(job),
         [self, title = std::move(title),
          finish = std::move(finish)](const result<void>& x) {
           if (!x) {
             log().warn("{}: {}; tried again later", title, x.error().message);
             try_again_later(self);
           }
           finish();
         });
}

void retract(pointer self, const drivers::driver& driver,
             const retract_ports& msg, promise<done> reply) {
  auto job = job_of(driver, msg.network, msg.endpoint, msg.kept);
  if (!job)
    return reply.deliver(std::move(job.error()));
  submit_final(self, std::move(*job),
               "endpoint " + quoted(msg.endpoint.name) + ": retract ports",
               [=, &state = state_of(self)]() mutable {
                 state.work->release_but(msg.endpoint, msg.kept);
                 reply.deliver(done{});
               });
}

/// Nobody waits for the connections to be forgotten: whoever gets the address
/// or a port next comes here first.
void unprotect(pointer self, const unprotect_endpoint& msg,
               promise<done> reply) {
  submit_final(self, {msg.endpoint.id.value, {}},
               "endpoint " + quoted(msg.endpoint.name) + ": remove its rules",
               [=, &state = state_of(self)]() mutable {
                 state.work->release_all(msg.endpoint);
                 reply.deliver(done{});
                 state.work->forget_connections(msg.endpoint);
               });
}

/// What a recorded network wants. A problem is told; without forwarding is not
/// without isolation.
void restore(firewall_work& work, const drivers::driver& driver,
             const network_spec& network, std::vector<firewall_job>& jobs,
             std::vector<std::string>& problems) {
  auto job = prepare(work, driver, network);
  if (!job) {
    problems.push_back(job.error().message);
    job = job_of(driver, network);
  }
  if (job)
    jobs.push_back(std::move(*job));
}

/// The same for a recorded endpoint: without its ports is not without guard.
void restore(firewall_work& work, const drivers::driver& driver,
             const protect_endpoint& msg, std::vector<firewall_job>& jobs,
             std::vector<std::string>& problems) {
  auto prepared = prepare(work, driver, msg);
  if (prepared)
    return jobs.push_back(std::move(prepared->job));
  problems.push_back(prepared.error().message);
  if (auto bare = job_of(driver, msg.network, msg.endpoint, {}))
    jobs.push_back(std::move(*bare));
}

/// Everything of the records in one transaction. What cannot be restored is a
/// problem to tell, not a reason to leave the others without rules.
restored_firewall restore(firewall_work& work, const system_context& context,
                          const restore_firewall& msg) {
  auto jobs = std::vector<firewall_job>{};
  auto problems = std::vector<std::string>{};
  auto note = [&](const result<void>& x) {
    if (!x)
      problems.push_back(x.error().message);
  };
  auto take = [&](const network_spec& network, const auto& what) {
    if (auto driver = driver_of(context, network))
      restore(work, **driver, what, jobs, problems);
    else
      problems.push_back(driver.error().message);
  };
  for (const auto& x : msg.networks)
    take(x, x);
  for (const auto& x : msg.endpoints)
    take(x.network, x);
  if (work.ports() != nullptr)
    note(work.ports()->finish_restore());
  for (auto& x : jobs)
    x.is_final = true; // The records say so.
  note(jobs.empty() ? work.load() : work.apply(std::move(jobs)));
  if (work.missing())
    problems.push_back(work.missing()->message);
  return {std::move(problems)};
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

/// Runs `work(driver, reply)` with the driver of the network. Without a kernel
/// nothing can work; each request is told why.
template <class Reply, class Work>
caf::result<Reply> with_driver(pointer self, const system_context& context,
                               const network_spec& network, Work work) {
  if (!state_of(self).work)
    return to_caf(state_of(self).problem);
  auto driver = driver_of(context, network);
  if (!driver)
    return to_caf(std::move(driver.error()));
  auto reply = promise<Reply>{self};
  work(**driver, reply);
  return reply;
}

} // namespace

firewall_actor::behavior_type
firewall(firewall_actor::stateful_pointer<firewall_state> self,
         context_ptr context) {
  open(self, *context);
  return {
    [=](const protect_network& msg) {
      return with_driver<done>(self, *context, msg.network,
                               [&](const auto& driver, auto& reply) {
                                 protect(self, driver, msg, reply);
                               });
    },
    [=](const unprotect_network& msg) -> caf::result<done> {
      if (!state_of(self).work)
        return to_caf(state_of(self).problem);
      auto reply = promise<done>{self};
      submit_final(self, {msg.network.value, {}},
                   "network " + msg.network.brief() + ": remove its rules",
                   [reply]() mutable {
                     reply.deliver(done{});
                   });
      return reply;
    },
    [=](protect_endpoint& msg) {
      return with_driver<published_ports>(self, *context, msg.network,
                                          [&](const auto& driver, auto& reply) {
                                            protect(self, driver, msg, reply);
                                          });
    },
    [=](const retract_ports& msg) {
      return with_driver<done>(self, *context, msg.network,
                               [&](const auto& driver, auto& reply) {
                                 retract(self, driver, msg, reply);
                               });
    },
    [=](const unprotect_endpoint& msg) -> caf::result<done> {
      if (!state_of(self).work)
        return to_caf(state_of(self).problem);
      auto reply = promise<done>{self};
      unprotect(self, msg, reply);
      return reply;
    },
    [=](const restore_firewall& msg) -> caf::result<restored_firewall> {
      if (!state_of(self).work)
        return to_caf(state_of(self).problem);
      auto restored = restore(*state_of(self).work, *context, msg);
      if (!restored.problems.empty())
        try_again_later(self);
      return restored;
    },
    [=](const check_firewall& msg) -> caf::result<mend_report> {
      auto& state = state_of(self);
      if (msg.repair)
        state.retrying = false;
      if (!state.work)
        return to_caf(state.problem);
      auto report = check(*state.work, msg);
      if (!report && msg.repair)
        try_again_later(self);
      if (report && msg.repair)
        for (const auto& x : report->differences)
          publish(*context, "firewall", "repair", {}, {}, {{"reason", x}});
      return to_caf(std::move(report));
    },
    [=](const get_firewall_notes&) -> caf::result<firewall_notes> {
      auto& state = state_of(self);
      if (!state.work)
        return firewall_notes{{state.problem.message}};
      return firewall_notes{state.work->warnings()};
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
