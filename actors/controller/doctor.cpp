#include "troupe/actors/doctor/doctor.hpp"

#include "troupe/actors/controller/state.hpp"
#include "troupe/actors/core/count_down.hpp"
#include "troupe/actors/services/prober.hpp"

#include <algorithm>

namespace troupe {

namespace {

/// Collects the views one after the other; each step writes its part.
struct collection {
  std::shared_ptr<doctor_views> views = std::make_shared<doctor_views>();
  std::function<void(result<diagnosis>)> next;
};

using collection_ptr = std::shared_ptr<collection>;

void fail_collection(const collection_ptr& x, error why) {
  x->next(fail(with_context(std::move(why), "run the doctor")));
}

void read_firewall(controller_state& state, const collection_ptr& x,
                   examined& seen) {
  ask<mend_report>(
    state.self, state.context->firewall, state.context->step_deadline(),
    check_firewall{
      .repair = false, .elements = !seen.rules, .connections = true},
    [x, seen = diagnosis{std::move(seen.findings), std::move(seen.links),
                         std::move(seen.pins)}](mend_report& found) mutable {
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
  ask<examined>(
    state.self, state.context->auditor, state.context->operation_deadline(),
    examine{x->views},
    [x, &state](examined& seen) {
      read_firewall(state, x, seen);
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
      x->views->store = std::move(found.records);
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
                            x->views->sandboxes = std::move(found);
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
                                       std::back_inserter(x->views->endpoints));
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

template <described T>
bool same_fields(const T& a, const T& b) {
  return std::apply(
    [&](const auto&... row) {
      return ((a.*row.member == b.*row.member) && ...);
    },
    T::fields());
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
  x->views->ip_forward = context->how.ip_forward;
  ask_all<network_status>(self, objects.network_handles(),
                          context->step_deadline(), get_network{},
                          [x, this](std::vector<network_status> found) {
                            x->views->networks = std::move(found);
                            ask_endpoints(*this, x);
                          });
}

// -- one at a time ------------------------------------------------------------

/// A doctor looks at everything, so there is one at a time. Who comes while one
/// works waits for the next, which looks after the question was asked, and
/// shares its answer with all who want the same.
void controller_state::ask_doctor(const run_doctor& what,
                                  promise<doctor_report> reply) {
  doctors.push_back({what, reply});
  if (!std::exchange(doctor_works, true))
    next_doctor();
}

void controller_state::next_doctor() {
  if (doctors.empty()) {
    doctor_works = false;
    return;
  }
  const auto what = doctors.front().what;
  auto replies = std::vector<promise<doctor_report>>{};
  std::erase_if(doctors, [&](const auto& x) {
    const auto same = same_fields(x.what, what);
    if (same)
      replies.push_back(x.reply);
    return same;
  });
  doctor(what, [=, this](result<doctor_report> found) mutable {
    for (auto& reply : replies)
      reply.deliver(found);
    note_freed(objects.networks().size() + objects.sandboxes().size());
    next_doctor();
  });
}

void controller_state::doctor(const run_doctor& how, doctor_answer reply) {
  if (!how.probe)
    return compare(how.repair, std::move(reply));
  // First what differs, for that may be mended; then what does not get through.
  compare(how.repair, [=, this](result<doctor_report> report) {
    if (!report)
      return reply(std::move(report));
    probe(std::move(*report), reply);
  });
}

void controller_state::probe(doctor_report report, doctor_answer reply) {
  if (!context->parts.send_path_probes)
    return reply(std::move(report));
  ask<loaded_records>(
    self, context->store, context->operation_deadline(), load_records{},
    [=, this](const loaded_records& found) {
      send_probes(report, found.records, reply);
    },
    [reply](error why) {
      reply(fail(std::move(why)));
    });
}

void controller_state::send_probes(doctor_report report,
                                   const persistence::snapshot& records,
                                   doctor_answer reply) {
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
      reply(std::move(report));
    },
    [=](error why) mutable {
      reply(fail(with_context(std::move(why), "send probes")));
    });
}

void controller_state::compare(bool repair, doctor_answer reply) {
  diagnose_then([=, this](result<diagnosis> first) mutable {
    if (!first)
      return reply(fail(std::move(first.error())));
    if (first->findings.empty())
      return reply(doctor_report{});
    if (repair)
      return repair_all(std::move(*first), reply);
    // What a second look does not show was an operation under way, or a
    // namespace that is dying with its links: for these it comes later.
    const auto pause
      = first->has_leftovers() ? operation_pause : std::chrono::milliseconds{0};
    auto look_again = [=, this, first = std::move(*first)] {
      diagnose_then([reply, first](result<diagnosis> second) mutable {
        if (!second)
          return reply(fail(std::move(second.error())));
        std::erase_if(second->findings, [&](const finding& x) {
          return !has(first.findings, x);
        });
        reply(doctor_report{std::move(second->findings)});
      });
    };
    tell_after(controller_actor{self}, pause, run_later{look_again});
  });
}

/// Lets every object compare itself with the kernel and mend what differs,
/// removes what nobody owns, then looks again. The pause is for operations
/// under way, whose objects have no record yet.
void controller_state::repair_all(diagnosis before, doctor_answer reply) {
  auto unmended = std::make_shared<std::vector<finding>>();
  auto note = [unmended](const std::vector<mend_report>& reports) {
    for (const auto& x : reports)
      std::ranges::copy(x.unmended, std::back_inserter(*unmended));
  };
  auto look_again = [=, this] {
    diagnose_then([=](result<diagnosis> after) mutable {
      if (!after)
        return reply(fail(std::move(after.error())));
      reply(after_repair(before, *after, *unmended));
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
                   check_firewall{.connections = true}, mend_networks,
                   [=](const error& why) {
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
