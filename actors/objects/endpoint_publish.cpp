#include "troupe/actors/api/log.hpp"
#include "troupe/actors/core/commit.hpp"
#include "troupe/actors/objects/admission.hpp"
#include "troupe/actors/objects/endpoint_state.hpp"
#include "troupe/actors/objects/port_changes.hpp"
#include "troupe/drivers/publish/plan.hpp"
#include "troupe/drivers/registry.hpp"

#include <utility>

namespace troupe {

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

/// Where a wish without a host address will be published. Before the join that
/// takes a proxy for granted.
std::vector<ip_address> endpoint_state::default_addresses() const {
  auto driver = drivers::make(network->driver, context->owner);
  auto targets = drivers::port_targets{};
  for (const auto& x : spec->addresses)
    (x.address.is_v4() ? targets.ipv4 : targets.ipv6) = x.address;
  auto options = drivers::publish_options_of(*driver, *network);
  options.host_ipv6 = context->host_has_ipv6;
  auto result = drivers::default_addresses(targets, options);
  if (result.empty()) // It can be taken back all the same.
    result.emplace_back();
  return result;
}

void endpoint_state::unpublish_ports(const std::vector<port_spec>& ports,
                                     promise<endpoint_status> reply) {
  auto parted = part_bindings(bindings, ports);
  auto wanted = *spec;
  // Before the join there are wishes only.
  wanted.ports = joined
                   ? without_ports(spec->ports, parted.removed)
                   : without_wishes(spec->ports, ports, default_addresses());
  if (parted.removed.empty() && wanted.ports == spec->ports)
    return refuse_ports({ec::not_found, "no such port is published",
                         "troupe endpoint inspect shows what is", 0},
                        reply);
  // A wish for both families may have lost one of them only.
  if (joined)
    explain_all(wanted, parted.kept);
  retract(wanted, std::move(parted.kept), reply);
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
      // On error nothing was published; without an answer nobody knows.
      why.code == ec::timeout ? take_ports_back(std::move(why), reply)
                              : refuse_ports(std::move(why), reply);
    });
}

/// The firewall gives all ports but these back, then goes on.
template <class Next>
void endpoint_state::retract_but(std::vector<port_binding> kept, Next next) {
  if (!joined)
    return next(done{});
  ask<done>(self, context->firewall, context->step_deadline(),
            retract_ports{*network, *spec, std::move(kept)}, next, next);
}

/// What the store is to know of the endpoint's ports.
commit_changes
endpoint_state::port_records(const endpoint_spec& wanted,
                             const std::vector<port_binding>& all) const {
  auto result = commit_changes{{wanted}};
  if (joined)
    result.changes.emplace_back(join_record(all));
  return result;
}

void endpoint_state::adopt_ports(const endpoint_spec& wanted,
                                 std::vector<port_binding> all,
                                 const char* action) {
  spec = std::make_shared<const endpoint_spec>(wanted);
  bindings = std::move(all);
  publish(*context, "endpoint", action, spec->id.value, spec->name,
          {{"network", network->name}});
}

/// The record follows; if it cannot, the ports go back.
void endpoint_state::commit_ports(const endpoint_spec& wanted,
                                  std::vector<port_binding> all,
                                  promise<endpoint_status> reply) {
  ask<done>(
    self, context->store, context->step_deadline(), port_records(wanted, all),
    [=, this](done&) {
      const auto suits = link_suits(wanted);
      adopt_ports(wanted, all, "publish");
      suits ? answer_change(reply) : suit_link(reply);
    },
    [=, this](error why) {
      take_ports_back(std::move(why), reply);
    });
}

/// The link of an endpoint with ports is another: what it sends to its own port
/// must come back to it. How many ports there are is nothing to it. Inside,
/// each UDP port has a rule of its own.
bool endpoint_state::link_suits(const endpoint_spec& wanted) const {
  auto udp_ports = [](const endpoint_spec& x) {
    auto result = std::vector<std::pair<uint16_t, uint16_t>>{};
    for (const auto& port : x.ports)
      if (port.proto == protocol::udp)
        result.emplace_back(port.port, port.last_port());
    return result;
  };
  return !joined
         || (spec->ports.empty() == wanted.ports.empty()
             && udp_ports(*spec) == udp_ports(wanted));
}

void endpoint_state::answer_change(promise<endpoint_status> reply) {
  reply.deliver(status());
  end_change();
}

/// If that fails, it compares itself with the kernel until it has worked.
void endpoint_state::suit_link(promise<endpoint_status> reply) {
  auto failed = [=, this](const error& why) {
    log().warn("endpoint {}: {}; tried again later", quoted(spec->name),
               why.message);
    check_again();
    answer_change(reply);
  };
  // Whether it has the default route may have changed since it joined.
  ask<join_slot>(
    self, sandbox, context->step_deadline(), locate_endpoint{spec->id},
    [=, this](join_slot& given) {
      slot = std::move(given);
      ask<mend_report>(
        self, driver, context->step_deadline(), mend_endpoint{plan()},
        [=, this](mend_report&) {
          answer_change(reply);
        },
        failed);
    },
    failed);
}

/// After a commit failed: the records of before once more. A commit that may
/// still come is overruled, and so is one of both environments, of which the
/// first may have been written. Then, whatever the store says, `next`.
template <class Next>
void endpoint_state::restore_records(const error& why, Next next) {
  if (why.code != ec::timeout && (!joined || spec->ephemeral))
    return next(done{});
  ask<done>(self, context->store, context->step_deadline(),
            port_records(*spec, bindings), next, next);
}

/// Back to the ports of before.
void endpoint_state::take_ports_back(error why,
                                     promise<endpoint_status> reply) {
  restore_records(why, [=, this](auto&&) {
    retract_but(bindings, [=, this](auto&&) {
      refuse_ports(why, reply);
    });
  });
}

/// The record first: from then on the ports are given back, sooner or later.
void endpoint_state::retract(const endpoint_spec& wanted,
                             std::vector<port_binding> kept,
                             promise<endpoint_status> reply) {
  commit_for_sure(
    self, context, port_records(wanted, kept),
    [=, this](done&) {
      const auto suits = link_suits(wanted);
      adopt_ports(wanted, kept, "unpublish");
      retract_but(kept, [=, this](auto&&) {
        suits ? answer_change(reply) : suit_link(reply);
      });
    },
    [=, this](error why) {
      restore_records(why, [=, this](auto&&) {
        refuse_ports(why, reply);
      });
    });
}

} // namespace troupe
