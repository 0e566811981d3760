#include "troupe/actors/api/log.hpp"
#include "troupe/actors/core/commit.hpp"
#include "troupe/actors/objects/admission.hpp"
#include "troupe/actors/objects/network_state.hpp"

#include <algorithm>

namespace troupe {

// -- create -------------------------------------------------------------------

void network_state::start(promise<network_status> reply) {
  if (rules->features().uses_addresses && spec->ipam_driver != "null") {
    auto complete = *spec;
    complete_pools(complete);
    spec = std::make_shared<const network_spec>(std::move(complete));
  }
  if (!rules->features().uses_addresses)
    return claim_subnets({}, reply);
  // `0.0.0.0/0` stands for "choose one": only then the host's routes matter.
  const auto automatic
    = std::any_of(spec->pools.begin(), spec->pools.end(), [](const auto& pool) {
        return pool.subnet && pool.subnet->length() == 0;
      });
  ask<routed_subnets>(
    self, driver, context->step_deadline(),
    list_routed_subnets{rules->network_interface(*spec)},
    [=, this](routed_subnets& found) {
      auto complete = *spec;
      rules->adopt_mtu(complete, found.uplink_mtu_bytes);
      if (found.has_interface)
        rules->adopt_interface(complete);
      spec = std::make_shared<const network_spec>(std::move(complete));
      if (!automatic)
        return claim_subnets({}, reply);
      // The default route is no subnet that could be overlapped.
      std::erase_if(found.subnets, [](const auto& x) {
        return x.length() == 0;
      });
      claim_subnets(std::move(found.subnets), reply);
    },
    [=, this](error why) {
      fail_start(std::move(why), false, reply);
    });
}

void network_state::claim_subnets(std::vector<prefix> exclude,
                                  promise<network_status> reply) {
  ask<claimed_pools>(
    self, context->ipam, context->step_deadline(),
    claim_pools{*spec, std::move(exclude)},
    [=, this](claimed_pools& claimed) {
      leases = std::move(claimed.leases);
      auto decided = *spec;
      decided.pools = std::move(claimed.pools);
      auto opened = network_book::open(decided);
      auto valid = rules->validate(decided);
      spec = std::make_shared<const network_spec>(std::move(decided));
      if (!opened)
        return fail_start(std::move(opened.error()), false, reply);
      if (!valid)
        return fail_start(std::move(valid.error()), false, reply);
      book = std::move(*opened);
      check_host(reply);
    },
    [=, this](error why) {
      fail_start(std::move(why), false, reply);
    });
}

/// What this host refuses is refused before anything of it is changed, such as
/// its forwarding.
void network_state::check_host(promise<network_status> reply) {
  ask<done>(
    self, driver, context->step_deadline(), check_new_network{*spec},
    [=, this](done&) {
      protect(reply);
    },
    [=, this](error why) {
      fail_start(std::move(why), false, reply);
    });
}

/// Before the bridge is there: its first packet meets the rules.
void network_state::protect(promise<network_status> reply) {
  if (!rules->features().uses_firewall)
    return build(reply);
  ask<done>(
    self, context->firewall, context->step_deadline(), protect_network{*spec},
    [=, this](done&) {
      build(reply);
    },
    [=, this](error why) {
      fail_start(std::move(why), false, reply);
    });
}

/// Takes the rules away, then goes on, whatever the kernel says: the firewall
/// tries again on its own.
void network_state::unprotect(std::function<void()> next) {
  if (!rules->features().uses_firewall)
    return next();
  auto go_on = [next](auto&&) {
    next();
  };
  ask<done>(self, context->firewall, context->step_deadline(),
            unprotect_network{spec->id}, go_on, go_on);
}

void network_state::build(promise<network_status> reply) {
  ask<done>(
    self, driver, context->step_deadline(), build_network{*spec},
    [=, this](done&) {
      commit(reply);
    },
    [=, this](error why) {
      const auto unknown = why.code == ec::timeout;
      fail_start(std::move(why), unknown, reply);
    });
}

void network_state::commit(promise<network_status> reply) {
  ask<done>(
    self, context->store, context->step_deadline(), commit_changes{{*spec}},
    [=, this](done&) mutable {
      started = true;
      changed = std::chrono::steady_clock::now();
      publish(*context, "network", "create", spec->id.value, spec->name,
              {{"driver", spec->driver}});
      reply.deliver(status());
    },
    [=, this](error why) {
      fail_start(std::move(why), true, reply);
    });
}

/// Takes back what was done, or may have been, and ends.
void network_state::fail_start(error why, bool built,
                               promise<network_status> reply) {
  auto finish = [=, this](auto&&) mutable {
    release(own_link());
    reply.deliver(with_context(why, "create " + title()));
    self->quit();
  };
  auto release = [=, this](auto&&) {
    unprotect([=, this] {
      ask<done>(self, context->ipam, context->step_deadline(),
                release_pools{spec->ipam_driver, leases}, finish, finish);
    });
  };
  auto raze = [=, this](auto&&) {
    ask<done>(self, driver, context->step_deadline(), raze_network{*spec},
              release, release);
  };
  if (!built)
    return release(done{});
  overrule_commit(
    self, context, why,
    commit_changes{{persistence::remove_network_record{spec->id}}}, raze);
}

/// A recorded network takes the subnets it has.
void network_state::claim_again(promise<done> reply) {
  auto recorded = *spec;
  // Told already: such a pool would mean "choose any" here.
  std::erase_if(recorded.pools, [](const auto& pool) {
    return !pool.subnet || pool.subnet->length() == 0;
  });
  ask<claimed_pools>(
    self, context->ipam, context->step_deadline(),
    claim_pools{std::move(recorded), {}},
    [=, this](claimed_pools& claimed) mutable {
      leases = std::move(claimed.leases);
      reply.deliver(done{});
    },
    [=, this](error why) mutable {
      odd_pools.push_back(why.message);
      reply.deliver(std::move(why));
    });
}

// -- remove -------------------------------------------------------------------

void network_state::drop(promise<done> reply) {
  if (!members.empty()) {
    auto names = std::string{};
    for (const auto& [id, x] : members)
      if (names.size() < 200)
        names += " " + x.spec.name;
      else if (!names.ends_with("…"))
        names += " …";
    reply.deliver(error{ec::forbidden,
                        "remove " + title() + ": it has "
                          + std::to_string(members.size())
                          + " endpoints:" + names,
                        "detach or remove them first", 0});
    return;
  }
  dropping = true;
  commit_for_sure(
    self, context,
    commit_changes{{persistence::remove_network_record{spec->id}}},
    [=, this](done&) {
      raze_after_drop(reply);
    },
    [=, this](error why) mutable {
      dropping = false;
      reply.deliver(with_context(std::move(why), "remove " + title()));
    });
}

/// The store has forgotten the network: it is removed from here on. What the
/// kernel keeps is removed later by the driver.
void network_state::raze_after_drop(promise<done> reply) {
  auto finish = [=, this](auto&&) mutable {
    release(own_link());
    publish(*context, "network", "remove", spec->id.value, spec->name,
            {{"driver", spec->driver}});
    reply.deliver(done{});
    self->quit();
  };
  auto release = [=, this] {
    unprotect([=, this] {
      ask<done>(self, context->ipam, context->step_deadline(),
                release_pools{spec->ipam_driver, leases}, finish, finish);
    });
  };
  ask<done>(
    self, driver, context->step_deadline(), raze_network{*spec},
    [=](done&) {
      release();
    },
    [=, this](const error& why) {
      log().warn("remove {}: {}; tried again later", title(), why.message);
      release();
    });
}

} // namespace troupe
