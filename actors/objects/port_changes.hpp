#pragma once

#include "troupe/config/model/endpoint.hpp"

#include <vector>

namespace troupe {

/// Does a request to unpublish, or a wish, mean this binding? By protocol and
/// container port, and by host address and port where they are given; of the
/// host's side of a binding in routed mode, which has no host port, only the
/// family counts.
bool means(const port_spec& request, const port_binding& binding);

/// Does a wish of the endpoint, or a port that it exposes, lead to this
/// binding?
bool explains(const endpoint_spec& endpoint, const port_binding& binding);

/// Adds a wish for each binding that nothing in the endpoint explains.
void explain_all(endpoint_spec& endpoint,
                 const std::vector<port_binding>& bindings);

/// The wishes without the container ports that were unpublished; ranges are
/// cut into single ports where only some of them go.
std::vector<port_spec> without_ports(const std::vector<port_spec>& wishes,
                                     const std::vector<port_binding>& removed);

/// The wishes of an endpoint that is not joined without what requests to
/// unpublish mean, by the rule that holds for bindings. Host ports that would
/// be chosen at the join are meant only if every choice is.
/// @param everywhere the host addresses of a wish that names none.
std::vector<port_spec>
without_wishes(const std::vector<port_spec>& wishes,
               const std::vector<port_spec>& requests,
               const std::vector<ip_address>& everywhere);

/// Bindings apart: those that a request to unpublish means, and the rest.
struct parted_bindings {
  std::vector<port_binding> removed;
  std::vector<port_binding> kept;
};

parted_bindings part_bindings(const std::vector<port_binding>& all,
                              const std::vector<port_spec>& requests);

} // namespace troupe
