#include "troupe/actors/services/firewall/firewall.hpp"

#include "troupe/actors/api/backoff.hpp"
#include "troupe/actors/api/log.hpp"
#include "troupe/actors/services/firewall/check.hpp"
#include "troupe/actors/services/firewall/jobs.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
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
  /// Some of their ports could not be had at start; tried again and again.
  unrestored_map unrestored;
  backoff retries; ///< What failed while nobody waits for it is tried again.
  /// Ports that somebody else has, or whose address is gone: that is not ours
  /// to mend, only to notice soon, however long it takes.
  backoff port_retries{backoff::duration{1'500}, backoff::duration{1'500}};
  /// Null: nobody asked for it.
  std::unique_ptr<netns::firewalld> firewalld;
  std::map<network_id, std::string> bridges; ///< Of all networks.

  /// Lets firewalld know which bridges are ours; costs nothing where it does.
  void trust_bridges() {
    if (!firewalld)
      return;
    auto all = std::set<std::string>{};
    for (const auto& [network, bridge] : bridges)
      all.insert(bridge);
    firewalld->trust(all);
  }
  /// What the store knows, or is told.
  persistence::forwarding_record recorded;
  bool paying = false;         ///< A payment of connections is on its way.
  bool watching_proxy = false; ///< The next look is on its way.
};

namespace {

using pointer = firewall_actor::stateful_pointer<firewall_state>;

/// How soon it is noticed that troupe-proxy is gone: no event tells that.
constexpr auto proxy_interval = std::chrono::seconds{1};

/// For so long what is to be forgotten may gather.
constexpr auto payment_delay = std::chrono::milliseconds{50};

void open(pointer self, system_context& context) {
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
  if (ports)
    context.host_has_ipv6 = ports->host_has(ip_family::v6);
  if (context.parts.open_firewalld) {
    auto opened = context.parts.open_firewalld();
    if (opened)
      state.firewalld = std::move(*opened);
    else
      log().warn("firewalld: {}", opened.error().message);
  }
  state.work = std::make_unique<firewall_work>(
    std::move(*kernel), std::move(ports), std::move(rules),
    forwarding_policy{context.how.ip_forward, !context.how.ip_forward_no_drop});
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

void try_ports_again_later(pointer self) {
  auto& state = state_of(self);
  if (state.unrestored.empty())
    return;
  if (auto pause = state.port_retries.schedule())
    tell_after(firewall_actor{self}, *pause,
               check_firewall{.elements = false, .again = true});
}

/// That the host is no router of its own must outlive its rules, which others
/// may flush while nobody is there.
void record_forwarding(pointer self, const system_context& context) {
  auto& state = state_of(self);
  const auto now = state.work->forwarding().record();
  if (now == state.recorded)
    return;
  const auto before = std::exchange(state.recorded, now);
  ask<done>(
    self, context.store, context.step_deadline(), commit_changes{{now}},
    [](done&) {},
    [=](const error& why) {
      log().warn("firewall: {}; tried again later", why.message);
      state_of(self).recorded = before;
      try_again_later(self);
    });
}

/// Only while there are ports to hold: else nothing has to wake for it.
void watch_proxy(pointer self) {
  auto& state = state_of(self);
  auto* ports = state.work ? state.work->ports() : nullptr;
  if (ports != nullptr && ports->needs_proxy()
      && !std::exchange(state.watching_proxy, true))
    tell_after(firewall_actor{self}, proxy_interval, check_proxy{});
}

/// Nobody waits for connections to be forgotten. A moment later it is one walk
/// through the kernel's table for all that has gone until then.
void pay_later(pointer self) {
  auto& state = state_of(self);
  if (state.work->owes_connections() && !std::exchange(state.paying, true))
    tell_after(firewall_actor{self}, payment_delay, flush_firewall{});
}

void pay(pointer self) {
  state_of(self).paying = false;
  auto done = state_of(self).work->pay_connections();
  if (done)
    return;
  log().warn("{}; tried again later", done.error().message);
  try_again_later(self);
}

/// One transaction for all; if that fails, one for each, so that only the
/// culprit fails.
void flush(pointer self) {
  auto& state = state_of(self);
  auto batch = std::exchange(state.waiting, {});
  if (batch.empty())
    return pay(self);
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
  pay_later(self);
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

/// What an endpoint's record has and the kernel has not.
std::vector<port_binding>
missing_of(const firewall_state& state, const endpoint_id& id) {
  auto result = std::vector<port_binding>{};
  if (auto x = state.unrestored.find(id); x != state.unrestored.end())
    for (const auto& missing : x->second.missing)
      result.push_back(missing.binding);
  return result;
}

void erase(std::vector<port_binding>& from,
           const std::vector<port_binding>& what) {
  std::erase_if(from, [&](const auto& x) {
    return std::ranges::find(what, x) != what.end();
  });
}

// -- messages -----------------------------------------------------------------

void protect(pointer self, const drivers::driver& driver,
             const protect_network& msg, promise<done> reply) {
  auto job = prepare(*state_of(self).work, driver, msg.network);
  if (!job)
    return reply.deliver(std::move(job.error()));
  const auto bridge = driver.network_interface(msg.network);
  submit(self, std::move(*job),
         [=, id = msg.network.id](const result<void>& x) mutable {
           x ? reply.deliver(done{}) : reply.deliver(x.error());
           if (!x || bridge.empty())
             return;
           state_of(self).bridges[id] = bridge;
           state_of(self).trust_bridges();
         });
}

/// @returns what the endpoint's record has from now on.
std::vector<port_binding>
with_missing(const firewall_state& state, const endpoint_id& id,
             std::vector<port_binding> published) {
  std::ranges::move(missing_of(state, id), std::back_inserter(published));
  sort_bindings(published);
  return published;
}

/// @returns those of `kept` that are published.
std::vector<port_binding>
note_kept(firewall_state& state, const endpoint_id& id,
          std::vector<port_binding> kept) {
  auto x = state.unrestored.find(id);
  if (x == state.unrestored.end())
    return kept;
  std::erase_if(x->second.missing, [&](const auto& missing) {
    return std::ranges::find(kept, missing.binding) == kept.end();
  });
  erase(kept, missing_of(state, id));
  if (x->second.missing.empty())
    state.unrestored.erase(x);
  return kept;
}

void protect(pointer self, const drivers::driver& driver, protect_endpoint& msg,
             promise<published_ports> reply) {
  auto& state = state_of(self);
  // They stay in the record, but have no rules.
  const auto missing = missing_of(state, msg.endpoint.id);
  erase(msg.kept, missing);
  auto prepared = prepare(*state.work, driver, msg);
  if (!prepared)
    return reply.deliver(std::move(prepared.error()));
  auto& work = *state.work;
  const auto owner = msg.endpoint.id.value;
  submit(self, std::move(prepared->job),
         [=, &state, &work, msg = std::move(msg),
          all = std::move(prepared->bindings),
          before = work.book().of(owner)](const result<void>& x) mutable {
           if (!x) {
             work.release_but(msg.endpoint, msg.kept);
             return reply.deliver(x.error());
           }
           // The proxy has taken the sockets meanwhile; if not, the rules go
           // again.
           auto done = work.finish_publish(msg.endpoint, all);
           watch_proxy(self);
           if (done) {
             work.owe_before(msg.endpoint, all);
             return reply.deliver(
               published_ports{with_missing(state, msg.endpoint.id, all)});
           }
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
  auto published = note_kept(state_of(self), msg.endpoint.id, msg.kept);
  auto job = job_of(driver, msg.network, msg.endpoint, published);
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
/// next comes here first.
void unprotect(pointer self, const unprotect_endpoint& msg,
               promise<done> reply) {
  state_of(self).unrestored.erase(msg.endpoint.id);
  submit_final(self, {msg.endpoint.id.value, {}},
               "endpoint " + quoted(msg.endpoint.name) + ": remove its rules",
               [=, &state = state_of(self)]() mutable {
                 state.work->release_all(msg.endpoint);
                 state.work->dismiss(msg.endpoint);
                 reply.deliver(done{});
               });
}

/// Looks after the process that holds the ports.
mend_report
look_after_proxy(firewall_state& state, const system_context& context) {
  auto report = mend_report{};
  if (!state.work || state.work->ports() == nullptr)
    return report;
  if (auto what = state.work->ports()->look_after_proxy(); !what.empty()) {
    log().warn("published ports: {}", what);
    publish(context, "firewall", "repair", {}, {}, {{"reason", what}});
    report.differences.push_back(std::move(what));
  }
  return report;
}

/// What the user should know.
firewall_notes notes_of(firewall_state& state) {
  if (!state.work)
    return firewall_notes{{state.problem.message}};
  auto notes = notes_of(*state.work);
  if (state.firewalld)
    if (auto untold = state.firewalld->problem(); !untold.empty())
      notes.warnings.push_back(std::move(untold));
  std::ranges::move(describe(state.unrestored),
                    std::back_inserter(notes.warnings));
  return notes;
}

/// Runs `work(driver, reply)` with the driver of the network. Without a kernel
/// nothing can work; each request is told why.
template <class Reply, class Work>
caf::result<Reply> with_driver(pointer self, const system_context& context,
                               const network_spec& network, Work work) {
  if (!state_of(self).work)
    return to_caf(state_of(self).problem);
  const auto driver = driver_of(context, network);
  auto reply = promise<Reply>{self};
  work(*driver, reply);
  return reply;
}

} // namespace

firewall_actor::behavior_type
firewall_behavior(firewall_actor::stateful_pointer<firewall_state> self,
                  context_ptr context) {
  explain_exceptions(self);
  open(self, *context);
  return {
    [=](const protect_network& msg) {
      return with_driver<done>(self, *context, msg.network,
                               [&](const auto& driver, auto& reply) {
                                 protect(self, driver, msg, reply);
                                 record_forwarding(self, *context);
                               });
    },
    [=](const unprotect_network& msg) -> caf::result<done> {
      if (!state_of(self).work)
        return to_caf(state_of(self).problem);
      state_of(self).work->forwarding().forget(msg.network);
      auto reply = promise<done>{self};
      state_of(self).work->forget(msg.network);
      submit_final(self, {msg.network.value, {}},
                   "network " + msg.network.brief() + ": remove its rules",
                   [=, network = msg.network]() mutable {
                     reply.deliver(done{});
                     state_of(self).bridges.erase(network);
                     state_of(self).trust_bridges();
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
      state_of(self).recorded = msg.forwarding;
      auto restored = restore(*state_of(self).work, *context, msg,
                              state_of(self).unrestored);
      record_forwarding(self, *context);
      if (!restored.problems.empty())
        try_again_later(self);
      try_ports_again_later(self);
      watch_proxy(self);
      for (const auto& x : msg.networks)
        if (auto bridge = driver_of(*context, x)->network_interface(x);
            !bridge.empty())
          state_of(self).bridges[x.id] = std::move(bridge);
      state_of(self).trust_bridges();
      return restored;
    },
    [=](const check_firewall& msg) -> caf::result<mend_report> {
      auto& state = state_of(self);
      if (msg.again)
        (msg.elements ? state.retries : state.port_retries).begin();
      if (!state.work)
        return to_caf(state.problem);
      state.trust_bridges();
      auto report = check(*state.work, msg);
      if (msg.repair)
        record_forwarding(self, *context);
      if (!report && msg.repair)
        try_again_later(self);
      if (!report)
        return to_caf(std::move(report));
      auto& found = report->differences;
      if (msg.repair) {
        for (const auto& x : found)
          publish(*context, "firewall", "repair", {}, {}, {{"reason", x}});
        // What waits was decided without the ports that may come now.
        if (!state.unrestored.empty())
          flush(self);
        restore_ports(*state.work, *context, state.unrestored);
        if (state.work->owes_ports() || state.work->owes_connections())
          try_again_later(self);
        else if (msg.elements)
          state.retries.reset();
        try_ports_again_later(self);
        watch_proxy(self);
      }
      for (const auto& x : describe(state.unrestored))
        report->unmended.push_back(of_ports(x));
      return to_caf(std::move(report));
    },
    [=](const check_proxy&) -> caf::result<mend_report> {
      state_of(self).watching_proxy = false;
      auto report = look_after_proxy(state_of(self), *context);
      watch_proxy(self);
      return report;
    },
    [=](const get_firewall_notes&) -> caf::result<firewall_notes> {
      return notes_of(state_of(self));
    },
    [=](const flush_firewall&) -> caf::result<done> {
      flush(self);
      return done{};
    },
  };
}

firewall_actor spawn_firewall(caf::actor_system& system, context_ptr context) {
  return spawn_blocking(system, context, firewall_behavior, context);
}

} // namespace troupe
