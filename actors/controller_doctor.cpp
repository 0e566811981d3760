#include "troupe/actors/controller_state.hpp"
#include "troupe/actors/count_down.hpp"
#include "troupe/actors/doctor.hpp"
#include "troupe/actors/prober.hpp"

#include <algorithm>

namespace troupe {

namespace {

/// Collects the views one after the other; each step writes its part.
struct collection {
  doctor_views views;
  std::function<void(result<diagnosis>)> next;
};

using collection_ptr = std::shared_ptr<collection>;

void fail_collection(const collection_ptr& x, error why) {
  x->next(fail(with_context(std::move(why), "run the doctor")));
}

void read_firewall(controller_state& state, const collection_ptr& x) {
  ask<mend_report>(
    state.self, state.context->firewall, state.context->step_deadline(),
    check_firewall{.repair = false, .elements = !x->views.kernel.rules},
    [x, &state](mend_report& found) {
      auto seen = diagnose(x->views, state.context->owner);
      for (auto& problem : found.differences)
        seen.findings.push_back(
          {"firewall", std::move(problem), "load the rules anew", false});
      std::move(found.unmended.begin(), found.unmended.end(),
                std::back_inserter(seen.findings));
      x->next(std::move(seen));
    },
    [x](error why) {
      fail_collection(x, std::move(why));
    });
}

void read_kernel(controller_state& state, const collection_ptr& x) {
  ask<audited>(
    state.self, state.context->namespaces, state.context->step_deadline(),
    audit_kernel{promises_of(x->views.store, state.context->owner)},
    [x, &state](audited& found) {
      x->views.kernel = std::move(found.view);
      read_firewall(state, x);
    },
    [x](error why) {
      fail_collection(x, std::move(why));
    });
}

void read_store(controller_state& state, const collection_ptr& x) {
  ask<loaded_records>(
    state.self, state.context->store, state.context->operation_deadline(),
    load_records{},
    [x, &state](loaded_records& found) {
      x->views.store = std::move(found.records);
      read_kernel(state, x);
    },
    [x](error why) {
      fail_collection(x, std::move(why));
    });
}

void ask_sandboxes(controller_state& state, const collection_ptr& x) {
  ask_all<sandbox_status>(state.self, state.objects.sandbox_handles(),
                          state.context->step_deadline(), get_sandbox{},
                          [x, &state](std::vector<sandbox_status> found) {
                            x->views.sandboxes = std::move(found);
                            read_store(state, x);
                          });
}

void ask_endpoints(controller_state& state, const collection_ptr& x) {
  ask_all<endpoint_list>(state.self, state.objects.network_handles(),
                         state.context->operation_deadline(), list_endpoints{},
                         [x, &state](std::vector<endpoint_list> found) {
                           for (auto& list : found)
                             std::move(list.endpoints.begin(),
                                       list.endpoints.end(),
                                       std::back_inserter(x->views.endpoints));
                           ask_sandboxes(state, x);
                         });
}

bool same_problem(const finding& a, const finding& b) {
  return a.object == b.object && a.problem == b.problem;
}

/// Longer than an operation may stand between its kernel work and its commit,
/// unless the disk is stuck.
constexpr auto operation_pause = std::chrono::milliseconds{1'000};

/// What both looks say belongs to nobody.
std::vector<std::string> in_both(const std::vector<std::string>& before,
                                 const std::vector<std::string>& now) {
  auto result = std::vector<std::string>{};
  std::ranges::copy_if(now, std::back_inserter(result), [&](const auto& x) {
    return std::ranges::find(before, x) != before.end();
  });
  return result;
}

bool has(const std::vector<finding>& findings, const finding& x) {
  return std::ranges::any_of(findings, [&](const finding& y) {
    return same_problem(x, y);
  });
}

/// Says of each finding whether it is gone, and if not, why.
doctor_report after_repair(const diagnosis& before, const diagnosis& after,
                           const std::vector<finding>& unmended) {
  auto result = doctor_report{before.findings};
  for (auto& x : result.findings) {
    x.repaired = !has(after.findings, x);
    for (const auto& y : unmended)
      if (!x.repaired && x.object == y.object && x.failure.empty())
        x.failure = y.failure;
  }
  // What failed is told even if the doctor itself sees nothing of it.
  for (const auto& x : unmended)
    if (std::ranges::none_of(result.findings, [&](const finding& y) {
          return x.object == y.object && !y.repaired;
        }))
      result.findings.push_back(x);
  return result;
}

} // namespace

/// The views are taken one after the other, so an operation in between may
/// look like a difference; callers look twice before they believe one.
void controller_state::diagnose_then(
  std::function<void(result<diagnosis>)> next) {
  auto x = std::make_shared<collection>();
  x->next = std::move(next);
  x->views.ip_forward = context->how.ip_forward;
  x->views.has_kernel = static_cast<bool>(context->parts.read_audit);
  ask_all<network_status>(self, objects.network_handles(),
                          context->step_deadline(), get_network{},
                          [x, this](std::vector<network_status> found) {
                            x->views.networks = std::move(found);
                            ask_endpoints(*this, x);
                          });
}

void controller_state::doctor(const run_doctor& how,
                              promise<doctor_report> reply) {
  if (!how.probe)
    return compare(how.repair, reply);
  // First what differs, for that may be mended; then what does not get through.
  ask<doctor_report>(
    self, controller_actor{self}, context->operation_deadline(),
    run_doctor{how.repair, false},
    [=, this](doctor_report& report) {
      probe(std::move(report), reply);
    },
    [reply](error why) mutable {
      reply.deliver(std::move(why));
    });
}

void controller_state::probe(doctor_report report,
                             promise<doctor_report> reply) {
  if (!context->parts.send_probes)
    return reply.deliver(std::move(report));
  ask<loaded_records>(
    self, context->store, context->operation_deadline(), load_records{},
    [=, this](const loaded_records& found) {
      send_probes(report, found.records, reply);
    },
    [reply](error why) mutable {
      reply.deliver(std::move(why));
    });
}

void controller_state::send_probes(doctor_report report,
                                   const persistence::snapshot& records,
                                   promise<doctor_report> reply) {
  auto ways = ways_of(records, context->owner);
  auto message = probe_ways{};
  for (const auto& x : ways)
    message.ways.push_back(x.way);
  ask<probed>(
    self, spawn_prober(self->system(), context), context->operation_deadline(),
    std::move(message),
    [=](const probed& found) mutable {
      for (size_t i = 0; i < ways.size() && i < found.failures.size(); ++i)
        if (!found.failures[i].empty())
          report.findings.push_back({ways[i].object,
                                     "no packets get through " + ways[i].what
                                       + ": " + found.failures[i],
                                     "", false});
      reply.deliver(std::move(report));
    },
    [=](error why) mutable {
      reply.deliver(with_context(std::move(why), "send probes"));
    });
}

void controller_state::compare(bool repair, promise<doctor_report> reply) {
  diagnose_then([=, this](result<diagnosis> first) mutable {
    if (!first)
      return reply.deliver(std::move(first.error()));
    if (first->findings.empty())
      return reply.deliver(doctor_report{});
    if (repair)
      return repair_all(std::move(*first), reply);
    // What a second look does not show was an operation under way, or a
    // namespace that is dying with its links: for these it comes later.
    const auto pause
      = first->has_leftovers() ? operation_pause : std::chrono::milliseconds{0};
    auto look_again = [=, this, first = std::move(*first)] {
      diagnose_then([reply, first](result<diagnosis> second) mutable {
        if (!second)
          return reply.deliver(std::move(second.error()));
        std::erase_if(second->findings, [&](const finding& x) {
          return !has(first.findings, x);
        });
        reply.deliver(doctor_report{std::move(second->findings)});
      });
    };
    tell_after(controller_actor{self}, pause, run_later{look_again});
  });
}

/// Lets every object compare itself with the kernel and mend what differs,
/// removes what nobody owns, then looks again. The pause is for operations
/// under way, whose objects have no record yet.
void controller_state::repair_all(diagnosis before,
                                  promise<doctor_report> reply) {
  auto unmended = std::make_shared<std::vector<finding>>();
  auto note = [unmended](const std::vector<mend_report>& reports) {
    for (const auto& x : reports)
      std::ranges::copy(x.unmended, std::back_inserter(*unmended));
  };
  auto look_again = [=, this] {
    diagnose_then([=](result<diagnosis> after) mutable {
      if (!after)
        return reply.deliver(std::move(after.error()));
      reply.deliver(after_repair(before, *after, *unmended));
    });
  };
  auto sweep = [=, this](const std::vector<mend_report>& mended) {
    note(mended);
    tell_after(controller_actor{self}, operation_pause, run_later{[=, this] {
                 sweep_leftovers(before, look_again);
               }});
  };
  auto mend_sandboxes = [=, this](const std::vector<mend_report>& mended) {
    note(mended);
    ask_all<mend_report>(self, objects.sandbox_handles(),
                         context->operation_deadline(), check_sandbox{}, sweep);
  };
  auto mend_networks = [=, this](const mend_report& mended) {
    note({mended});
    ask_all<mend_report>(self, objects.network_handles(),
                         context->operation_deadline(), check_network{},
                         mend_sandboxes);
  };
  ask<mend_report>(self, context->firewall, context->step_deadline(),
                   check_firewall{}, mend_networks, [=](const error& why) {
                     mend_networks(not_mended("firewall", why));
                   });
}

/// Removes links and pins that belonged to nobody before the pause and still
/// belong to nobody.
void controller_state::sweep_leftovers(const diagnosis& before,
                                       std::function<void()> next) {
  diagnose_then([=, this](result<diagnosis> now) {
    if (!now)
      return next();
    auto one_less = count_down{drivers.size() + 1, next};
    ask<done>(self, context->namespaces, context->step_deadline(),
              remove_pins{in_both(before.pins, now->pins)}, one_less, one_less);
    const auto links = in_both(before.links, now->links);
    for (const auto& [driver_name, handle] : drivers)
      ask<done>(self, handle, context->step_deadline(),
                troupe::remove_leftovers{links}, one_less, one_less);
  });
}

} // namespace troupe
