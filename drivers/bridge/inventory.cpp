#include "troupe/drivers/bridge/inventory.hpp"

#include "troupe/drivers/bridge/host_bridge.hpp"
#include "troupe/drivers/bridge/host_end.hpp"
#include "troupe/drivers/bridge/loopback.hpp"
#include "troupe/drivers/bridge/marks.hpp"
#include "troupe/drivers/bridge/names.hpp"
#include "troupe/drivers/inside/paths.hpp"
#include "troupe/drivers/steps.hpp"
#include "troupe/drivers/tags.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace troupe::drivers {

namespace {

using kind = found_object::kind;

constexpr size_t brief_length = 12;

// From here on one dump of all links is cheaper than asking for each.
constexpr size_t many = 16;

void keep_first(result<void>& first, result<void> done) {
  if (first && !done)
    first = std::move(done);
}

found_object
describe(const netns::link_info& link, kind what, std::string_view id) {
  return {what, std::string{id.substr(0, brief_length)}, link.index, link.name};
}

// Two pairs carry the same id when somebody renamed both ends of one and it
// was built again: the one under its generated name is the endpoint.
void doom_duplicates(std::vector<found_object>& found) {
  auto is_endpoint = [](const found_object& x) {
    return x.what == kind::endpoint;
  };
  auto is_proper = [](const found_object& x) {
    return x.name == std::string{host_end_lead} + x.brief_id;
  };
  auto proper = std::set<std::string>{};
  for (const auto& x : found)
    if (is_endpoint(x) && is_proper(x))
      proper.insert(x.brief_id);
  for (auto& x : found) {
    if (!is_endpoint(x) || is_proper(x) || !proper.contains(x.brief_id))
      continue;
    x.what = kind::doomed;
    x.brief_id.clear();
  }
}

// The links of the plans' endpoints, all that can be found by name or, where
// the sandbox is still there, by alias.
class host_ends {
public:
  host_ends(netns::kernel& kernel, const instance& owner)
    : kernel_(kernel), owner_(owner) {
  }

  result<void> add(const endpoint_plan& plan) {
    const auto& id = plan.endpoint.id;
    auto index = kernel_.link_index(host_end_name(id));
    if (!index && !is_missing(index.error()))
      return fail(std::move(index.error()));
    if (!index)
      return add_renamed(plan);
    auto link = kernel_.link(*index);
    if (!link)
      return is_missing(link.error()) ? result<void>{}
                                      : fail(std::move(link.error()));
    if (is_host_end_of(owner_, *link, id.value))
      indices_.push_back(*index);
    return {};
  }

  result<void> add_all(std::span<const endpoint_plan> plans) {
    auto ids = std::set<std::string>{};
    auto names = std::map<std::string, std::string>{};
    for (const auto& plan : plans) {
      ids.insert(plan.endpoint.id.value);
      names.emplace(host_end_name(plan.endpoint.id), plan.endpoint.id.value);
    }
    auto links = kernel_.links();
    if (!links)
      return fail(std::move(links.error()));
    for (const auto& link : *links) {
      auto named = names.find(link.name);
      auto is_named
        = named != names.end() && is_host_end_of(owner_, link, named->second);
      auto is_tagged
        = link.kind == "veth" && ids.contains(tagged_id(owner_, link.alias));
      if (is_named || is_tagged)
        indices_.push_back(link.index);
    }
    return {};
  }

  const std::vector<int>& indices() const {
    return indices_;
  }

private:
  // Renamed, or gone together with its namespace: the usual case, which must
  // not cost a dump of all links.
  result<void> add_renamed(const endpoint_plan& plan) {
    if (plan.where.ns.path.empty())
      return {};
    auto inside = kernel_.enter(plan.where.ns);
    if (!inside)
      return is_missing(inside.error()) ? result<void>{}
                                        : fail(std::move(inside.error()));
    return add_all({&plan, 1});
  }

  netns::kernel& kernel_;
  const instance& owner_;
  std::vector<int> indices_;
};

// The peer is still there when its host end was moved elsewhere. That it is the
// endpoint's and not that of one that came later is told by its routes.
result<void> remove_orphan(netns::kernel& inside, const wanted_paths& paths) {
  auto index = inside.link_index(paths.interface);
  if (!index)
    return is_missing(index.error()) ? result<void>{}
                                     : fail(std::move(index.error()));
  auto routes = inside.link_routes(*index);
  if (!routes)
    return fail(std::move(routes.error()));
  if (std::ranges::find(*routes, paths.table, &netns::route_info::table)
      == routes->end())
    return {};
  auto done = inside.del_link(*index);
  return !done && is_missing(done.error()) ? result<void>{} : done;
}

// What an endpoint leaves in a sandbox that stays.
result<void> tidy_sandbox(netns::kernel& kernel, const instance& owner,
                          const endpoint_plan& plan) {
  if (plan.where.ns.path.empty())
    return {};
  const auto name = host_end_name(plan.endpoint.id);
  if (auto index = kernel.link_index(name)) {
    auto link = kernel.link(*index);
    // What is still there is another daemon's, whatever the kernel said.
    if (link && is_host_end_of(owner, *link, plan.endpoint.id.value))
      return fail(ec::unavailable,
                  fmt::format("delete link {}: it is still there", name));
    return {};
  }
  auto inside = kernel.enter(plan.where.ns);
  if (!inside)
    return is_missing(inside.error()) ? result<void>{}
                                      : fail(std::move(inside.error()));
  const auto paths = want_paths(plan);
  auto first = remove_orphan(**inside, paths);
  keep_first(first, remove_paths(**inside, paths));
  if (plan.network.enable_ipv6)
    keep_first(first, close_loopback(**inside));
  return first;
}

// Whose the removed links were is not known: the rules tell.
result<void> tidy_all_sandboxes(netns::kernel& kernel) {
  auto pins = kernel.namespaces();
  if (!pins)
    return fail(std::move(pins.error()));
  auto first = result<void>{};
  for (const auto& [name, ns] : *pins) {
    auto inside = kernel.enter(ns);
    if (inside)
      keep_first(first, remove_stale_paths(**inside));
    else if (!is_missing(inside.error()))
      keep_first(first, fail(std::move(inside.error())));
  }
  return first;
}

result<void> remove_found_bridge(netns::kernel& kernel, const instance& owner,
                                 const netns::link_info& link) {
  if (parse_mark(owner, link.alias))
    return release_host_bridge(kernel, owner, link);
  auto done = kernel.del_link(link.index);
  return !done && is_missing(done.error()) ? result<void>{} : done;
}

} // namespace

std::optional<found_object>
classify(const instance& owner, const netns::link_info& link) {
  auto is_bridge = link.kind == "bridge";
  if (!is_bridge && link.kind != "veth")
    return std::nullopt;
  if (link.group == owner.trash_group())
    return describe(link, kind::doomed, {});
  auto what = is_bridge ? kind::network : kind::endpoint;
  if (auto id = tagged_id(owner, link.alias); !id.empty()) {
    auto is_spare = !brief_id_in(link.name, spare_lead).empty();
    return is_spare ? describe(link, kind::doomed, {})
                    : describe(link, what, id);
  }
  if (auto mark = parse_mark(owner, link.alias); mark && is_bridge)
    return describe(link, what, mark->network);
  if (link.group != owner.link_group())
    return std::nullopt;
  // A crash came before the alias; the name tells whose it is, unless the
  // user chose it.
  auto id = brief_id_in(link.name, is_bridge ? bridge_lead : host_end_lead);
  return describe(link, id.empty() ? kind::doomed : what, id);
}

result<std::vector<found_object>>
list_bridge_objects(netns::kernel& kernel, const instance& owner) {
  auto links = kernel.links();
  if (!links)
    return fail(std::move(links.error()));
  auto result = std::vector<found_object>{};
  for (const auto& link : *links)
    if (auto found = classify(owner, link))
      result.push_back(std::move(*found));
  doom_duplicates(result);
  return result;
}

result<void> remove_bridge_objects(netns::kernel& kernel, const instance& owner,
                                   std::span<const found_object> objects) {
  auto first = result<void>{};
  auto pairs = std::vector<int>{};
  for (const auto& x : objects) {
    auto link = kernel.link(x.index);
    if (!link) {
      if (!is_missing(link.error()))
        keep_first(first, fail(std::move(link.error())));
      continue;
    }
    if (link->name != x.name || !classify(owner, *link))
      continue;
    if (link->kind == "veth")
      pairs.push_back(x.index);
    else
      keep_first(first, remove_found_bridge(kernel, owner, *link));
  }
  keep_first(first, delete_links(kernel, owner, pairs));
  // Also for those that a first try removed.
  keep_first(first, tidy_all_sandboxes(kernel));
  return first;
}

result<void>
remove_bridge_endpoints(netns::kernel& kernel, const instance& owner,
                        std::span<const endpoint_plan> plans) {
  auto first = result<void>{};
  auto found = host_ends{kernel, owner};
  if (plans.size() < many)
    for (const auto& plan : plans)
      keep_first(first, found.add(plan));
  else
    keep_first(first, found.add_all(plans));
  keep_first(first, delete_links(kernel, owner, found.indices()));
  for (const auto& plan : plans)
    keep_first(first, tidy_sandbox(kernel, owner, plan));
  return first;
}

} // namespace troupe::drivers
