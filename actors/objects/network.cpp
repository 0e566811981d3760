#include "troupe/actors/objects/network.hpp"

#include "troupe/actors/api/log.hpp"
#include "troupe/actors/objects/admission.hpp"
#include "troupe/actors/objects/endpoint.hpp"
#include "troupe/actors/objects/network_state.hpp"
#include "troupe/drivers/registry.hpp"
#include "troupe/drivers/unknown.hpp"

#include <algorithm>

namespace troupe {

// -- endpoints ----------------------------------------------------------------

result<void> network_state::is_open() const {
  if (dropping)
    return fail(ec::not_found, title() + ": it is being removed");
  if (!started)
    return fail(ec::unavailable, title() + ": it is being created");
  return {};
}

result<endpoint_actor> network_state::add_endpoint(endpoint_spec wanted) {
  if (auto open = is_open(); !open)
    return fail(std::move(open.error()));
  if (!odd_pools.empty())
    return fail(ec::unavailable,
                "create endpoint " + quoted(wanted.name) + ": " + title()
                  + " cannot give addresses: " + odd_pools.front(),
                "make another network and remove this one");
  if (auto ok = admit_endpoint(wanted, *spec, *rules); !ok)
    return fail(std::move(ok.error()));
  if (auto ok = book.claim(*spec, wanted); !ok)
    return fail(std::move(ok.error()));
  const auto id = wanted.id;
  spawn_endpoint(std::move(wanted));
  return members.at(id).handle;
}

template <class Message>
caf::result<endpoint_status>
network_state::begin(endpoint_spec wanted, Message message) {
  // One is in work, the others wait for the driver.
  const auto limit = static_cast<size_t>(context->how.max_queue);
  if (beginning > limit)
    return to_caf(
      error{ec::unavailable,
            title() + ": too many operations wait, " + std::to_string(limit),
            "try again later", 0});
  auto handle = add_endpoint(std::move(wanted));
  if (!handle)
    return to_caf(std::move(handle.error()));
  ++beginning;
  auto reply = promise<endpoint_status>{self};
  ask<endpoint_status>(
    self, *handle, context->operation_deadline(), std::move(message),
    [=, this](endpoint_status& made) mutable {
      --beginning;
      reply.deliver(std::move(made));
    },
    [=, this](error why) mutable {
      --beginning;
      reply.deliver(std::move(why));
    });
  return reply;
}

void network_state::spawn_endpoint(endpoint_spec endpoint) {
  const auto id = endpoint.id;
  auto handle = troupe::spawn_endpoint(
    self->system(), context,
    endpoint_origin{endpoint, spec, network_actor{self}, driver});
  supervise(handle, context,
            "endpoint " + quoted(spec->name + "/" + endpoint.name));
  if (auto link = rules->host_interface(endpoint); !link.empty()) {
    claim(link);
    links.emplace(std::move(link), id);
  }
  members.emplace(id, member{std::move(endpoint), std::move(handle)});
}

void network_state::release(const endpoint_id& id) {
  auto x = members.find(id);
  if (x == members.end())
    return;
  const auto link = rules->host_interface(x->second.spec);
  release(link);
  links.erase(link);
  book.release(id);
  odd_records.erase(id);
  members.erase(x);
}

found_endpoints network_state::find(std::string_view reference) const {
  auto result = found_endpoints{};
  for (auto& match : book.names().matches(reference)) {
    const auto& handle = members.at({match.id}).handle;
    match.title = spec->name + "/" + match.title;
    result.all.push_back({std::move(match), handle});
  }
  return result;
}

std::vector<endpoint_actor> network_state::handles() const {
  auto result = std::vector<endpoint_actor>{};
  for (const auto& [id, x] : members)
    result.push_back(x.handle);
  return result;
}

void network_state::list(promise<endpoint_list> reply) {
  ask_all<endpoint_status>(
    self, handles(), context->step_deadline(), get_endpoint{},
    [reply](std::vector<endpoint_status> found) mutable {
      std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
        return a.spec.name < b.spec.name;
      });
      reply.deliver(endpoint_list{std::move(found)});
    });
}

// -- check --------------------------------------------------------------------

void network_state::check(promise<mend_report> reply) {
  ask<mend_report>(
    self, driver, context->step_deadline(), mend_network{*spec},
    [=, this](mend_report& report) mutable {
      problem.clear();
      if (report.differences.empty())
        checks.reset();
      for (const auto& difference : report.differences)
        publish(*context, "network", "repair", spec->id.value, spec->name,
                {{"reason", difference}});
      // A bridge that was made anew has lost its ports.
      if (report.differences.empty())
        return reply.deliver(std::move(report));
      changed = std::chrono::steady_clock::now();
      check_again(); // More may have changed meanwhile.
      check_members(check_endpoints{}, reply);
    },
    [=, this](const error& why) mutable {
      if (problem != why.message) {
        log().warn("{}: mend it: {}", title(), why.message);
        publish(*context, "network", "repair", spec->id.value, spec->name,
                {{"failure", why.message}});
      }
      problem = why.message;
      check_again();
      reply.deliver(not_mended(
        "network " + spec->name + " (" + spec->id.brief() + ")", why));
    });
}

/// No event may come that tells when it can succeed.
void network_state::check_again() {
  if (auto pause = checks.schedule())
    tell_after(network_actor{self}, *pause, check_network{.again = true});
}

void network_state::check_members(const check_endpoints& msg,
                                  promise<mend_report> reply) {
  auto suspects = std::vector<endpoint_actor>{};
  if (auto link = links.find(msg.link); link != links.end())
    suspects.push_back(members.at(link->second).handle);
  else if (msg.link.empty())
    suspects = handles();
  ask_all<mend_report>(self, suspects, context->operation_deadline(),
                       check_endpoint{msg.seen},
                       [reply](std::vector<mend_report> found) mutable {
                         auto all = mend_report{};
                         for (auto& x : found)
                           append(all, std::move(x));
                         reply.deliver(std::move(all));
                       });
}

// -- links --------------------------------------------------------------------

/// Empty: the network has none.
std::string network_state::own_link() const {
  return rules->network_interface(*spec);
}

void network_state::claim(const std::string& link) const {
  if (!link.empty())
    tell_controller(*context, claim_link{link, spec->id});
}

void network_state::release(const std::string& link) const {
  if (!link.empty())
    tell_controller(*context, release_link{link, spec->id});
}

network_status network_state::status() const {
  auto result = network_status{*spec, own_link(), {}, "ready"};
  for (const auto& [id, x] : members)
    result.endpoints.push_back(id);
  auto problems = odd_pools;
  for (const auto& [id, x] : odd_records)
    problems.push_back(x);
  if (!problem.empty())
    problems.push_back(problem);
  for (const auto& x : problems)
    result.state
      = (result.state == "ready" ? "degraded: " : result.state + "; ") + x;
  return result;
}

std::string network_state::title() const {
  return "network " + quoted(spec->name);
}

// -- the behaviour ------------------------------------------------------------

namespace {

/// Rebuilds names, addresses and ENDPOINT actors from the records.
void restore(network_state& state, network_origin& origin) {
  const auto& spec = *state.spec;
  if (!drivers::is_known(spec.driver))
    state.problem = drivers::unknown_driver_error(spec.driver).message;
  state.book = network_book::reopen(spec, state.odd_pools);
  for (auto& endpoint : origin.endpoints) {
    for (auto& x : state.book.restore(endpoint))
      state.odd_records.emplace(endpoint.id, std::move(x));
    state.spawn_endpoint(std::move(endpoint));
  }
  for (const auto& x : state.odd_pools)
    log().error("{}: {}", state.title(), x);
  for (const auto& [id, x] : state.odd_records)
    log().error("{}: {}", state.title(), x);
  state.started = true;
}

} // namespace

network_actor::behavior_type
network_behavior(network_actor::stateful_pointer<network_state> self,
                 context_ptr context, network_origin origin) {
  explain_exceptions(self);
  auto& state = state_of(self);
  state.context = std::move(context);
  state.spec = std::make_shared<const network_spec>(std::move(origin.spec));
  state.driver = std::move(origin.driver);
  state.rules = drivers::make(state.spec->driver, state.context->owner);
  state.claim(state.own_link());
  if (!origin.is_new)
    restore(state, origin);
  return {
    [&state](const start_network&) -> caf::result<network_status> {
      auto reply = promise<network_status>{state.self};
      state.start(reply);
      return reply;
    },
    [&state](const restore_network&) -> caf::result<done> {
      auto reply = promise<done>{state.self};
      state.claim_again(reply);
      return reply;
    },
    [&state](const get_network&) -> caf::result<network_status> {
      if (auto open = state.is_open(); !open)
        return to_caf(std::move(open.error()));
      return state.status();
    },
    [&state](const drop_network&) -> caf::result<done> {
      if (auto open = state.is_open(); !open)
        return to_caf(std::move(open.error()));
      auto reply = promise<done>{state.self};
      state.drop(reply);
      return reply;
    },
    [&state](create_endpoint& msg) -> caf::result<endpoint_status> {
      msg.spec.ephemeral = false;
      return state.begin(std::move(msg.spec), start_endpoint{});
    },
    [&state](attach_to& msg) -> caf::result<endpoint_status> {
      msg.spec.ephemeral = true;
      return state.begin(std::move(msg.spec), enter_sandbox{msg.sandbox});
    },
    [&state](const list_endpoints&) -> caf::result<endpoint_list> {
      auto reply = promise<endpoint_list>{state.self};
      state.list(reply);
      return reply;
    },
    [&state](const find_endpoint& msg) -> caf::result<found_endpoints> {
      return state.find(msg.reference);
    },
    [&state](const endpoint_gone& msg) -> caf::result<done> {
      state.release(msg.id);
      return done{};
    },
    [&state](const stop_network&) -> caf::result<done> {
      for (const auto& handle : state.handles())
        caf::anon_send_exit(handle, caf::exit_reason::user_shutdown);
      state.members.clear();
      return done{};
    },
    [&state](const check_network& msg) -> caf::result<mend_report> {
      if (msg.again)
        state.checks.begin();
      if (!state.started || state.dropping
          || msg.seen <= state.changed + own_change_grace
          || (!msg.link.empty() && msg.link != state.own_link()))
        return mend_report{};
      auto reply = promise<mend_report>{state.self};
      state.check(reply);
      return reply;
    },
    [&state](const check_endpoints& msg) -> caf::result<mend_report> {
      auto reply = promise<mend_report>{state.self};
      state.check_members(msg, reply);
      return reply;
    },
  };
}

network_actor spawn_network(caf::actor_system& system, context_ptr context,
                            network_origin origin) {
  return system.spawn(network_behavior, std::move(context), std::move(origin));
}

} // namespace troupe
