#include "troupe/actors/objects/port_changes.hpp"

#include <algorithm>

namespace troupe {

namespace {

int count_of(const port_spec& wish) {
  return wish.last_port() - wish.port + 1;
}

/// The wish for `count` of its ports from the one at `first` on. A range of
/// host ports that belongs to a single container port stays whole.
port_spec part_of(const port_spec& wish, int first, int count) {
  if (count == count_of(wish))
    return wish;
  auto result = wish;
  const auto last = first + count - 1;
  result.port = static_cast<uint16_t>(wish.port + first);
  result.port_end
    = count > 1 ? static_cast<uint16_t>(wish.port + last) : uint16_t{0};
  if (wish.host_port == 0)
    return result;
  result.host_port = static_cast<uint16_t>(wish.host_port + first);
  result.host_port_end
    = count > 1 ? static_cast<uint16_t>(wish.host_port + last) : uint16_t{0};
  return result;
}

/// @param x a binding, or a wish for one container port.
template <class Port>
bool wants(const port_spec& wish, const Port& x) {
  return wish.proto == x.proto && wish.port <= x.port
         && x.port <= wish.last_port();
}

/// Does a request mean what will become of this wish, for one container port,
/// at this address of the host?
bool means_wish(const port_spec& request, const port_spec& one,
                const ip_address& at) {
  if (!wants(request, one) || (request.host_ip && *request.host_ip != at))
    return false;
  return request.host_port == 0
         || (request.host_port <= one.host_port
             && one.last_host_port() <= request.last_host_port());
}

} // namespace

bool means(const port_spec& request, const port_binding& binding) {
  if (!wants(request, binding))
    return false;
  // In routed mode the host's side of a wish means nothing but the family.
  if (binding.host_port == 0)
    return !request.host_ip
           || request.host_ip->family() == binding.host_ip.family();
  if (request.host_ip && *request.host_ip != binding.host_ip)
    return false;
  return request.host_port == 0
         || (request.host_port <= binding.host_port
             && binding.host_port <= request.last_host_port());
}

bool explains(const endpoint_spec& endpoint, const port_binding& binding) {
  auto leads_to = [&](const port_spec& wish) {
    return means(wish, binding);
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
  auto sorted = removed;
  sort_bindings(sorted); // By container port first.
  auto is_removed = [&](const port_spec& one) {
    auto x
      = std::ranges::lower_bound(sorted, one.port, {}, &port_binding::port);
    for (; x != sorted.end() && x->port == one.port; ++x)
      if (means(one, *x))
        return true;
    return false;
  };
  auto result = std::vector<port_spec>{};
  for (const auto& wish : wishes) {
    // The runs between what is removed stay.
    const auto count = count_of(wish);
    auto begin = 0;
    for (auto i = 0; i <= count; ++i) {
      if (i < count && !is_removed(part_of(wish, i, 1)))
        continue;
      if (begin < i)
        result.push_back(part_of(wish, begin, i - begin));
      begin = i + 1;
    }
  }
  return result;
}

std::vector<port_spec>
without_wishes(const std::vector<port_spec>& wishes,
               const std::vector<port_spec>& requests,
               const std::vector<ip_address>& everywhere) {
  auto result = std::vector<port_spec>{};
  for (const auto& wish : wishes) {
    const auto all = wish.host_ip ? std::vector{*wish.host_ip} : everywhere;
    auto kept_at = [&](int i) {
      const auto one = part_of(wish, i, 1);
      auto kept = all;
      std::erase_if(kept, [&](const ip_address& at) {
        return std::ranges::any_of(requests, [&](const auto& request) {
          return means_wish(request, one, at);
        });
      });
      return kept;
    };
    // Runs of ports that stay at the same addresses are one wish.
    const auto count = count_of(wish);
    for (auto i = 0; i < count;) {
      const auto kept = kept_at(i);
      const auto begin = i++;
      while (i < count && kept_at(i) == kept)
        ++i;
      auto rest = part_of(wish, begin, i - begin);
      if (kept == all) {
        result.push_back(std::move(rest));
        continue;
      }
      for (const auto& at : kept) {
        rest.host_ip = at;
        result.push_back(rest);
      }
    }
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
