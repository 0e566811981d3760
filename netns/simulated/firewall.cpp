#include "troupe/netns/firewall/connections.hpp"
#include "troupe/netns/firewall/parts.hpp"
#include "troupe/netns/firewall/ruleset.hpp"
#include "troupe/netns/simulated/model.hpp"

#include <algorithm>
#include <cerrno>

namespace troupe::netns::simulation {

namespace {

tl::unexpected<error>
no_table(std::string_view operation, const std::string& table) {
  return fail(os_failure(ENOENT, about(operation, table)));
}

// One step of a transaction on a copy.
result<void> apply(firewall_tables& tables, const firewall::element_change& x) {
  auto key = firewall_tables::key{x.what.set, x.what.key};
  if (x.add) {
    if (!tables.elements.emplace(std::move(key), x.what.data).second)
      return fail(os_failure(EEXIST, describe(x)));
  } else if (tables.elements.erase(key) == 0) {
    return fail(os_failure(ENOENT, describe(x)));
  }
  return {};
}

} // namespace

result<void> model::load_firewall(space& ns, const firewall::settings& rules,
                                  std::span<const firewall::element> elements) {
  if (auto done = firewall::check_elements(elements); !done)
    return done;
  auto text = firewall::render(rules, {}, {}, {});
  if (!text)
    return fail(std::move(text.error()));
  auto tables
    = firewall_tables{rules.mark,
                      {},
                      true,
                      std::make_shared<const std::string>(std::move(*text))};
  for (const auto& x : elements)
    tables.elements.emplace(std::pair{x.set, x.key}, x.data);
  ns.firewalls[rules.table] = std::move(tables);
  ns.user_chain = true;
  return {};
}

result<void>
model::change_elements(space& ns, const std::string& table,
                       std::span<const firewall::element_change> changes) {
  if (auto done = firewall::check_changes(changes); !done)
    return done;
  if (changes.empty())
    return {};
  auto found = ns.firewalls.find(table);
  if (found == ns.firewalls.end())
    return no_table("change elements of", table);
  // Steps that were done are taken back, which is cheaper than a copy.
  auto& tables = found->second;
  auto undone = std::vector<firewall::element_change>{};
  for (const auto& x : changes) {
    auto before = tables.elements.find({x.what.set, x.what.key});
    auto inverse = x;
    inverse.add = !x.add;
    if (before != tables.elements.end())
      inverse.what.data = before->second;
    if (auto done = apply(tables, x); !done) {
      for (auto i = undone.rbegin(); i != undone.rend(); ++i)
        static_cast<void>(apply(tables, *i));
      return done;
    }
    undone.push_back(std::move(inverse));
  }
  return {};
}

result<std::vector<firewall::element>>
model::list_elements(const space& ns, const std::string& table) const {
  auto found = ns.firewalls.find(table);
  if (found == ns.firewalls.end())
    return no_table("list elements of", table);
  auto result = std::vector<firewall::element>{};
  for (const auto& [key, data] : found->second.elements)
    result.push_back({key.first, key.second, data});
  return result;
}

result<void>
model::flush_conntrack(space& ns, std::span<const conntrack_filter> filters) {
  for (const auto& x : filters)
    if (auto done = firewall::check_filter(x); !done)
      return done;
  std::erase_if(ns.connections, [&](const connection_info& x) {
    return std::ranges::any_of(filters, [&](const auto& filter) {
      return matches(filter, x);
    });
  });
  return {};
}

} // namespace troupe::netns::simulation
