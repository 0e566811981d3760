#pragma once

#include "troupe/config/model/sandbox.hpp"
#include "troupe/drivers/driver.hpp"

#include <memory>
#include <vector>

namespace troupe {

// What is refused before anything is touched. Pure.

/// Fills in what a request may leave out and checks the rest: name, driver,
/// families, pools, driver options, conflicts with the networks that exist.
/// @param existing specs of all networks.
result<void>
admit_network(network_spec& wanted, const instance& owner,
              const std::vector<std::shared_ptr<const network_spec>>& existing);

/// Adds a pool for each family that is on without one; `0.0.0.0/0` and `::/0`
/// ask the IPAM driver to choose.
void complete_pools(network_spec& network);

/// Checks an endpoint of `network` and fills in its id.
result<void> admit_endpoint(endpoint_spec& wanted, const network_spec& network,
                            const drivers::driver& driver);

/// Checks ports that an endpoint of `network` wants to publish. Errors:
/// `invalid_argument`; `forbidden` where nothing can be published.
result<void>
check_ports(const std::vector<port_spec>& ports, const network_spec& network,
            const drivers::driver& driver);

/// The same for a sandbox.
result<void> admit_sandbox(sandbox_spec& wanted);

/// The time as records have it: Unix time in ms.
int64_t unix_time_ms();

} // namespace troupe
