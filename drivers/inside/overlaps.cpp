#include "troupe/drivers/inside/overlaps.hpp"

#include "troupe/drivers/steps.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace troupe::drivers {

using netns::kernel;
using netns::rule_info;

namespace {

bool touches(const wanted_paths& wanted, const interface_address& other) {
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
    if (x.interface != wanted.interface && touches(wanted, x.address)
        && !endpoints.contains(x.address.address))
      result.push_back(fmt::format("interface {} of the sandbox has {}",
                                   x.interface, to_string(x.address)));
  return result;
}

result<subnet_overlaps>
read_overlaps(kernel& inside, const wanted_paths& wanted) {
  auto all = inside.all_addresses();
  if (!all)
    return fail(std::move(all.error()));
  auto suspects = std::vector<named_address>{};
  for (const auto& x : *all) {
    if (!touches(wanted, x.address))
      continue;
    auto link = inside.link(x.index);
    if (link)
      suspects.push_back({link->name, x.address});
    else if (!is_missing(link.error()))
      return fail(std::move(link.error()));
  }
  if (suspects.empty())
    return subnet_overlaps{};
  auto rules = inside.rules();
  if (!rules)
    return fail(std::move(rules.error()));
  auto result = subnet_overlaps{find_overlaps(suspects, *rules, wanted), false};
  const auto endpoints = endpoint_addresses(*rules);
  result.renamed = std::ranges::any_of(suspects, [&](const auto& x) {
    return x.interface != wanted.interface
           && std::ranges::find(wanted.addresses, x.address)
                != wanted.addresses.end()
           && endpoints.contains(x.address.address);
  });
  return result;
}

} // namespace troupe::drivers
