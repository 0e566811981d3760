#pragma once

#include "troupe/actors/core/context.hpp"
#include "troupe/actors/services/firewall/work.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace troupe {

// What the messages to the FIREWALL actor want, as jobs.

std::unique_ptr<drivers::driver>
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

/// An endpoint some of whose recorded ports could not be had at start: somebody
/// else has one, or its address is gone from the host.
struct unrestored_endpoint {
  network_spec network;
  endpoint_spec endpoint;
  std::vector<drivers::refused_port> missing;
};

/// By endpoint.
using unrestored_map = std::map<endpoint_id, unrestored_endpoint>;

/// One line for each port that is missing.
std::vector<std::string> describe(const unrestored_map& x);

/// Everything of the records in one transaction. What cannot be restored is a
/// problem to tell, not a reason to leave the others without rules or ports.
/// @param unrestored Gets the endpoints with ports that could not be had.
restored_firewall
restore(firewall_work& work, const system_context& context,
        const restore_firewall& msg, unrestored_map& unrestored);

/// Tries again to have what is missing; endpoints that miss nothing any more
/// are taken out.
void restore_ports(firewall_work& work, const system_context& context,
                   unrestored_map& unrestored);

} // namespace troupe
