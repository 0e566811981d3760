#include "troupe/actors/firewall.hpp"

#include "troupe/actors/backoff.hpp"
#include "troupe/actors/firewall_jobs.hpp"
#include "troupe/actors/log.hpp"

#include <algorithm>
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
  /// Their ports were taken by somebody else at start; each repair tries again.
  std::vector<protect_endpoint> unrestored;
  backoff retries; ///< What failed while nobody waits for it is tried again.
};

namespace {

using pointer = firewall_actor::stateful_pointer<firewall_state>;

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
  if (auto pause = state_of(self).retries.schedule())
    tell_after(firewall_actor{self}, *pause, check_firewall{.again = true});
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
  if (state.work->owes_ports())
    try_again_later(self);
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

std::string unpublished(const protect_endpoint& x) {
  return "endpoint " + quoted(x.endpoint.name)
         + ": its ports are not published, somebody else had one of them";
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
  auto& work = *state_of(self).work;
  const auto owner = msg.endpoint.id.value;
  submit(self, std::move(prepared->job),
         [=, &work, msg = std::move(msg), all = std::move(prepared->bindings),
          before = work.book().of(owner)](const result<void>& x) mutable {
           if (!x) {
             work.release_but(msg.endpoint, msg.kept);
             return reply.deliver(x.error());
           }
           // The proxy has taken the sockets meanwhile; if not, the rules go
           // again.
           auto done = work.finish_publish(msg.endpoint, all);
           if (done)
             return reply.deliver(published_ports{std::move(all)});
           submit_final(self, {owner, std::move(before)},
                        "endpoint " + quoted(msg.endpoint.name)
                          + ": withdraw ports",
                        [=, why = done.error()]() mutable {
                          reply.deliver(why);
                        });
         });
}

void retract(pointer self, const drivers::driver& driver,
             const retract_ports& msg, promise<done> reply) {
  for (auto& x : state_of(self).unrestored)
    if (x.endpoint.id == msg.endpoint.id)
      x.restored = msg.kept;
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
  std::erase_if(state_of(self).unrestored, [&](const auto& x) {
    return x.endpoint.id == msg.endpoint.id;
  });
  submit_final(self, {msg.endpoint.id.value, {}},
               "endpoint " + quoted(msg.endpoint.name) + ": remove its rules",
               [=, &state = state_of(self)]() mutable {
                 state.work->release_all(msg.endpoint);
                 reply.deliver(done{});
                 state.work->forget_connections(msg.endpoint);
               });
}

finding of_ports(const std::string& problem) {
  return {"published ports", problem, "take them again", false};
}

void add_port_problems(const firewall_work& work,
                       std::vector<finding>& findings) {
  if (work.ports() != nullptr)
    for (const auto& x : work.ports()->problems())
      findings.push_back(of_ports(x));
}

/// What the host forwards, and the ports.
result<void> mend_rest(firewall_work& work, mend_report& report) {
  // What is left of it is told below.
  static_cast<void>(work.repair_ports());
  add_port_problems(work, report.unmended);
  auto forwarding = work.forwarding().mend();
  if (!forwarding)
    return fail(std::move(forwarding.error()));
  for (auto& x : *forwarding)
    if (x.repaired)
      report.differences.push_back("host: " + x.problem);
    else
      report.unmended.push_back(std::move(x));
  return {};
}

result<mend_report> check(firewall_work& work, const check_firewall& msg) {
  // Perhaps it is there by now; if not, the status keeps saying so.
  if (work.missing() && msg.repair)
    (void)work.load();
  auto found
    = msg.elements ? work.differences() : result<std::vector<std::string>>{};
  if (!found)
    return fail(std::move(found.error()));
  if (found->empty() && msg.changed && !work.book().empty())
    found->push_back("firewall: somebody changed its rules");
  auto report = mend_report{std::move(*found)};
  if (!msg.repair) {
    add_port_problems(work, report.unmended);
    return report;
  }
  if (!report.differences.empty())
    if (auto done = work.load(); !done)
      return fail(std::move(done.error()));
  if (auto done = mend_rest(work, report); !done)
    return fail(std::move(done.error()));
  return report;
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
  explain_exceptions(self);
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
      state_of(self).work->forwarding().forget(msg.network);
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
      auto restored = restore(*state_of(self).work, *context, msg,
                              state_of(self).unrestored);
      if (!restored.problems.empty())
        try_again_later(self);
      return restored;
    },
    [=](const check_firewall& msg) -> caf::result<mend_report> {
      auto& state = state_of(self);
      if (msg.again)
        state.retries.begin();
      if (!state.work)
        return to_caf(state.problem);
      auto report = check(*state.work, msg);
      if (!report && msg.repair)
        try_again_later(self);
      if (!report)
        return to_caf(std::move(report));
      auto& found = report->differences;
      if (msg.repair) {
        for (const auto& x : found)
          publish(*context, "firewall", "repair", {}, {}, {{"reason", x}});
        restore_ports(*state.work, *context, state.unrestored);
        // Ports that somebody else has may be free one day.
        if (state.work->owes_ports() || !state.unrestored.empty())
          try_again_later(self);
        else
          state.retries.reset();
      }
      for (const auto& x : state.unrestored)
        report->unmended.push_back(of_ports(unpublished(x)));
      return to_caf(std::move(report));
    },
    [=](const check_proxy&) -> caf::result<mend_report> {
      auto& state = state_of(self);
      auto report = mend_report{};
      if (!state.work || state.work->ports() == nullptr)
        return report;
      if (auto what = state.work->ports()->look_after_proxy(); !what.empty()) {
        log().warn("published ports: {}", what);
        publish(*context, "firewall", "repair", {}, {}, {{"reason", what}});
        report.differences.push_back(std::move(what));
      }
      return report;
    },
    [=](const get_firewall_notes&) -> caf::result<firewall_notes> {
      auto& state = state_of(self);
      if (!state.work)
        return firewall_notes{{state.problem.message}};
      auto notes = firewall_notes{state.work->warnings()};
      if (state.work->ports() != nullptr)
        for (auto& x : state.work->ports()->problems())
          notes.warnings.push_back("published ports: " + x);
      if (auto found = state.work->forwarding().mend())
        for (const auto& x : *found)
          if (!x.repaired)
            notes.warnings.push_back(x.problem + ": " + x.command);
      for (const auto& x : state.unrestored)
        notes.warnings.push_back(unpublished(x));
      return notes;
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
