#include "troupe/actors/services/driver.hpp"

#include "troupe/actors/api/backoff.hpp"
#include "troupe/actors/api/log.hpp"
#include "troupe/actors/services/reconcile.hpp"
#include "troupe/drivers/registry.hpp"
#include "troupe/drivers/uplink.hpp"

#include <algorithm>

namespace troupe {

/// A removal that waits for others to go with it.
struct waiting_raze {
  drivers::endpoint_plan plan;
  promise<done> reply;
};

struct driver_state {
  static inline const char* name = "driver";

  result<std::unique_ptr<netns::kernel>> kernel
    = fail(ec::unavailable, "open the kernel: not done yet");
  std::unique_ptr<drivers::driver> driver;
  std::vector<waiting_raze> razes;
  /// Endpoints whose links should be gone: namespaces that die, razes that
  /// failed, endpoints that could not be made.
  std::vector<drivers::endpoint_plan> doomed;
  /// Networks whose removal failed.
  std::vector<network_spec> doomed_networks;
  /// Networks that could not be made; perhaps a part of them is there.
  std::vector<network_id> failed_networks;
  /// A dying namespace gets this long before its links are deleted one by one,
  /// of which the kernel usually needs 20 to 200 ms; what fails then waits
  /// longer each time.
  backoff pauses;
  uint64_t looks = 0;    ///< Number of the look that is due next.
  bool due = false;      ///< One is.
  bool due_soon = false; ///< After the shortest pause.
  bool told = false;     ///< That announcements fail.
};

namespace {

using driver_pointer = driver_actor::stateful_pointer<driver_state>;

/// Runs `work(driver, kernel)`; the only border where a driver's exception
/// would be an error instead of the end of the actor.
template <class Work>
auto with_driver(driver_pointer self, Work work)
  -> decltype(work(*state_of(self).driver, **state_of(self).kernel)) {
  auto& state = state_of(self);
  if (!state.kernel)
    return fail(state.kernel.error());
  try {
    return work(*state.driver, **state.kernel);
  } catch (const std::exception& why) {
    return fail(ec::internal, "driver " + std::string{state.driver->name()}
                                + ": exception: " + why.what());
  }
}

/// The same for work without a value.
template <class Work>
caf::result<done> do_work(driver_pointer self, Work work) {
  if (auto outcome = with_driver(self, work); !outcome)
    return to_caf(std::move(outcome.error()));
  return done{};
}

void watch_doomed(driver_pointer self) {
  auto& state = state_of(self);
  if (state.due
      || (state.doomed.empty() && state.doomed_networks.empty()
          && state.failed_networks.empty()))
    return;
  state.due = true;
  state.due_soon = state.pauses.is_fresh();
  tell_after(driver_actor{self}, state.pauses.next(),
             check_gone{++state.looks});
}

/// What is new needs not wait for what has failed before.
void watch_doomed_anew(driver_pointer self) {
  auto& state = state_of(self);
  if (state.due && !state.due_soon) {
    state.pauses.reset();
    state.due = false;
  }
  watch_doomed(self);
}

/// What is wanted again must not fall to a raze of its past.
void spare(driver_state& state, const endpoint_id& wanted) {
  std::erase_if(state.doomed, [&](const auto& x) {
    return x.endpoint.id == wanted;
  });
}

result<void>
raze(driver_pointer self, const std::vector<drivers::endpoint_plan>& plans) {
  return with_driver(self, [&](auto& driver, auto& kernel) {
    return driver.remove_endpoints(kernel, plans);
  });
}

void flush(driver_pointer self) {
  auto& state = state_of(self);
  auto batch = std::exchange(state.razes, {});
  auto plans = std::vector<drivers::endpoint_plan>{};
  for (const auto& x : batch)
    plans.push_back(x.plan);
  auto outcome = raze(self, plans);
  for (auto& x : batch)
    if (outcome)
      x.reply.deliver(done{});
    else
      x.reply.deliver(outcome.error());
  if (outcome)
    return;
  state.doomed.insert(state.doomed.end(), plans.begin(), plans.end());
  watch_doomed(self);
}

/// Removes a network; the store has forgotten it, so a failure is tried again.
result<void> raze_for_good(driver_pointer self, const network_spec& network) {
  auto outcome = with_driver(self, [&](auto& driver, auto& kernel) {
    return driver.remove_network(kernel, network);
  });
  if (!outcome) {
    state_of(self).doomed_networks.push_back(network);
    watch_doomed(self);
  }
  return outcome;
}

/// What is tagged as a part of a network that could not be made. Never what is
/// a user's: `remove_network` would let go of that as well.
result<void> remove_failed(driver_pointer self) {
  const auto& failed = state_of(self).failed_networks;
  return with_driver(self, [&](auto& driver, auto& kernel) {
    return remove_where(driver, kernel, [&](const drivers::found_object& x) {
      return std::ranges::any_of(failed, [&](const network_id& id) {
        return x.brief_id == id.brief();
      });
    });
  });
}

void look_after_doomed(driver_pointer self) {
  auto& state = state_of(self);
  state.due = false;
  if (!state.failed_networks.empty() && remove_failed(self))
    state.failed_networks.clear();
  for (const auto& network : std::exchange(state.doomed_networks, {}))
    if (auto outcome = raze_for_good(self, network); !outcome)
      log().warn("{}; trying again", outcome.error().message);
  auto plans = std::exchange(state.doomed, {});
  if (!plans.empty())
    if (auto outcome = raze(self, plans); !outcome) {
      log().warn("remove {} endpoints: {}; trying again", plans.size(),
                 outcome.error().message);
      state.doomed = std::move(plans);
    }
  if (state.doomed.empty() && state.doomed_networks.empty()
      && state.failed_networks.empty())
    state.pauses.reset();
  watch_doomed(self);
}

/// Does it once and comes back for the next time. Nobody waits for it, and what
/// is not announced is learned in the neighbours' own time.
void announce(driver_pointer self, announce_endpoint& msg) {
  const auto& plan = msg.plan;
  auto how = drivers::announcements{};
  auto outcome = with_driver(self, [&](auto& driver, auto& kernel) {
    how = driver.announcing(plan.network, plan.endpoint);
    return how.count == 0 ? result<void>{}
                          : driver.announce_endpoint(kernel, plan);
  });
  if (!outcome && outcome.error().code == ec::not_found)
    return;
  if (!outcome && !std::exchange(state_of(self).told, true))
    log().warn("{}: neighbours may remember for half a minute who had the "
               "address before; said once",
               outcome.error().message);
  if (++msg.times < how.count)
    tell_after(driver_actor{self}, std::chrono::milliseconds{how.interval_ms},
               std::move(msg));
}

/// A host that is on a subnet already could reach only one of the two. Asked
/// when a network is made; what comes later is named by the doctor.
result<void> check_subnets(const drivers::driver& driver, netns::kernel& kernel,
                           const network_spec& network) {
  if (network.pools.empty())
    return {};
  auto present = kernel.all_addresses();
  if (!present)
    return fail(std::move(present.error()));
  const auto own = kernel.link_index(driver.network_interface(network));
  for (const auto& x : *present)
    for (const auto& pool : network.pools) {
      if (!pool.subnet || (own && *own == x.index)
          || x.address.length == x.address.address.bits()
          || !x.address.subnet().overlaps(*pool.subnet))
        continue;
      const auto link = kernel.link(x.index);
      return fail(ec::conflict,
                  "network " + quoted(network.name) + ": its subnet "
                    + to_string(*pool.subnet) + " is also that of "
                    + (link ? link->name : "another link") + ", which has "
                    + to_string(x.address),
                  "choose another subnet, or none: then a free one is taken");
    }
  return {};
}

/// Compares first: most of the time nothing differs and nothing is written.
template <class Inspect, class Create>
caf::result<mend_report>
mend(driver_pointer self, Inspect inspect, Create create) {
  auto report
    = with_driver(self, [&](auto& driver, auto& kernel) -> result<mend_report> {
        auto differences = inspect(driver, kernel);
        if (!differences)
          return fail(std::move(differences.error()));
        if (!differences->empty())
          if (auto made = create(driver, kernel); !made)
            return fail(std::move(made.error()));
        return mend_report{std::move(*differences)};
      });
  return to_caf(std::move(report));
}

} // namespace

driver_actor::behavior_type
driver_behavior(driver_actor::stateful_pointer<driver_state> self,
                context_ptr context, std::string driver_name) {
  explain_exceptions(self);
  state_of(self).kernel = context->parts.open_kernel();
  state_of(self).driver = drivers::make(driver_name, context->owner);
  return {
    [self](const check_new_network& msg) -> caf::result<done> {
      return do_work(self, [&](auto& driver, auto& kernel) {
        auto free = check_subnets(driver, kernel, msg.network);
        return free ? driver.check_place(kernel, msg.network) : free;
      });
    },
    [self](const build_network& msg) -> caf::result<done> {
      auto made = with_driver(self, [&](auto& driver, auto& kernel) {
        return driver.create_network(kernel, msg.network);
      });
      if (made)
        return done{};
      state_of(self).failed_networks.push_back(msg.network.id);
      watch_doomed(self);
      return to_caf(std::move(made.error()));
    },
    [self](const raze_network& msg) -> caf::result<done> {
      if (auto outcome = raze_for_good(self, msg.network); !outcome)
        return to_caf(std::move(outcome.error()));
      return done{};
    },
    [self](const build_endpoint& msg) -> caf::result<done> {
      auto& state = state_of(self);
      spare(state, msg.plan.endpoint.id);
      auto made = with_driver(self, [&](auto& driver, auto& kernel) {
        return driver.create_endpoint(kernel, msg.plan);
      });
      if (made)
        return done{};
      // Should the driver have been kept from undoing it.
      state.doomed.push_back(msg.plan);
      watch_doomed(self);
      return to_caf(std::move(made.error()));
    },
    [self](announce_endpoint& msg) -> caf::result<done> {
      announce(self, msg);
      return done{};
    },
    [self](raze_endpoint& msg) -> caf::result<done> {
      auto reply = promise<done>{self};
      auto& razes = state_of(self).razes;
      if (razes.empty())
        tell(driver_actor{self}, flush_razes{});
      razes.push_back({std::move(msg.plan), reply});
      return reply;
    },
    [self](const flush_razes&) -> caf::result<done> {
      flush(self);
      return done{};
    },
    [self](expect_gone& msg) -> caf::result<done> {
      auto& doomed = state_of(self).doomed;
      std::move(msg.plans.begin(), msg.plans.end(), std::back_inserter(doomed));
      watch_doomed_anew(self);
      return done{};
    },
    [self](const check_gone& msg) -> caf::result<done> {
      if (msg.number == state_of(self).looks)
        look_after_doomed(self);
      return done{};
    },
    [self](const mend_network& msg) -> caf::result<mend_report> {
      return mend(
        self,
        [&](auto& driver, auto& kernel) {
          return driver.inspect_network(kernel, msg.network);
        },
        [&](auto& driver, auto& kernel) {
          return driver.create_network(kernel, msg.network);
        });
    },
    [self](const mend_endpoint& msg) -> caf::result<mend_report> {
      return mend(
        self,
        [&](auto& driver, auto& kernel) {
          return driver.inspect_endpoint(kernel, msg.plan);
        },
        [&](auto& driver, auto& kernel) {
          return driver.create_endpoint(kernel, msg.plan);
        });
    },
    [self](const reconcile_driver& msg) -> caf::result<reconcile_report> {
      return to_caf(with_driver(self, [&](auto& driver, auto& kernel) {
        return reconcile(driver, kernel, msg);
      }));
    },
    [self](const remove_leftovers& msg) -> caf::result<done> {
      return do_work(self, [&](auto& driver, auto& kernel) {
        return remove_named(driver, kernel, msg.links);
      });
    },
    [self](const list_routed_subnets& msg) -> caf::result<routed_subnets> {
      return to_caf(
        with_driver(self, [&](auto&, auto& kernel) -> result<routed_subnets> {
          auto subnets = kernel.routed_subnets();
          if (!subnets)
            return fail(std::move(subnets.error()));
          auto mtu_bytes = drivers::uplink_mtu(kernel);
          if (!mtu_bytes)
            return fail(std::move(mtu_bytes.error()));
          return routed_subnets{std::move(*subnets), *mtu_bytes,
                                !msg.interface.empty()
                                  && kernel.link_index(msg.interface)};
        }));
    },
  };
}

driver_actor spawn_driver(caf::actor_system& system, context_ptr context,
                          std::string driver_name) {
  return spawn_blocking(system, context, driver_behavior, context,
                        std::move(driver_name));
}

} // namespace troupe
