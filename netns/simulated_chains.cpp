#include "troupe/netns/simulated_chains.hpp"

#include <algorithm>

namespace troupe::netns::simulation {

namespace fw = firewall;
using fw::set_id;

/// Data of the element with this key, in any of the tables.
std::optional<std::vector<uint8_t>>
rules::find(set_id set, values key, values data) const {
  auto wanted = fw::make_element(set, key, data);
  if (!wanted)
    return std::nullopt;
  for (const auto& [name, elements] : ns_.firewalls)
    for (const auto& x : elements)
      if (x.set == set && x.key == wanted->key)
        return x.data;
  return std::nullopt;
}

bool rules::contains(set_id set, values key) const {
  return find(set, key).has_value();
}

std::optional<fw::verdict> rules::verdict_of(set_id set, values key) const {
  auto data = find(set, key, {fw::verdict::accept});
  if (!data || data->empty())
    return std::nullopt;
  return static_cast<fw::verdict>((*data)[0]);
}

std::optional<std::pair<ip_address, uint16_t>>
rules::published(const travel& x) const {
  if (x.to.is_loopback() || (x.to.is_v6() && x.source.is_link_local()))
    return std::nullopt;
  auto v4 = x.to.is_v4();
  auto target = std::pair<ip_address, uint16_t>{x.to, x.port};
  auto data = find(v4 ? set_id::publish4_addr : set_id::publish6_addr,
                   {x.to, x.proto, x.port}, {target.first, target.second});
  if (!data)
    data = find(v4 ? set_id::publish4_any : set_id::publish6_any,
                {x.proto, x.port}, {target.first, target.second});
  if (!data)
    return std::nullopt;
  auto size = v4 ? size_t{4} : size_t{16};
  auto bytes = std::span<const uint8_t>{*data};
  return std::pair{ip_address::from_bytes(x.family(), bytes.data()),
                   static_cast<uint16_t>(bytes[size] << 8U | bytes[size + 1])};
}

bool rules::forwards(const travel& x, std::string_view in,
                     std::string_view out) const {
  if (x.known)
    return true;
  if (auto how = verdict_of(set_id::within, {in, out}))
    return passes(*how, x);
  if (auto how = verdict_of(set_id::leave, {x.family(), in});
      how && !passes(*how, x))
    return false;
  if (contains(set_id::allowed, {in, out}))
    return true;
  auto how = verdict_of(set_id::enter, {x.family(), out});
  return !how || passes(*how, x);
}

bool rules::masquerades(const travel& x, std::string_view in,
                        std::string_view out) const {
  auto v4 = x.to.is_v4();
  if (x.translated
      && (contains(set_id::hairpin, {in, out})
          || contains(v4 ? set_id::self4 : set_id::self6, {x.source, x.to})))
    return true;
  return !contains(set_id::networks, {out})
         && contains(set_id::masquerade_from, {x.family(), in});
}

bool rules::guards(const simulated_link& port, const mac_address& mac,
                   const ip_address& source) const {
  auto name = std::string_view{port.info.name};
  if (contains(set_id::unguarded, {name}))
    return true;
  return contains(set_id::guard_mac, {name, mac})
         && contains(source.is_v4() ? set_id::guard_ip4 : set_id::guard_ip6,
                     {name, source});
}

bool rules::passes(fw::verdict how, const travel& x) const {
  switch (how) {
  case fw::verdict::accept:
  case fw::verdict::in_open:
    return true;
  case fw::verdict::in_nat:
    return x.translated;
  case fw::verdict::in_routed:
    return x.translated
           || contains(x.to.is_v4() ? set_id::open4 : set_id::open6,
                       {x.to, x.proto, x.port});
  default:
    return false;
  }
}

} // namespace troupe::netns::simulation
