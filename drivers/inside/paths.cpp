#include "troupe/drivers/inside/paths.hpp"

#include "troupe/config/model/gateway.hpp"
#include "troupe/drivers/address_routes.hpp"
#include "troupe/drivers/steps.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <iterator>
#include <set>

namespace troupe::drivers {

using netns::kernel;
using netns::local_table;
using netns::made_by_troupe;
using netns::main_table;
using netns::route_info;
using netns::route_type;
using netns::rule_info;
using netns::undo_stack;

namespace {

// In the order in which they are asked, before the main table's 32766.
enum priority : uint32_t {
  // To the subnet of an endpoint: only directly, or by the sender's own table.
  skip_main = 11600,
  // From an endpoint's address: static routes that somebody added.
  statics = 11601,
  // From an endpoint's address: its own table.
  own = 11602,
  // Everything else: neighbours first, then by the port.
  neighbours = 11603,
  by_port = 11604,
  // Sockets that are bound to an interface without the default route.
  bound = 40000,
};

// Nobody's own number: people and programs choose small ones.
constexpr uint32_t least_table = 0x80000000;

uint8_t bits_of(const ip_address& x) {
  return static_cast<uint8_t>(x.bits());
}

rule_info make_rule(ip_family family, uint32_t priority, uint32_t table) {
  auto x = rule_info{};
  x.family = family;
  x.priority = priority;
  x.table = table;
  return x;
}

void append_rules(const wanted_paths& wanted, const interface_address& x,
                  std::vector<rule_info>& out) {
  auto family = x.address.family();
  auto from = prefix{x.address, bits_of(x.address)};
  auto skip = make_rule(family, skip_main, 0);
  skip.to = x.subnet();
  skip.jump = own;
  auto first = make_rule(family, statics, main_table);
  first.from = from;
  first.no_default = true;
  auto second = make_rule(family, own, wanted.table);
  second.from = from;
  auto last = make_rule(family, bound, wanted.table);
  last.output = wanted.interface;
  // That of its own table tells that there is more: it comes first.
  for (auto& rule : {second, skip, first, last})
    if (std::ranges::find(out, rule) == out.end())
      out.push_back(rule);
}

// A UDP server that is bound to no address sends its answers from none, and
// the kernel chooses by the route: the port tells which endpoint it is.
void append_port_rules(const wanted_paths& wanted, ip_family family,
                       std::vector<rule_info>& out) {
  if (wanted.udp_ports.empty())
    return;
  auto near = make_rule(family, neighbours, main_table);
  near.no_default = true;
  out.push_back(near);
  for (const auto& port : wanted.udp_ports) {
    auto rule = make_rule(family, by_port, wanted.table);
    rule.proto = protocol::udp;
    rule.first_port = port.port;
    rule.last_port = port.last_port();
    if (std::ranges::find(out, rule) == out.end())
      out.push_back(rule);
  }
}

bool has_family(const wanted_paths& wanted, ip_family family) {
  return std::ranges::any_of(wanted.addresses, [&](const auto& x) {
    return x.address.family() == family;
  });
}

// Those of its own table.
std::vector<route_info> table_routes_of(const wanted_paths& wanted, int index) {
  auto result = std::vector<route_info>{};
  for (const auto& x : wanted.addresses) {
    auto route = route_info{};
    route.family = x.address.family();
    route.destination = x.subnet();
    route.index = index;
    route.table = wanted.table;
    route.protocol = made_by_troupe;
    if (std::ranges::find(result, route) == result.end())
      result.push_back(std::move(route));
  }
  for (const auto& gateway : wanted.gateways) {
    auto route = default_route_to(gateway, index);
    route.table = wanted.table;
    result.push_back(std::move(route));
  }
  return result;
}

// All that the kernel makes routes for.
std::vector<interface_address> placed_addresses(const wanted_paths& wanted) {
  auto result = wanted.addresses;
  if (wanted.link_local)
    result.push_back(*wanted.link_local);
  return result;
}

std::string describe(const route_info& x) {
  auto text = std::string{x.type == route_type::local       ? "local "
                          : x.type == route_type::broadcast ? "broadcast "
                          : x.type == route_type::multicast ? "multicast "
                                                            : ""};
  text += x.destination ? to_string(*x.destination) : "default";
  if (x.gateway)
    text += " via " + to_string(*x.gateway);
  if (x.table != main_table && x.table != local_table)
    text += fmt::format(" in table {}", x.table);
  return text;
}

std::string describe(const rule_info& x) {
  auto text = fmt::format("{}:", x.priority);
  if (x.from)
    text += " from " + to_string(*x.from);
  if (x.to)
    text += " to " + to_string(*x.to);
  if (!x.output.empty())
    text += " oif " + x.output;
  if (x.proto)
    text += fmt::format(" ipproto udp sport {}-{}", x.first_port, x.last_port);
  text += x.jump != 0 ? fmt::format(" goto {}", x.jump)
                      : fmt::format(" lookup {}", x.table);
  return text;
}

// Rules of ours that lead to the endpoint's table and are not wanted.
std::vector<rule_info>
unwanted_rules(std::span<const rule_info> present,
               std::span<const rule_info> wanted, uint32_t table) {
  auto result = std::vector<rule_info>{};
  for (const auto& x : present)
    if (x.made_by == made_by_troupe && x.table == table
        && std::ranges::find(wanted, x) == wanted.end())
      result.push_back(x);
  return result;
}

// To its own table, which leads nowhere but through its interface: what leads
// through another one is left from before.
result<void>
add_table_route(kernel& inside, undo_stack& undo, const route_info& x) {
  auto done = add_route(inside, undo, x);
  if (done || done.error().os_error != EEXIST)
    return done;
  auto links = inside.links();
  if (!links)
    return fail(std::move(links.error()));
  for (const auto& link : *links) {
    auto present = inside.link_routes(link.index);
    if (!present)
      return fail(std::move(present.error()));
    for (const auto& old : *present)
      if (old.table == x.table && old.family == x.family
          && old.destination == x.destination && old.index != x.index)
        if (auto gone = drop_route(inside, undo, old); !gone)
          return gone;
  }
  return add_route(inside, undo, x);
}

result<void> add_rule(kernel& inside, undo_stack& undo, const rule_info& x) {
  auto done = inside.add_rule(x);
  // Another endpoint of the network has it already: it is not ours to undo.
  if (!done && done.error().os_error == EEXIST) {
    auto present = inside.rules();
    auto is_there = present && std::ranges::find(*present, x) != present->end();
    return is_there ? result<void>{} : done;
  }
  undo.push([&inside, x] {
    (void)inside.del_rule(x);
  });
  return done;
}

result<void>
mend_rules(kernel& inside, undo_stack& undo, const wanted_paths& wanted) {
  auto present = inside.rules();
  if (!present)
    return fail(std::move(present.error()));
  const auto all = rules_of(wanted);
  for (const auto& x : unwanted_rules(*present, all, wanted.table)) {
    undo.push([&inside, x] {
      (void)inside.add_rule(x);
    });
    if (auto done = inside.del_rule(x); !done && !is_missing(done.error()))
      return done;
  }
  for (const auto& x : all)
    if (std::ranges::find(*present, x) == present->end())
      if (auto done = add_rule(inside, undo, x); !done)
        return done;
  return {};
}

} // namespace

uint32_t table_of(const endpoint_id& id) {
  auto digits = std::string_view{id.value}.substr(0, 12);
  auto number = uint64_t{0};
  std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
  return static_cast<uint32_t>(number ^ number >> 31) | least_table;
}

wanted_paths want_paths(const endpoint_plan& plan) {
  auto result = wanted_paths{};
  result.table = table_of(plan.endpoint.id);
  result.interface = plan.where.interface;
  result.addresses = plan.endpoint.addresses;
  if (plan.network.internal)
    return result;
  for (const auto& pool : plan.network.pools) {
    const auto* gateway = default_gateway(pool);
    if (gateway == nullptr || !has_family(result, gateway->family()))
      continue;
    result.gateways.push_back(*gateway);
    if (gateway->is_v4() ? plan.where.default_route_v4
                         : plan.where.default_route_v6)
      result.defaults.push_back(*gateway);
  }
  for (const auto& port : plan.endpoint.ports)
    if (port.proto == protocol::udp)
      result.udp_ports.push_back(port);
  if (plan.endpoint.publish_all)
    for (const auto& x : plan.endpoint.exposed)
      if (x.proto == protocol::udp) {
        auto port = port_spec{};
        port.proto = x.proto;
        port.port = x.port;
        result.udp_ports.push_back(std::move(port));
      }
  return result;
}

route_info default_route_to(const ip_address& gateway, int index) {
  auto x = route_info{};
  x.family = gateway.family();
  x.gateway = gateway;
  x.index = index;
  x.metric = default_metric;
  x.protocol = made_by_troupe;
  return x;
}

bool is_our_default(const route_info& x) {
  return !x.destination && x.table == main_table && x.protocol == made_by_troupe
         && x.metric == default_metric;
}

std::vector<rule_info> rules_of(const wanted_paths& wanted) {
  auto result = std::vector<rule_info>{};
  for (const auto& x : wanted.addresses)
    append_rules(wanted, x, result);
  for (auto family : {ip_family::v4, ip_family::v6})
    if (has_family(wanted, family))
      append_port_rules(wanted, family, result);
  return result;
}

std::vector<route_info> routes_of(const wanted_paths& wanted, int index) {
  auto result = address_routes(index, placed_addresses(wanted));
  std::ranges::copy(table_routes_of(wanted, index), std::back_inserter(result));
  for (const auto& gateway : wanted.defaults)
    result.push_back(default_route_to(gateway, index));
  return result;
}

result<void> build_paths(kernel& inside, undo_stack& undo,
                         const wanted_paths& wanted, int index) {
  for (const auto& x : table_routes_of(wanted, index))
    if (auto done = add_table_route(inside, undo, x); !done)
      return done;
  for (const auto& x : rules_of(wanted))
    if (auto done = add_rule(inside, undo, x); !done)
      return done;
  for (const auto& gateway : wanted.defaults)
    if (auto done = change_default_route(inside, undo, index, gateway); !done)
      return done;
  return {};
}

result<void> mend_paths(kernel& inside, undo_stack& undo,
                        const wanted_paths& wanted, int index) {
  auto done = restore_routes(inside, undo, index, placed_addresses(wanted));
  if (!done)
    return done;
  auto present = inside.link_routes(index);
  if (!present)
    return fail(std::move(present.error()));
  for (const auto& x : table_routes_of(wanted, index))
    if (!has_route(*present, x))
      if (done = add_table_route(inside, undo, x); !done)
        return done;
  if (done = mend_rules(inside, undo, wanted); !done)
    return done;
  for (const auto& gateway : wanted.defaults)
    if (done = change_default_route(inside, undo, index, gateway); !done)
      return done;
  return {};
}

std::vector<std::string> compare_paths(const present_paths& present,
                                       const wanted_paths& wanted, int index) {
  auto result = std::vector<std::string>{};
  const auto lacks_link_local
    = wanted.link_local && !is_present(present.routes, *wanted.link_local);
  if (lacks_link_local)
    result.push_back("address " + to_string(*wanted.link_local)
                     + " is missing");
  // Its routes are missing with it.
  auto is_told = [&](const route_info& x) {
    return lacks_link_local && x.destination
           && x.destination->address().is_link_local();
  };
  for (const auto& x : routes_of(wanted, index))
    if (!has_route(present.routes, x) && !is_told(x))
      result.push_back("route " + describe(x) + " is missing");
  const auto all = rules_of(wanted);
  for (const auto& x : all)
    if (std::ranges::find(present.rules, x) == present.rules.end())
      result.push_back("rule " + describe(x) + " is missing");
  for (const auto& x : unwanted_rules(present.rules, all, wanted.table))
    result.push_back("rule " + describe(x) + " is too much");
  return result;
}

result<present_paths> read_paths(kernel& inside, int index) {
  auto routes = inside.link_routes(index);
  if (!routes)
    return fail(std::move(routes.error()));
  auto rules = inside.rules();
  if (!rules)
    return fail(std::move(rules.error()));
  return present_paths{std::move(*routes), std::move(*rules)};
}

result<void> remove_paths(kernel& inside, const wanted_paths& wanted) {
  auto present = inside.rules();
  if (!present)
    return fail(std::move(present.error()));
  auto is_mine = [&](const rule_info& x) {
    return x.made_by == made_by_troupe && x.table == wanted.table;
  };
  // Without rules to its table it left before; what looks like its other
  // rules is of one that has its address now.
  if (std::ranges::none_of(*present, is_mine))
    return {};
  const auto all = rules_of(wanted);
  auto first = result<void>{};
  auto remove = [&](const rule_info& x) {
    auto done = inside.del_rule(x);
    // One that is gone already must really be: nobody would look again.
    if (!done && is_missing(done.error())) {
      auto now = inside.rules();
      if (now && std::ranges::find(*now, x) == now->end())
        return;
    }
    if (!done && first)
      first = std::move(done);
  };
  auto is_anothers = [&](const rule_info& x) {
    return x.made_by == made_by_troupe && x.priority != neighbours
           && !is_mine(x) && std::ranges::find(all, x) == all.end();
  };
  const auto is_last = std::ranges::none_of(*present, is_anothers);
  // Endpoints of one subnet have one rule to it.
  auto is_shared = [&](const rule_info& x) {
    return x.to && std::ranges::any_of(*present, [&](const rule_info& y) {
             return is_anothers(y) && y.from
                    && x.to->contains(y.from->address());
           });
  };
  for (const auto& x : *present)
    if (x.made_by == made_by_troupe && !is_mine(x) && !is_anothers(x)
        && !is_shared(x) && (x.priority != neighbours || is_last))
      remove(x);
  // Those of its table go last: they tell a retry that there is more to do.
  if (first)
    for (const auto& x : *present)
      if (is_mine(x))
        remove(x);
  return first;
}

result<void> remove_stale_paths(kernel& inside) {
  auto rules = inside.rules();
  if (!rules)
    return fail(std::move(rules.error()));
  std::erase_if(*rules, [](const rule_info& x) {
    return x.made_by != made_by_troupe;
  });
  if (rules->empty())
    return {};
  auto addresses = inside.all_addresses();
  if (!addresses)
    return fail(std::move(addresses.error()));
  auto has_one_in = [&](const prefix& subnet) {
    return std::ranges::any_of(*addresses, [&](const auto& x) {
      return subnet.contains(x.address.address);
    });
  };
  auto tables = std::set<uint32_t>{main_table, 0};
  for (const auto& x : *rules)
    if (x.from && has_one_in(*x.from))
      tables.insert(x.table);
  for (const auto& x : *rules) {
    auto is_live = tables.contains(x.table) && (!x.from || has_one_in(*x.from))
                   && (!x.to || has_one_in(*x.to))
                   && (x.priority != neighbours || tables.size() > 2);
    if (is_live)
      continue;
    if (auto done = inside.del_rule(x); !done && !is_missing(done.error()))
      return done;
  }
  return {};
}

} // namespace troupe::drivers
