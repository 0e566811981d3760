#include "troupe/actors/admission.hpp"
#include "troupe/actors/endpoint_state.hpp"
#include "troupe/actors/log.hpp"
#include "troupe/actors/port_changes.hpp"
#include "troupe/drivers/registry.hpp"

namespace troupe {

// -- rules and ports while joined ---------------------------------------------

/// Before anything can be sent: the guard is there when the link comes.
void endpoint_state::protect(promise<endpoint_status> reply) {
  if (!filtered)
    return build(reply);
  ask<published_ports>(
    self, context->firewall, context->step_deadline(),
    protect_endpoint{*network, *spec, spec->ports, spec->publish_all, {}},
    [=, this](published_ports& published) {
      bindings = std::move(published.bindings);
      build(reply);
    },
    [=, this](error why) {
      take_back(std::move(why), reply);
    });
}

/// Takes rules and ports away, then goes on, whatever the kernel says: the
/// firewall tries again on its own.
void endpoint_state::unprotect(std::function<void()> next) {
  if (!filtered)
    return next();
  auto go_on = [next](auto&&) {
    next();
  };
  bindings.clear();
  ask<done>(self, context->firewall, context->step_deadline(),
            unprotect_endpoint{*spec}, go_on, go_on);
}

join_spec endpoint_state::join_record() const {
  return {spec->id, network->id, slot.sandbox, slot.where.interface, bindings};
}

// -- changes of the published ports -------------------------------------------

void endpoint_state::change_ports(const std::vector<port_spec>& ports,
                                  bool publish,
                                  promise<endpoint_status> reply) {
  auto wanted = *spec;
  auto refuse = [&](error why) {
    reply.deliver(with_context(std::move(why), (publish ? "publish ports of "
                                                        : "unpublish "
                                                          "ports of ")
                                                 + title()));
    settle();
  };
  if (publish) {
    auto driver = drivers::make(network->driver, context->owner);
    if (auto ok = check_ports(ports, *network, *driver); !ok)
      return refuse(std::move(ok.error()));
    wanted.ports.insert(wanted.ports.end(), ports.begin(), ports.end());
    return joined ? publish_more(std::move(wanted), ports, reply)
                  : commit_ports(std::move(wanted), {}, reply);
  }
  auto parted = part_bindings(bindings, ports);
  auto gone = parted.removed;
  if (!joined)
    for (const auto& wish : spec->ports)
      for (const auto& x : ports)
        if (x.proto == wish.proto && x.port == wish.port)
          gone.push_back({wish.proto, wish.port,
                          wish.host_ip.value_or(ip_address{}), wish.host_port});
  if (gone.empty())
    return refuse({ec::not_found, "no such port is published",
                   "troupe endpoint inspect shows what is", 0});
  wanted.ports = without_ports(spec->ports, gone);
  retract(std::move(wanted), std::move(parted.kept), std::move(parted.removed),
          reply);
}

void endpoint_state::publish_more(endpoint_spec wanted,
                                  const std::vector<port_spec>& ports,
                                  promise<endpoint_status> reply) {
  ask<published_ports>(
    self, context->firewall, context->step_deadline(),
    protect_endpoint{*network, *spec, ports, false, bindings},
    [=, this](published_ports& published) {
      commit_ports(wanted, std::move(published.bindings), reply);
    },
    [=, this](error why) {
      take_ports_back(std::move(why), reply);
    });
}

/// The record follows; if it cannot, the ports go back.
void endpoint_state::commit_ports(endpoint_spec wanted,
                                  std::vector<port_binding> all,
                                  promise<endpoint_status> reply) {
  auto changes = std::vector<persistence::change>{wanted};
  if (joined) {
    auto record = join_record();
    record.bindings = all;
    changes.emplace_back(std::move(record));
  }
  ask<done>(
    self, context->store, context->step_deadline(),
    commit_changes{std::move(changes)},
    [=, this](done&) mutable {
      spec = std::make_shared<const endpoint_spec>(wanted);
      bindings = all;
      publish(*context, "endpoint", "publish", spec->id.value, spec->name,
              {{"network", network->name}});
      suit_link(reply);
    },
    [=, this](error why) {
      take_ports_back(std::move(why), reply);
    });
}

/// The link of an endpoint with ports is another: what it sends to its own port
/// must come back to it. If that fails, the regular comparison mends it.
void endpoint_state::suit_link(promise<endpoint_status> reply) {
  auto finish = [=, this](auto&&) mutable {
    reply.deliver(status());
    settle();
  };
  if (!joined)
    return finish(done{});
  ask<mend_report>(self, driver, context->step_deadline(),
                   mend_endpoint{plan()}, finish, finish);
}

/// Back to the ports of before; a commit that may still come is overwritten.
void endpoint_state::take_ports_back(error why,
                                     promise<endpoint_status> reply) {
  auto fail_now = [=, this](auto&&) mutable {
    reply.deliver(with_context(why, "publish ports of " + title()));
    settle();
  };
  auto retract_new = [=, this](auto&&) mutable {
    if (!joined)
      return fail_now(done{});
    ask<done>(self, context->firewall, context->step_deadline(),
              retract_ports{*network, *spec, bindings}, fail_now, fail_now);
  };
  if (why.code != ec::timeout)
    return retract_new(done{});
  auto changes = std::vector<persistence::change>{*spec};
  if (joined)
    changes.emplace_back(join_record());
  ask<done>(self, context->store, context->step_deadline(),
            commit_changes{std::move(changes)}, retract_new, retract_new);
}

/// The record first: from then on the ports are given back, sooner or later.
void endpoint_state::retract(endpoint_spec wanted,
                             std::vector<port_binding> kept,
                             std::vector<port_binding> removed,
                             promise<endpoint_status> reply) {
  auto changes = std::vector<persistence::change>{wanted};
  if (joined) {
    auto record = join_record();
    record.bindings = kept;
    changes.emplace_back(std::move(record));
  }
  ask<done>(
    self, context->store, context->step_deadline(),
    commit_changes{std::move(changes)},
    [=, this](done&) mutable {
      spec = std::make_shared<const endpoint_spec>(wanted);
      bindings = kept;
      publish(*context, "endpoint", "unpublish", spec->id.value, spec->name,
              {{"network", network->name}});
      auto finish = [=, this](auto&&) mutable {
        suit_link(reply);
      };
      if (removed.empty())
        return finish(done{});
      ask<done>(self, context->firewall, context->step_deadline(),
                retract_ports{*network, *spec, kept}, finish, finish);
    },
    [=, this](error why) mutable {
      reply.deliver(
        with_context(std::move(why), "unpublish ports of " + title()));
      settle();
    });
}

} // namespace troupe
