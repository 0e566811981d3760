#include "troupe/actors/port_changes.hpp"

#include <algorithm>

namespace troupe {

namespace {

/// One wish per container port. A range of host ports that belongs to a single
/// container port stays whole.
std::vector<port_spec> single_ports(const port_spec& wish) {
  if (wish.last_port() == wish.port)
    return {wish};
  auto result = std::vector<port_spec>{};
  for (int i = 0; i <= wish.last_port() - wish.port; ++i) {
    auto one = wish;
    one.port = static_cast<uint16_t>(wish.port + i);
    one.port_end = 0;
    if (wish.host_port != 0)
      one.host_port = static_cast<uint16_t>(wish.host_port + i);
    one.host_port_end = 0;
    result.push_back(one);
  }
  return result;
}

bool wants(const port_spec& wish, const port_binding& x) {
  return wish.proto == x.proto && wish.port <= x.port
         && x.port <= wish.last_port();
}

} // namespace

bool means(const port_spec& request, const port_binding& binding) {
  if (!wants(request, binding))
    return false;
  if (request.host_ip && *request.host_ip != binding.host_ip)
    return false;
  return request.host_port == 0
         || (request.host_port <= binding.host_port
             && binding.host_port <= request.last_host_port());
}

bool explains(const endpoint_spec& endpoint, const port_binding& binding) {
  auto leads_to = [&](const port_spec& wish) {
    if (!wants(wish, binding))
      return false;
    // In routed mode the host's side of a wish means nothing.
    return binding.host_port == 0 || means(wish, binding);
  };
  auto is_it = [&](const exposed_port& x) {
    return x.proto == binding.proto && x.port == binding.port;
  };
  return std::ranges::any_of(endpoint.ports, leads_to)
         || (endpoint.publish_all
             && std::ranges::any_of(endpoint.exposed, is_it));
}

void explain_all(endpoint_spec& endpoint,
                 const std::vector<port_binding>& bindings) {
  for (const auto& x : bindings)
    if (!explains(endpoint, x))
      endpoint.ports.push_back(
        {x.proto, x.port, 0,
         x.host_port == 0 ? std::optional<ip_address>{} : x.host_ip,
         x.host_port, 0});
}

std::vector<port_spec> without_ports(const std::vector<port_spec>& wishes,
                                     const std::vector<port_binding>& removed) {
  auto result = std::vector<port_spec>{};
  auto is_removed = [&](const port_spec& wish) {
    return std::ranges::any_of(removed, [&](const auto& x) {
      return wants(wish, x) && (!wish.host_ip || *wish.host_ip == x.host_ip)
             && (wish.host_port == 0
                 || (wish.host_port <= x.host_port
                     && x.host_port <= wish.last_host_port()));
    });
  };
  for (const auto& wish : wishes) {
    if (!is_removed(wish)) {
      result.push_back(wish);
      continue;
    }
    for (const auto& one : single_ports(wish))
      if (!is_removed(one))
        result.push_back(one);
  }
  return result;
}

parted_bindings part_bindings(const std::vector<port_binding>& all,
                              const std::vector<port_spec>& requests) {
  auto result = parted_bindings{};
  for (const auto& x : all) {
    const auto meant = std::ranges::any_of(requests, [&](const auto& request) {
      return means(request, x);
    });
    (meant ? result.removed : result.kept).push_back(x);
  }
  return result;
}

} // namespace troupe
