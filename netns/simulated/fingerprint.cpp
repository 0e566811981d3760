#include "troupe/netns/simulated/model.hpp"

#include <algorithm>

namespace troupe::netns {

namespace {

using simulation::link_state;
using simulation::model;
using simulation::space;
using simulation::sysctl_values;

constexpr std::string_view sysctl_names[]
  = {"ipv6.disable_ipv6", "ipv6.accept_ra",     "ipv6.accept_redirects",
     "ipv6.autoconf",     "ipv6.addr_gen_mode", "ipv6.accept_dad",
     "ipv6.forwarding",   "ipv4.forwarding",    "ipv4.accept_redirects"};
static_assert(std::size(sysctl_names) == simulation::sysctl_count);

std::map<sysctl, int> to_map(const sysctl_values& xs) {
  auto result = std::map<sysctl, int>{};
  for (size_t i = 0; i < xs.size(); ++i)
    result[static_cast<sysctl>(i)] = xs[i];
  return result;
}

std::string label_of(const model& m, uint64_t inode) {
  if (inode == m.host)
    return "host";
  auto label = std::string{};
  for (const auto* names : {&m.pinned, &m.external})
    for (const auto& [name, held] : *names)
      if (held == inode)
        label += (label.empty() ? "" : ",") + name;
  return label.empty() ? "unnamed" : label;
}

std::string peer_of(const model& m, const link_state& link) {
  auto ns = m.spaces.find(link.peer_ns);
  if (link.peer == 0 || ns == m.spaces.end())
    return {};
  auto other = ns->second.links.find(link.peer);
  if (other == ns->second.links.end())
    return {};
  return label_of(m, link.peer_ns) + "/" + other->second.info.name;
}

simulated_namespace view_of(const model& m, const space& ns) {
  auto result = simulated_namespace{};
  result.label = label_of(m, ns.inode);
  result.inode = ns.inode;
  for (const auto& [index, link] : ns.links)
    result.links.push_back({link.info,
                            peer_of(m, link),
                            link.peer_ns,
                            link.listed(),
                            to_map(link.conf),
                            {link.bound.begin(), link.bound.end()}});
  std::ranges::sort(result.links, {}, [](const auto& x) {
    return x.info.name;
  });
  for (const auto& x : ns.routes)
    (x.table == main_table ? result.routes : result.other_routes).push_back(x);
  result.kernel_routes = simulation::kernel_routes(ns);
  result.rules = ns.rules;
  result.announced = ns.announced;
  for (const auto& [key, mac] : ns.neighbours)
    result.neighbours.push_back({key.first, key.second, mac});
  result.sysctls_all = to_map(ns.all);
  result.sysctls_default = to_map(ns.defaults);
  for (const auto& [name, tables] : ns.firewalls)
    result.firewalls[name] = m.list_elements(ns, name).value();
  for (const auto& [name, tables] : ns.firewalls)
    if (tables.has_rules)
      result.rulesets[name] = tables.text;
    else
      result.without_rules.push_back(name);
  result.connections = ns.connections;
  std::ranges::sort(result.connections);
  return result;
}

/// Name of a link, for texts that must not depend on indices.
std::string name_of(const simulated_namespace& ns, int index) {
  for (const auto& link : ns.links)
    if (link.info.index == index)
      return link.info.name;
  return index == 0 ? "-" : "?";
}

/// Writes the lines of one namespace.
class printer {
public:
  printer(std::vector<std::string>& lines, const simulated_namespace& ns,
          bool indices)
    : lines_{lines}, ns_{ns}, indices_{indices} {
  }

  void print() {
    line("namespace", indices_ ? std::to_string(ns_.inode) : "");
    sysctls("all", ns_.sysctls_all);
    sysctls("default", ns_.sysctls_default);
    for (const auto& x : ns_.links)
      link(x);
    for (const auto& x : ns_.routes)
      line("route", describe(x));
    for (const auto& x : ns_.other_routes)
      line("route", describe(x));
    for (const auto& x : ns_.kernel_routes)
      line("kernel route", describe(x));
    for (const auto& x : ns_.rules)
      line("rule", describe(x));
    for (const auto& x : ns_.neighbours)
      line("neighbour", to_string(x.address) + " dev " + name_of(ns_, x.index)
                          + " lladdr " + to_string(x.mac));
    for (const auto& name : ns_.without_rules)
      line("no rules in table", name);
    for (const auto& [name, elements] : ns_.firewalls) {
      line("table", name);
      for (const auto& x : elements)
        line("element", std::string{schema_of(x.set).name} + " "
                          + to_text(x).value_or("?"));
    }
  }

private:
  void line(std::string_view what, const std::string& text) {
    lines_.push_back(ns_.label + ": " + std::string{what}
                     + (text.empty() ? "" : " " + text));
  }

  std::string describe(const route_info& x) const {
    auto text = (x.destination               ? to_string(*x.destination)
                 : x.family == ip_family::v4 ? "default"
                                             : "default6")
                + " via " + (x.gateway ? to_string(*x.gateway) : "-") + " dev "
                + name_of(ns_, x.index) + " metric " + std::to_string(x.metric);
    if (x.table != main_table)
      text += " table " + std::to_string(x.table);
    if (x.protocol != made_by_admin)
      text += " protocol " + std::to_string(x.protocol);
    if (x.type != route_type::unicast)
      text += " type " + std::to_string(static_cast<int>(x.type));
    return text;
  }

  static std::string describe(const rule_info& x) {
    return (x.family == ip_family::v4 ? "" : "6 ") + std::to_string(x.priority)
           + (x.from ? " from " + to_string(*x.from) : "")
           + (x.to ? " to " + to_string(*x.to) : "")
           + (x.output.empty() ? "" : " oif " + x.output)
           + (x.proto ? " " + std::string{to_string(*x.proto)} : "") + " sport "
           + std::to_string(x.first_port) + "-" + std::to_string(x.last_port)
           + " lookup " + std::to_string(x.table) + " goto "
           + std::to_string(x.jump) + (x.no_default ? " no default" : "");
  }

  void sysctls(const std::string& entry, const std::map<sysctl, int>& xs) {
    for (const auto& [key, value] : xs)
      if (value != 0)
        line("sysctl", entry + " "
                         + std::string{sysctl_names[static_cast<size_t>(key)]}
                         + "=" + std::to_string(value));
  }

  void link(const simulated_link& x) {
    const auto& info = x.info;
    auto text = info.name;
    if (indices_)
      text += " index " + std::to_string(info.index);
    text += " kind " + (info.kind.empty() ? "-" : info.kind) + " mac "
            + to_string(info.mac) + " mtu " + std::to_string(info.mtu_bytes)
            + (info.up ? " up" : " down") + " master "
            + name_of(ns_, info.master) + " group " + std::to_string(info.group)
            + " alias \"" + info.alias + "\"";
    if (info.port)
      text += std::string{" port"} + (info.port->isolated ? " isolated" : "")
              + (info.port->hairpin ? " hairpin" : "")
              + (info.port->learning ? " learning" : "")
              + (info.port->flood ? "" : " no-flood")
              + (info.port->broadcast_flood ? "" : " no-broadcast")
              + (info.port->multicast_flood ? "" : " no-multicast")
              + (info.port->locked ? " locked" : "")
              + (info.port_blocked ? " blocked" : "");
    text += std::string{info.arp ? "" : " noarp"} + (info.stp ? " stp" : "")
            + (info.vlan_filtering ? " vlans" : "");
    if (!x.peer.empty())
      text += " peer " + x.peer;
    if (info.learns_link_local)
      text += " learns-link-local";
    line("link", text);
    for (const auto& mac : x.bound)
      line("bound", info.name + " " + to_string(mac));
    for (const auto& y : x.addresses)
      line("address", info.name + " " + to_string(y));
    sysctls(info.name, x.sysctls);
  }

  std::vector<std::string>& lines_;
  const simulated_namespace& ns_;
  bool indices_;
};

} // namespace

simulated_view simulated_world::view() const {
  auto lock = std::lock_guard{mutex_};
  auto result = simulated_view{};
  result.pins = model_->pinned;
  for (const auto& [inode, ns] : model_->spaces)
    result.namespaces.push_back(view_of(*model_, ns));
  std::stable_partition(result.namespaces.begin(), result.namespaces.end(),
                        [](const auto& x) {
                          return x.label == "host";
                        });
  return result;
}

std::string fingerprint(const simulated_world& world, bool include_indices) {
  auto view = world.view();
  auto lines = std::vector<std::string>{};
  for (const auto& ns : view.namespaces)
    printer{lines, ns, include_indices}.print();
  for (const auto& [name, inode] : view.pins)
    lines.push_back("pin " + name + (inode == 0 ? " unmounted" : ""));
  std::ranges::sort(lines);
  auto text = std::string{};
  for (const auto& line : lines)
    text += line + "\n";
  return text;
}

} // namespace troupe::netns
