#include "troupe/actors/services/ipam.hpp"

#include "troupe/drivers/ipam/driver.hpp"

namespace troupe {

struct ipam_state {
  static inline const char* name = "ipam";

  result<std::unique_ptr<ipam::driver>> default_driver
    = fail(ec::internal, "open address management: not done yet");
};

namespace {

result<std::unique_ptr<ipam::driver>>
open_default(const system_context& context) {
  auto pools = std::vector<ipam::predefined_pool>{};
  for (const auto& pool : context.how.default_address_pools)
    pools.push_back({pool.base, static_cast<uint8_t>(pool.size)});
  return ipam::make_default(std::move(pools), context.host_seed);
}

/// A subnet `0.0.0.0/0` or `::/0` asks for any predefined one.
ipam::pool_request
request_for(const ipam_pool& pool, const std::vector<prefix>& exclude) {
  auto wanted = ipam::pool_request{};
  wanted.range = pool.ip_range;
  wanted.exclude = exclude;
  wanted.ipv6 = pool.subnet->family() == ip_family::v6;
  if (pool.subnet->length() != 0)
    wanted.subnet = pool.subnet;
  return wanted;
}

void release_all(ipam::driver& driver, const std::vector<std::string>& leases) {
  for (const auto& lease : leases)
    // A lease that is gone already is as good as released.
    (void)driver.release_pool(lease);
}

result<claimed_pools> claim_all(ipam::driver& driver, const claim_pools& msg) {
  auto claimed = claimed_pools{msg.network.pools, {}};
  for (auto& pool : claimed.pools) {
    auto lease = driver.request_pool(request_for(pool, msg.exclude));
    if (!lease) {
      release_all(driver, claimed.leases);
      return fail(with_context(std::move(lease.error()),
                               "create network " + quoted(msg.network.name)));
    }
    pool.subnet = lease->subnet;
    claimed.leases.push_back(std::move(lease->id));
  }
  return claimed;
}

} // namespace

ipam_actor::behavior_type
ipam_behavior(ipam_actor::stateful_pointer<ipam_state> self,
              context_ptr context) {
  explain_exceptions(self);
  state_of(self).default_driver = open_default(*context);
  return {
    [self](const claim_pools& msg) -> caf::result<claimed_pools> {
      if (msg.network.pools.empty() || msg.network.ipam_driver == "null")
        return claimed_pools{};
      auto& driver = state_of(self).default_driver;
      if (!driver)
        return to_caf(driver.error());
      return to_caf(claim_all(**driver, msg));
    },
    [self](const release_pools& msg) -> caf::result<done> {
      if (auto& driver = state_of(self).default_driver)
        release_all(**driver, msg.leases);
      return done{};
    },
  };
}

ipam_actor spawn_ipam(caf::actor_system& system, context_ptr context) {
  return system.spawn(ipam_behavior, context);
}

} // namespace troupe
