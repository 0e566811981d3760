#include "troupe/actors/admission.hpp"
#include "troupe/actors/endpoint_state.hpp"
#include "troupe/actors/log.hpp"
#include "troupe/actors/port_changes.hpp"
#include "troupe/drivers/registry.hpp"

#include <utility>

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

/// While joined it takes the sandbox's turn, as a leave does: else the record
/// of a join could be written again after the sandbox has removed it.
void endpoint_state::change_ports(const std::vector<port_spec>& ports,
                                  bool publish,
                                  promise<endpoint_status> reply) {
  if (ports.empty())
    return refuse_ports({ec::invalid_argument, "no port is given", "", 0},
                        reply);
  auto work = [=, this] {
    publish ? publish_ports(ports, reply) : unpublish_ports(ports, reply);
  };
  if (!joined)
    return work();
  ask<done>(
    self, sandbox, context->operation_deadline(), reserve_leave{spec->id},
    [=, this](done&) {
      has_turn = true;
      work();
    },
    [=, this](error why) {
      // Whoever stops waiting for the turn says so.
      has_turn = joined && why.code == ec::timeout;
      refuse_ports(std::move(why), reply);
    });
}

void endpoint_state::refuse_ports(error why, promise<endpoint_status> reply) {
  reply.deliver(with_context(std::move(why), "ports of " + title()));
  end_change();
}

/// Every change of the ports ends here.
void endpoint_state::end_change() {
  if (std::exchange(has_turn, false))
    tell(sandbox, finish_leave{spec->id, false});
  settle();
}

void endpoint_state::publish_ports(const std::vector<port_spec>& ports,
                                   promise<endpoint_status> reply) {
  auto driver = drivers::make(network->driver, context->owner);
  if (auto ok = check_ports(ports, *network, *driver); !ok)
    return refuse_ports(std::move(ok.error()), reply);
  auto wanted = *spec;
  wanted.ports.insert(wanted.ports.end(), ports.begin(), ports.end());
  return joined ? publish_more(std::move(wanted), ports, reply)
                : commit_ports(std::move(wanted), {}, reply);
}

void endpoint_state::unpublish_ports(const std::vector<port_spec>& ports,
                                     promise<endpoint_status> reply) {
  auto wanted = *spec;
  auto parted = part_bindings(bindings, ports);
  auto gone = parted.removed;
  if (!joined) // Wishes for the next join.
    for (const auto& wish : spec->ports)
      for (const auto& x : ports)
        if (x.proto == wish.proto && x.port == wish.port)
          gone.push_back({wish.proto, wish.port,
                          wish.host_ip.value_or(ip_address{}), wish.host_port});
  if (gone.empty())
    return refuse_ports({ec::not_found, "no such port is published",
                         "troupe endpoint inspect shows what is", 0},
                        reply);
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
    end_change();
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
    refuse_ports(why, reply);
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
    [=, this](error why) {
      refuse_ports(std::move(why), reply);
    });
}

} // namespace troupe
