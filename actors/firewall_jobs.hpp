#pragma once

#include "troupe/actors/context.hpp"
#include "troupe/actors/firewall_work.hpp"

#include <memory>
#include <vector>

namespace troupe {

// What the messages to the FIREWALL actor want, as jobs.

/// Errors: `invalid_argument` for a driver that there is none of.
result<std::unique_ptr<drivers::driver>>
driver_of(const system_context& context, const network_spec& network);

/// The elements of an endpoint with these ports. Pure.
result<firewall_job>
job_of(const drivers::driver& driver, const network_spec& network,
       const endpoint_spec& endpoint,
       const std::vector<port_binding>& bindings);

/// Lets the host forward for the network. @returns its elements.
result<firewall_job> prepare(firewall_work& work, const drivers::driver& driver,
                             const network_spec& network);

/// An endpoint's elements, and all the ports that it then has.
struct prepared_endpoint {
  firewall_job job;
  std::vector<port_binding> bindings;
};

/// Takes the ports; on error none of them.
result<prepared_endpoint>
prepare(firewall_work& work, const drivers::driver& driver,
        const protect_endpoint& msg);

/// Everything of the records in one transaction. What cannot be restored is a
/// problem to tell, not a reason to leave the others without rules.
/// @param unrestored Gets the endpoints whose ports could not be had.
restored_firewall
restore(firewall_work& work, const system_context& context,
        const restore_firewall& msg, std::vector<protect_endpoint>& unrestored);

/// Tries again to have the ports of these; those that have them now are taken
/// out.
void restore_ports(firewall_work& work, const system_context& context,
                   std::vector<protect_endpoint>& unrestored);

} // namespace troupe
