#include "troupe/drivers/bridge/neighbours.hpp"

#include "troupe/drivers/steps.hpp"
#include "troupe/drivers/tags.hpp"

#include <fmt/format.h>

namespace troupe::drivers {

namespace {

using netns::kernel;
using netns::link_info;

using wrong_list = std::vector<wrong_neighbour>;

result<void> look_at(kernel& k, int index, const ip_address& address,
                     const mac_address& wanted, wrong_list& out) {
  auto entry = k.neighbour(index, address);
  if (!entry)
    return is_missing(entry.error()) ? result<void>{}
                                     : fail(std::move(entry.error()));
  if (entry->mac != wanted)
    out.push_back({*entry, wanted});
  return {};
}

} // namespace

std::string describe_wrong(const wrong_neighbour& x) {
  return fmt::format("neighbour entry {} is {}, not {}",
                     to_string(x.entry.address), to_string(x.entry.mac),
                     to_string(x.wanted));
}

result<std::optional<link_info>>
find_master(kernel& host, const wanted_endpoint& wanted) {
  auto index = host.link_index(wanted.bridge);
  if (!index) {
    if (!is_missing(index.error()))
      return fail(std::move(index.error()));
    return std::optional<link_info>{};
  }
  auto link = host.link(*index);
  if (!link)
    return fail(std::move(link.error()));
  return std::optional{std::move(*link)};
}

result<wrong_list>
wrong_neighbours(kernel& host, const instance& owner,
                 const wanted_endpoint& wanted, const link_info& bridge) {
  auto result = wrong_list{};
  if (!belongs_to(owner, bridge, wanted.network))
    return result;
  for (const auto& x : wanted.paths.addresses)
    if (auto done = look_at(host, bridge.index, x.address, wanted.mac, result);
        !done)
      return fail(std::move(done.error()));
  return result;
}

result<wrong_list>
wrong_gateways(kernel& inside, int index, const wanted_endpoint& wanted,
               const link_info& bridge) {
  auto result = wrong_list{};
  for (const auto& x : wanted.gateways)
    if (auto done = look_at(inside, index, x, bridge.mac, result); !done)
      return fail(std::move(done.error()));
  return result;
}

result<void> forget_neighbours(kernel& k, const wrong_list& wrong) {
  for (const auto& x : wrong)
    if (auto done = k.del_neighbour(x.entry);
        !done && !is_missing(done.error()))
      return done;
  return {};
}

} // namespace troupe::drivers
