#include "troupe/actors/controller/controller.hpp"

#include "troupe/actors/controller/state.hpp"
#include "troupe/actors/objects/admission.hpp"
#include "troupe/actors/objects/network.hpp"
#include "troupe/actors/objects/sandbox.hpp"
#include "troupe/actors/services/auditor.hpp"
#include "troupe/actors/services/driver.hpp"
#include "troupe/actors/services/events.hpp"
#include "troupe/actors/services/firewall/firewall.hpp"
#include "troupe/actors/services/ipam.hpp"
#include "troupe/actors/services/namespaces.hpp"
#include "troupe/actors/services/store.hpp"
#include "troupe/drivers/registry.hpp"

#include <algorithm>

namespace troupe {

void controller_state::spawn_services(caf::actor_system& system) {
  context->controller
    = caf::actor_cast<caf::weak_actor_ptr>(controller_actor{self});
  context->store = spawn_store(system, context);
  context->namespaces = spawn_namespaces(system, context);
  context->ipam = spawn_ipam(system, context);
  context->events = spawn_events(system, 0);
  context->firewall = spawn_firewall(system, context);
  context->auditor = spawn_auditor(system, context);
  supervise(context->store, context, "the store");
  supervise(context->namespaces, context, "the work on namespaces");
  supervise(context->ipam, context, "the address management");
  supervise(context->events, context, "the event hub");
  supervise(context->firewall, context, "the firewall");
  supervise(context->auditor, context, "the auditor");
  for (auto driver_name : drivers::names())
    drivers.emplace(driver_name,
                    spawn_driver(system, context, std::string{driver_name}));
  for (const auto& [driver_name, handle] : drivers)
    supervise(handle, context, "driver " + driver_name);
}

/// Records of drivers this build does not have share one actor, whose driver
/// builds nothing.
driver_actor controller_state::driver_of(const std::string& driver_name) {
  const auto key = drivers::served_by(driver_name);
  auto found = drivers.find(key);
  if (found == drivers.end())
    found
      = drivers.emplace(key, spawn_driver(self->system(), context, key)).first;
  return found->second;
}

// -- create and remove --------------------------------------------------------

void controller_state::create(network_spec spec,
                              promise<network_status> reply) {
  auto existing = std::vector<std::shared_ptr<const network_spec>>{};
  for (const auto& [id, x] : objects.networks())
    existing.push_back(x.spec);
  if (auto ok = admit_network(spec, context->owner, existing); !ok)
    return reply.deliver(std::move(ok.error()));
  // Claimed before anything is asked: of two that race, one wins.
  const auto id = spec.id;
  auto handle = spawn_network(self->system(), context,
                              {spec, driver_of(spec.driver), true, {}});
  supervise(handle, context, "network " + quoted(spec.name));
  objects.add(std::make_shared<const network_spec>(std::move(spec)), handle);
  ask<network_status>(
    self, handle, context->operation_deadline(), start_network{},
    [=, this](network_status& made) mutable {
      // Now with the subnets that were chosen.
      objects.add(std::make_shared<const network_spec>(made.spec), handle);
      reply.deliver(std::move(made));
    },
    [=, this](error why) mutable {
      objects.remove(id);
      reply.deliver(std::move(why));
    });
}

void controller_state::create(sandbox_spec spec,
                              promise<sandbox_status> reply) {
  if (auto ok = admit_sandbox(spec); !ok)
    return reply.deliver(std::move(ok.error()));
  if (auto other = objects.sandbox_named(spec.name); !other.empty())
    return reply.deliver(error{ec::conflict,
                               "create sandbox " + quoted(spec.name)
                                 + ": the name is taken by sandbox "
                                 + other.brief(),
                               "", 0});
  const auto id = spec.id;
  const auto sandbox_name = spec.name;
  auto handle
    = spawn_sandbox(self->system(), context, {std::move(spec), {}, false});
  supervise(handle, context, "sandbox " + quoted(sandbox_name));
  objects.add(id, sandbox_name, handle);
  ask<sandbox_status>(
    self, handle, context->operation_deadline(), start_sandbox{},
    [reply](sandbox_status& made) mutable {
      reply.deliver(std::move(made));
    },
    [=, this](error why) mutable {
      objects.remove(id);
      reply.deliver(std::move(why));
    });
}

void controller_state::remove(const network_id& id, promise<done> reply) {
  ask<done>(
    self, objects.networks().at(id).handle, context->operation_deadline(),
    drop_network{},
    [=, this](done&) mutable {
      objects.remove(id);
      reply.deliver(done{});
    },
    [reply](error why) mutable {
      reply.deliver(std::move(why));
    });
}

void controller_state::remove(const sandbox_id& id, promise<done> reply) {
  ask<done>(
    self, objects.sandboxes().at(id).handle, context->operation_deadline(),
    drop_sandbox{},
    [=, this](done&) mutable {
      objects.remove(id);
      reply.deliver(done{});
    },
    [reply](error why) mutable {
      reply.deliver(std::move(why));
    });
}

// -- find ---------------------------------------------------------------------

template <class Reply>
void controller_state::with_endpoint(const std::string& network,
                                     const std::string& endpoint,
                                     promise<Reply> reply,
                                     std::function<void(endpoint_actor)> next) {
  auto asked = std::vector<network_id>{};
  if (!network.empty()) {
    auto id = objects.find_network(network);
    if (!id)
      return reply.deliver(std::move(id.error()));
    asked.push_back(std::move(*id));
  } else {
    for (const auto& [id, x] : objects.networks())
      asked.push_back(id);
  }
  auto handles = std::vector<network_actor>{};
  for (const auto& id : asked)
    handles.push_back(objects.networks().at(id).handle);
  ask_each<found_endpoints>(
    self, handles, context->step_deadline(), find_endpoint{endpoint},
    [=, this](std::vector<result<found_endpoints>> answers) mutable {
      auto chosen = choose_endpoint(asked, std::move(answers), endpoint);
      chosen ? next(std::move(*chosen))
             : reply.deliver(std::move(chosen.error()));
    });
}

/// Who does not answer may have the one that is meant: then nobody is chosen.
/// Only a network that is gone by now has none.
result<endpoint_actor>
controller_state::choose_endpoint(const std::vector<network_id>& asked,
                                  std::vector<result<found_endpoints>> answers,
                                  const std::string& reference) const {
  auto matches = std::vector<reference_match>{};
  auto handles = std::map<std::string, endpoint_actor>{};
  for (size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i]) {
      if (!objects.networks().contains(asked[i]))
        continue;
      return fail(with_context(std::move(answers[i].error()),
                               "find endpoint " + quoted(reference)));
    }
    for (auto& x : answers[i]->all) {
      handles.emplace(x.match.id, std::move(x.handle));
      matches.push_back(std::move(x.match));
    }
  }
  auto chosen = choose_match(std::move(matches), reference, "endpoint");
  if (!chosen)
    return fail(std::move(chosen.error()));
  return handles.at(chosen->id);
}

namespace {

/// Forwards a request to the network it names.
template <class Reply, class Message>
caf::result<Reply> to_network(controller_state& state,
                              const std::string& reference, Message message) {
  auto id = state.objects.find_network(reference);
  if (!id)
    return to_caf(std::move(id.error()));
  return state.self->delegate(state.objects.networks().at(*id).handle,
                              std::move(message));
}

/// Forwards a request to the sandbox it names.
template <class Reply, class Message>
caf::result<Reply> to_sandbox(controller_state& state,
                              const std::string& reference, Message message) {
  auto id = state.objects.find_sandbox(reference);
  if (!id)
    return to_caf(std::move(id.error()));
  return state.self->delegate(state.objects.sandboxes().at(*id).handle,
                              std::move(message));
}

/// Forwards a request to an endpoint.
template <class Reply, class Message>
caf::result<Reply>
to_endpoint(controller_state& state, const std::string& network,
            const std::string& endpoint, Message message) {
  auto reply = promise<Reply>{state.self};
  state.with_endpoint<Reply>(
    network, endpoint, reply,
    [=, &state, message = std::move(message)](endpoint_actor handle) {
      ask<Reply>(state.self, handle, state.context->operation_deadline(),
                 message, reply);
    });
  return reply;
}

caf::result<endpoint_status>
attach(controller_state& state, attach_sandbox& msg) {
  auto sandbox = state.objects.find_sandbox(msg.sandbox);
  if (!sandbox)
    return to_caf(std::move(sandbox.error()));
  const auto& entry = state.objects.sandboxes().at(*sandbox);
  if (msg.spec.name.empty())
    msg.spec.name = entry.name;
  return to_network<endpoint_status>(
    state, msg.network, attach_to{entry.handle, std::move(msg.spec)});
}

caf::result<done> detach(controller_state& state, const detach_sandbox& msg) {
  auto network = state.objects.find_network(msg.network);
  if (!network)
    return to_caf(std::move(network.error()));
  return to_sandbox<done>(state, msg.sandbox, part_from{*network});
}

caf::result<endpoint_status>
join(controller_state& state, const join_endpoint& msg) {
  auto sandbox = state.objects.find_sandbox(msg.sandbox);
  if (!sandbox)
    return to_caf(std::move(sandbox.error()));
  return to_endpoint<endpoint_status>(
    state, msg.network, msg.endpoint,
    enter_sandbox{state.objects.sandboxes().at(*sandbox).handle});
}

/// What those answered that are there. Objects that are being made or removed
/// are not; one that keeps silent must not be missed in silence.
template <class Reply>
result<std::vector<Reply>> all_of(std::vector<result<Reply>> answers) {
  auto all = std::vector<Reply>{};
  for (auto& x : answers)
    if (x)
      all.push_back(std::move(*x));
    else if (x.error().code != ec::not_found
             && x.error().code != ec::unavailable)
      return fail(with_context(std::move(x.error()), "list"));
  return all;
}

constexpr auto name_of = [](const auto& x) -> const std::string& {
  return x.spec.name;
};

caf::result<network_list>
list_all(controller_state& state, const list_networks&) {
  auto reply = promise<network_list>{state.self};
  ask_each<network_status>(
    state.self, state.objects.network_handles(), state.context->step_deadline(),
    get_network{},
    [reply](std::vector<result<network_status>> answers) mutable {
      auto found = all_of(std::move(answers));
      if (!found)
        return reply.deliver(std::move(found.error()));
      std::ranges::stable_sort(*found, {}, name_of);
      reply.deliver(network_list{std::move(*found)});
    });
  return reply;
}

caf::result<sandbox_list>
list_all(controller_state& state, const list_sandboxes&) {
  auto reply = promise<sandbox_list>{state.self};
  ask_each<sandbox_status>(
    state.self, state.objects.sandbox_handles(), state.context->step_deadline(),
    get_sandbox{},
    [reply](std::vector<result<sandbox_status>> answers) mutable {
      auto found = all_of(std::move(answers));
      if (!found)
        return reply.deliver(std::move(found.error()));
      std::ranges::stable_sort(*found, {}, name_of);
      reply.deliver(sandbox_list{std::move(*found)});
    });
  return reply;
}

caf::result<endpoint_list>
list_all(controller_state& state, const list_endpoints& msg) {
  if (!msg.network.empty())
    return to_network<endpoint_list>(state, msg.network, msg);
  auto reply = promise<endpoint_list>{state.self};
  ask_each<endpoint_list>(
    state.self, state.objects.network_handles(),
    state.context->operation_deadline(), msg,
    [reply](std::vector<result<endpoint_list>> answers) mutable {
      auto found = all_of(std::move(answers));
      if (!found)
        return reply.deliver(std::move(found.error()));
      auto all = endpoint_list{};
      for (auto& x : *found)
        std::ranges::move(x.endpoints, std::back_inserter(all.endpoints));
      std::ranges::stable_sort(all.endpoints, {},
                               &endpoint_status::network_name);
      reply.deliver(std::move(all));
    });
  return reply;
}

/// Answers with a promise that `work` delivers.
template <class Reply, class Work>
caf::result<Reply> later(controller_state& state, Work work) {
  auto reply = promise<Reply>{state.self};
  work(reply);
  return reply;
}

} // namespace

// -- the behaviour ------------------------------------------------------------

controller_actor::behavior_type
controller_behavior(controller_actor::stateful_pointer<controller_state> self,
                    context_ptr context) {
  explain_exceptions(self);
  auto& state = state_of(self);
  state.context = std::move(context);
  state.spawn_services(self->system());
  return {
    [&state](const start_up&) -> caf::result<done> {
      return later<done>(state, [&](auto reply) {
        state.start_up(reply);
      });
    },
    [&state](const shut_down&) -> caf::result<done> {
      return later<done>(state, [&](auto reply) {
        state.shut_down(reply);
      });
    },
    [&state](const kernel_events& msg) -> caf::result<done> {
      state.look_at(msg);
      return done{};
    },
    [&state](const claim_link& msg) -> caf::result<done> {
      return state.claim(msg);
    },
    [&state](const release_link& msg) -> caf::result<done> {
      return state.release(msg);
    },
    [&state](const audit_tick&) -> caf::result<done> {
      state.compare_regularly();
      return done{};
    },
    [](const run_later& msg) -> caf::result<done> {
      msg.work();
      return done{};
    },
    [&state](create_network& msg) -> caf::result<network_status> {
      return later<network_status>(state, [&](auto reply) {
        state.create(std::move(msg.spec), reply);
      });
    },
    [&state](const list_networks& msg) -> caf::result<network_list> {
      return list_all(state, msg);
    },
    [&state](const inspect_network& msg) -> caf::result<network_status> {
      return to_network<network_status>(state, msg.network, get_network{});
    },
    [&state](const remove_network& msg) -> caf::result<done> {
      auto id = state.objects.find_network(msg.network);
      if (!id)
        return to_caf(std::move(id.error()));
      return later<done>(state, [&](auto reply) {
        state.remove(*id, reply);
      });
    },
    [&state](create_endpoint& msg) -> caf::result<endpoint_status> {
      const auto network = msg.network;
      return to_network<endpoint_status>(state, network, std::move(msg));
    },
    [&state](const list_endpoints& msg) -> caf::result<endpoint_list> {
      return list_all(state, msg);
    },
    [&state](const inspect_endpoint& msg) -> caf::result<endpoint_status> {
      return to_endpoint<endpoint_status>(state, msg.network, msg.endpoint,
                                          get_endpoint{});
    },
    [&state](const remove_endpoint& msg) -> caf::result<done> {
      return to_endpoint<done>(state, msg.network, msg.endpoint,
                               drop_endpoint{msg.force});
    },
    [&state](create_sandbox& msg) -> caf::result<sandbox_status> {
      return later<sandbox_status>(state, [&](auto reply) {
        state.create(std::move(msg.spec), reply);
      });
    },
    [&state](const list_sandboxes& msg) -> caf::result<sandbox_list> {
      return list_all(state, msg);
    },
    [&state](const inspect_sandbox& msg) -> caf::result<sandbox_status> {
      return to_sandbox<sandbox_status>(state, msg.sandbox, get_sandbox{});
    },
    [&state](const remove_sandbox& msg) -> caf::result<done> {
      auto id = state.objects.find_sandbox(msg.sandbox);
      if (!id)
        return to_caf(std::move(id.error()));
      return later<done>(state, [&](auto reply) {
        state.remove(*id, reply);
      });
    },
    [&state](const join_endpoint& msg) -> caf::result<endpoint_status> {
      return join(state, msg);
    },
    [&state](const leave_endpoint& msg) -> caf::result<done> {
      return to_endpoint<done>(state, msg.network, msg.endpoint,
                               part_endpoint{});
    },
    [&state](attach_sandbox& msg) -> caf::result<endpoint_status> {
      return attach(state, msg);
    },
    [&state](const detach_sandbox& msg) -> caf::result<done> {
      return detach(state, msg);
    },
    [&state](const publish_ports& msg) -> caf::result<endpoint_status> {
      return to_endpoint<endpoint_status>(state, msg.network, msg.endpoint,
                                          change_ports{msg.ports, true});
    },
    [&state](const unpublish_ports& msg) -> caf::result<endpoint_status> {
      return to_endpoint<endpoint_status>(state, msg.network, msg.endpoint,
                                          change_ports{msg.ports, false});
    },
    [&state](const get_status&) -> caf::result<daemon_status> {
      return later<daemon_status>(state, [&](auto reply) {
        state.status(reply);
      });
    },
    [&state](const run_doctor& msg) -> caf::result<doctor_report> {
      return later<doctor_report>(state, [&](auto reply) {
        state.ask_doctor(msg, reply);
      });
    },
  };
}

controller_actor
spawn_controller(caf::actor_system& system, context_ptr context) {
  return system.spawn(controller_behavior, std::move(context));
}

} // namespace troupe
