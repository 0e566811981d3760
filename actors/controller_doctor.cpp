#include "troupe/actors/controller_state.hpp"
#include "troupe/actors/count_down.hpp"
#include "troupe/actors/doctor.hpp"

#include <algorithm>

namespace troupe {

namespace {

/// Collects the views one after the other; each step writes its part.
struct collection {
  std::shared_ptr<doctor_views> views = std::make_shared<doctor_views>();
  std::function<void(result<doctor_report>)> next;
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
    [x, findings = std::move(seen.findings)](mend_report& found) mutable {
      auto report = doctor_report{std::move(findings)};
      for (auto& problem : found.differences)
        report.findings.push_back(
          {"firewall", std::move(problem), "load the rules anew", false});
      x->next(std::move(report));
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

bool has_leftovers(const doctor_report& report) {
  return std::any_of(report.findings.begin(), report.findings.end(),
                     [](const auto& x) {
                       return x.repair == "remove it";
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

struct leftovers_found {
  std::vector<std::string> links;
  std::vector<std::string> pins;
};

/// What both reports say belongs to nobody.
leftovers_found
leftover_names(const doctor_report& before, const doctor_report& now) {
  auto result = leftovers_found{};
  for (const auto& x : now.findings) {
    if (x.repair != "remove it"
        || std::none_of(before.findings.begin(), before.findings.end(),
                        [&](const auto& y) {
                          return same_problem(x, y);
                        }))
      continue;
    const auto space = x.object.find(' ');
    auto& names = x.object.starts_with("link ") ? result.links : result.pins;
    names.push_back(x.object.substr(space + 1));
  }
  return result;
}

} // namespace

/// The views are taken one after the other, so an operation in between may
/// look like a difference; callers look twice before they believe one.
void controller_state::diagnose_then(
  std::function<void(result<doctor_report>)> next) {
  auto x = std::make_shared<collection>();
  x->next = std::move(next);
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
  doctor(what.repair, [=, this](result<doctor_report> found) mutable {
    for (auto& reply : replies)
      reply.deliver(found);
    note_freed(objects.networks().size() + objects.sandboxes().size());
    next_doctor();
  });
}

void controller_state::doctor(bool repair, doctor_answer reply) {
  diagnose_then([=, this](result<doctor_report> first) mutable {
    if (!first || first->findings.empty())
      return reply(std::move(first));
    if (repair)
      return repair_all(std::move(*first), reply);
    // What a second look does not show was an operation under way, or a
    // namespace that is dying with its links: for these it comes later.
    const auto pause
      = has_leftovers(*first) ? operation_pause : std::chrono::milliseconds{0};
    auto look_again = [=, this, first = std::move(*first)] {
      diagnose_then([reply, first](result<doctor_report> second) mutable {
        if (second)
          std::erase_if(second->findings, [&](const finding& x) {
            return std::none_of(first.findings.begin(), first.findings.end(),
                                [&](const finding& y) {
                                  return same_problem(x, y);
                                });
          });
        reply(std::move(second));
      });
    };
    tell_after(controller_actor{self}, pause, run_later{look_again});
  });
}

/// Lets every object compare itself with the kernel and mend what differs,
/// removes what nobody owns, then looks again. The pause is for operations
/// under way, whose objects have no record yet.
void controller_state::repair_all(doctor_report before, doctor_answer reply) {
  auto look_again = [=, this] {
    diagnose_then([=](result<doctor_report> after) mutable {
      if (!after)
        return reply(std::move(after));
      auto all = before;
      for (auto& x : all.findings)
        x.repaired = std::none_of(after->findings.begin(),
                                  after->findings.end(), [&](const finding& y) {
                                    return same_problem(x, y);
                                  });
      reply(std::move(all));
    });
  };
  auto sweep = [=, this](std::vector<mend_report>) {
    tell_after(controller_actor{self}, operation_pause, run_later{[=, this] {
                 sweep_leftovers(before, look_again);
               }});
  };
  auto mend_sandboxes = [=, this](std::vector<mend_report>) {
    ask_all<mend_report>(self, objects.sandbox_handles(),
                         context->operation_deadline(), check_sandbox{}, sweep);
  };
  auto mend_networks = [=, this](auto&&) {
    ask_all<mend_report>(self, objects.network_handles(),
                         context->operation_deadline(), check_network{},
                         mend_sandboxes);
  };
  ask<mend_report>(self, context->firewall, context->step_deadline(),
                   check_firewall{.connections = true}, mend_networks,
                   mend_networks);
}

/// Removes links and pins that belonged to nobody before the pause and still
/// belong to nobody.
void controller_state::sweep_leftovers(const doctor_report& before,
                                       std::function<void()> next) {
  diagnose_then([=, this](result<doctor_report> now) {
    if (!now)
      return next();
    auto names = leftover_names(before, *now);
    auto one_less = count_down{drivers.size() + 1, next};
    ask<done>(self, context->namespaces, context->step_deadline(),
              remove_pins{names.pins}, one_less, one_less);
    for (const auto& [driver_name, handle] : drivers)
      ask<done>(self, handle, context->step_deadline(),
                troupe::remove_leftovers{names.links}, one_less, one_less);
  });
}

} // namespace troupe
