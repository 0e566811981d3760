#include "troupe/drivers/inside/overlaps.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace troupe::drivers {

using netns::kernel;
using netns::rule_info;

namespace {

bool overlaps(const wanted_paths& wanted, const interface_address& other) {
  auto theirs = other.subnet();
  return std::ranges::any_of(wanted.addresses, [&](const auto& x) {
    auto ours = x.subnet();
    return ours.contains(theirs.address()) || theirs.contains(ours.address());
  });
}

// The addresses of endpoints, as their rules tell them.
std::set<ip_address> endpoint_addresses(std::span<const rule_info> rules) {
  auto result = std::set<ip_address>{};
  for (const auto& x : rules)
    if (x.made_by == netns::made_by_troupe && x.from)
      result.insert(x.from->address());
  return result;
}

} // namespace

std::vector<std::string>
find_overlaps(std::span<const named_address> all,
              std::span<const rule_info> rules, const wanted_paths& wanted) {
  auto result = std::vector<std::string>{};
  const auto endpoints = endpoint_addresses(rules);
  for (const auto& x : all)
    if (x.interface != wanted.interface && overlaps(wanted, x.address)
        && !endpoints.contains(x.address.address))
      result.push_back(fmt::format("interface {} of the sandbox has {}",
                                   x.interface, to_string(x.address)));
  return result;
}

result<std::vector<std::string>>
read_overlaps(kernel& inside, const wanted_paths& wanted) {
  auto all = inside.all_addresses();
  if (!all)
    return fail(std::move(all.error()));
  auto suspects = std::vector<named_address>{};
  for (const auto& x : *all)
    if (overlaps(wanted, x.address))
      if (auto link = inside.link(x.index))
        suspects.push_back({link->name, x.address});
  if (suspects.empty())
    return std::vector<std::string>{};
  auto rules = inside.rules();
  if (!rules)
    return fail(std::move(rules.error()));
  return find_overlaps(suspects, *rules, wanted);
}

} // namespace troupe::drivers
