#include "troupe/tests/system/model/steps.hpp"

#include <algorithm>
#include <random>

namespace troupe::test::reach {

namespace {

using kind = step::kind;

constexpr const char* hand_names[] = {
  "delete the bridge's route", "flush the bridge's addresses",
  "set a host end down",       "rename a host end",
  "move a host end away",      "delete a host end",
  "set the bridge down",       "delete the bridge",
  "flush the routes inside",   "set an interface inside down",
  "set a wrong neighbour",     "unmount a pin",
  "flush the ruleset",         "kill the proxy",
  "switch forwarding off",     "switch the bridge's forwarding off",
  "drop what is forwarded",    "kill the proxy and take its port",
};
static_assert(std::size(hand_names) == hand_count);

constexpr const char* mode_names[]
  = {"nat", "nat-unprotected", "routed", "internal"};

std::string name_of(int sandbox) {
  return "s" + std::to_string(sandbox);
}

std::string text_of(const port& x) {
  constexpr const char* at[] = {"", "uplink:", "127.0.0.1:"};
  return at[static_cast<int>(x.at)] + std::to_string(x.host) + ":"
         + std::to_string(x.inside) + (x.tcp ? "/tcp" : "/udp");
}

std::string text_of(const network& x) {
  return std::string{mode_names[static_cast<int>(x.how)]}
         + (x.icc ? "" : " icc=false") + (x.v6 ? " IPv6" : "");
}

class dice {
public:
  explicit dice(unsigned long seed)
    : random_{static_cast<std::mt19937::result_type>(seed)} {
  }
  int below(int most) {
    return static_cast<int>(random_() % static_cast<unsigned>(most));
  }
  bool one_in(int n) {
    return below(n) == 0;
  }

  network any_network() {
    constexpr mode modes[] = {mode::nat,         mode::nat,    mode::nat,
                              mode::unprotected, mode::routed, mode::internal};
    return {modes[below(6)], !one_in(4), !one_in(3)};
  }

  port any_port() {
    auto result = port{};
    result.host = static_cast<uint16_t>(8080 + below(2));
    result.inside = static_cast<uint16_t>(80 + (one_in(4) ? 1 : 0));
    result.tcp = one_in(2);
    result.at
      = one_in(4) ? static_cast<host_side>(1 + below(2)) : host_side::any;
    return result;
  }

  step any_step(const std::vector<hand>& foreign) {
    constexpr kind kinds[] = {kind::attach,          kind::attach,
                              kind::attach,          kind::publish,
                              kind::publish,         kind::publish,
                              kind::unpublish,       kind::unpublish,
                              kind::detach,          kind::replace_sandbox,
                              kind::replace_network, kind::restart,
                              kind::new_clients,     kind::kill,
                              kind::foreign,         kind::foreign,
                              kind::foreign};
    auto result = step{};
    result.what = kinds[below(std::size(kinds))];
    result.sandbox = below(sandbox_count);
    result.network = below(network_count);
    result.address = 10 + below(3);
    result.priority = 1 + below(1000);
    result.port = any_port();
    result.as = any_network();
    result.hit = one_in(3) ? static_cast<blow>(1 + below(3)) : blow::none;
    result.call = below(static_cast<int>(crash_calls().size()));
    result.wait_us = below(15'000);
    result.v6 = one_in(2);
    if (result.what == kind::foreign && foreign.empty())
      result.what = kind::attach;
    else if (result.what == kind::foreign)
      result.by
        = foreign[static_cast<size_t>(below(static_cast<int>(foreign.size())))];
    return result;
  }

private:
  std::mt19937 random_;
};

bool attach(state& now, const step& x) {
  if (now.find(x.sandbox, x.network) != nullptr)
    return false;
  for (const auto& [where, who] : now.endpoints)
    if ((where.second == x.network && who.address == x.address)
        || (where.first == x.sandbox && who.priority == x.priority))
      return false;
  now.endpoints[{x.sandbox, x.network}]
    = {x.address, x.priority, ++now.last_serial, {}};
  return true;
}

bool publish(state& now, const step& x) {
  auto* who = now.find(x.sandbox, x.network);
  const auto& n = now.networks[static_cast<size_t>(x.network)];
  if (who == nullptr || n.how == mode::internal
      || now.is_taken(x.port.host, x.port.tcp))
    return false;
  // A routed network has no host ports to tell two publications apart by.
  for (const auto& p : who->ports)
    if (p.inside == x.port.inside && p.tcp == x.port.tcp)
      return false;
  who->ports.push_back(x.port);
  who->ports.back().serial = ++now.last_serial;
  return true;
}

bool unpublish(state& now, const step& x) {
  auto* who = now.find(x.sandbox, x.network);
  return who != nullptr && std::erase_if(who->ports, [&](const port& p) {
                             return p.is_same(x.port);
                           }) > 0;
}

bool needs_endpoint(hand x) {
  return x != hand::rules_flushed && x != hand::proxy_killed
         && x != hand::forwarding_off && x != hand::foreign_drop
         && x != hand::port_taken && x != hand::pin_unmounted;
}

} // namespace

bool is_only_told(hand x) {
  return x >= hand::forwarding_off;
}

std::string step::text() const {
  auto s = name_of(sandbox);
  auto n = "n" + std::to_string(network);
  auto result = std::string{};
  switch (what) {
  case kind::attach:
    result = "attach " + n + " " + s + " at ." + std::to_string(address)
             + " --priority " + std::to_string(priority);
    break;
  case kind::detach:
    result = "detach " + n + " " + s;
    break;
  case kind::publish:
    result = "publish " + n + "/" + s + " " + text_of(port);
    break;
  case kind::unpublish:
    result = "unpublish " + n + "/" + s + " " + text_of(port);
    break;
  case kind::replace_sandbox:
    result = "sandbox rm " + s + ", create it again";
    break;
  case kind::replace_network:
    result = "network rm " + n + ", create it as " + text_of(as);
    break;
  case kind::new_clients:
    return "all clients come anew, from other ports";
  case kind::restart:
    return "restart";
  case kind::kill:
    return "kill -9";
  case kind::foreign:
    return std::string{"somebody: "} + hand_names[static_cast<int>(by)] + " ("
           + n + ", " + s + (v6 ? ", IPv6)" : ")");
  }
  const auto& at = crash_calls()[static_cast<size_t>(call)];
  if (hit == blow::crash_before)
    result += "; dies before " + at;
  if (hit == blow::crash_after)
    result += "; dies after " + at;
  if (hit == blow::kill)
    result += "; kill -9 after " + std::to_string(wait_us) + " us";
  return result;
}

bool apply(state& now, const step& what) {
  switch (what.what) {
  case kind::attach:
    return attach(now, what);
  case kind::detach:
    return now.endpoints.erase({what.sandbox, what.network}) > 0;
  case kind::publish:
    return publish(now, what);
  case kind::unpublish:
    return unpublish(now, what);
  case kind::replace_sandbox:
    std::erase_if(now.endpoints, [&](const auto& x) {
      return x.first.first == what.sandbox;
    });
    return true;
  case kind::replace_network:
    if (now.is_used(what.network))
      return false;
    now.networks[static_cast<size_t>(what.network)] = what.as;
    return true;
  case kind::foreign:
    return !needs_endpoint(what.by)
           || now.find(what.sandbox, what.network) != nullptr;
  case kind::new_clients:
  case kind::restart:
  case kind::kill:
    return true;
  }
  return false;
}

state plan::start() const {
  auto result = state{};
  result.networks = networks;
  return result;
}

std::string plan::text() const {
  auto result = "seed " + std::to_string(seed) + "\n";
  for (const auto& x : networks)
    result += "  network n" + std::to_string(&x - networks.data()) + ": "
              + text_of(x) + "\n";
  for (const auto& x : steps)
    result += "  " + x.text() + "\n";
  return result;
}

plan make_plan(unsigned long seed, int steps, const scope& what) {
  auto random = dice{seed};
  auto result = plan{};
  result.seed = seed;
  for (auto& x : result.networks) {
    x = random.any_network();
    x.v6 = x.v6 && what.v6;
  }
  auto now = result.start();
  while (static_cast<int>(result.steps.size()) < steps) {
    auto next = random.any_step(what.hands);
    next.as.v6 = next.as.v6 && what.v6;
    next.renew = next.what == kind::publish && !what.old_flows;
    if (next.what == kind::attach && !what.many_networks
        && now.is_attached(next.sandbox))
      continue;
    // One of the ports that are there, or none is ever taken back.
    if (const auto* who = now.find(next.sandbox, next.network);
        next.what == kind::unpublish && who != nullptr && !who->ports.empty())
      next.port = who->ports[0];
    if (apply(now, next))
      result.steps.push_back(next);
  }
  return result;
}

const std::vector<std::string>& crash_calls() {
  static const auto names = std::vector<std::string>{"create_namespace",
                                                     "remove_namespace",
                                                     "enter",
                                                     "add_bridge",
                                                     "add_veth",
                                                     "del_link",
                                                     "del_group",
                                                     "set_link",
                                                     "set_port_flags",
                                                     "link",
                                                     "add_address",
                                                     "add_route",
                                                     "del_route",
                                                     "set_neighbour",
                                                     "set_sysctl",
                                                     "change_elements",
                                                     "flush_conntrack",
                                                     "flush_conntrack",
                                                     "links",
                                                     "routes"};
  return names;
}

} // namespace troupe::test::reach
