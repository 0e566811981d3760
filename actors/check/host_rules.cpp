#include "troupe/actors/check/host_rules.hpp"

#include "troupe/config/model/json.hpp"

#include <algorithm>
#include <set>

namespace troupe::testing {

namespace {

bool is_true(std::string_view text) {
  return text == "1" || text == "t" || text == "T" || text == "true"
         || text == "TRUE" || text == "True";
}

bool is_false(std::string_view text) {
  return text == "0" || text == "f" || text == "F" || text == "false"
         || text == "FALSE" || text == "False";
}

// `{"concat": ["tcp", 80]}` is `tcp . 80`.
std::string text_of(const json& x) {
  if (x.is_string())
    return x.get<std::string>();
  const auto parts = x.is_object() ? x.value("concat", json{}) : json{};
  if (!parts.is_array())
    return x.dump();
  auto text = std::string{};
  for (const auto& part : parts)
    text += (text.empty() ? "" : " . ") + text_of(part);
  return text;
}

bool is_compared(const std::string& set) {
  return set == "enter" || set == "guard_mac" || set.starts_with("publish");
}

// Keys of the elements: `publish4_any tcp . 80`, of the guard the port alone.
void read_set(const json& set, std::multiset<std::string>& out) {
  const auto name = set.value("name", "");
  if (!is_compared(name))
    return;
  for (const auto& x : set.value("elem", json::array())) {
    auto key = text_of(x.is_array() && x.size() == 2 ? x[0] : x);
    if (name == "guard_mac")
      key = key.substr(0, key.find(" . "));
    out.insert(name + " " + key);
  }
}

std::multiset<std::string> read_rules(const std::vector<std::string>& printed) {
  auto seen = std::multiset<std::string>{};
  for (const auto& text : printed) {
    auto limits = json_limits{};
    limits.max_bytes = size_t{1} << 30U;
    const auto table = parse_json(text, limits);
    if (!table || !table->is_object())
      continue;
    for (const auto& x : table->value("nftables", json::array()))
      for (const auto* kind : {"set", "map"})
        if (x.is_object() && x.contains(kind) && x[kind].is_object())
          read_set(x[kind], seen);
  }
  return seen;
}

// Ports on loopback addresses, and those of another family than the endpoint's
// addresses, are the proxy's.
std::string rule_of(const port_binding& x, const endpoint_spec& who) {
  const auto is_v4 = x.host_ip.is_v4();
  const auto text = to_string(x.host_ip);
  const auto is_loopback = is_v4 ? text.starts_with("127.") : text == "::1";
  const auto has_family
    = std::ranges::any_of(who.addresses, [&](const auto& y) {
        return y.address.is_v4() == is_v4;
      });
  if (x.host_port == 0 || is_loopback || !has_family)
    return {};
  const auto any = text == "0.0.0.0" || text == "::";
  return std::string{"publish"} + (is_v4 ? "4" : "6")
         + (any ? "_any " : "_addr " + text + " . ") + to_string(x.proto)
         + " . " + std::to_string(x.host_port);
}

std::multiset<std::string> rules_for(const persistence::snapshot& records) {
  auto wanted = std::multiset<std::string>{};
  auto bridges = std::map<network_id, const network_spec*>{};
  for (const auto& x : records.networks) {
    if (x.driver != "bridge")
      continue;
    bridges[x.id] = &x;
    for (const auto* family : {"ipv4", "ipv6"})
      wanted.insert(std::string{"enter "} + family + " . " + bridge_of(x));
  }
  for (const auto& join : records.joins) {
    const auto net = bridges.find(join.network);
    const auto who
      = std::ranges::find(records.endpoints, join.endpoint, &endpoint_spec::id);
    if (net == bridges.end() || who == records.endpoints.end())
      continue;
    if (!is_false(option_of(net->second->options, "spoof_guard")))
      wanted.insert("guard_mac " + host_end_of(join.endpoint));
    for (const auto& x : expanded(join.bindings))
      if (auto rule = rule_of(x, *who); !rule.empty())
        wanted.insert(std::move(rule));
  }
  return wanted;
}

} // namespace

std::string option_of(const text_map& options, std::string_view label) {
  const auto brief = label.substr(label.rfind('.') + 1);
  for (const auto& [key, value] : options)
    if (key == brief || key.ends_with("." + std::string{label}))
      return value;
  return {};
}

std::string bridge_of(const network_spec& x) {
  const auto named = option_of(x.options, "bridge.name");
  return named.empty() ? "br-" + x.id.brief() : named;
}

std::string host_end_of(const endpoint_id& id) {
  return "trp" + id.brief();
}

bool connects_endpoints(const network_spec& x) {
  return !is_false(option_of(x.options, "bridge.enable_icc"))
         && !is_false(option_of(x.options, "icc"));
}

bool is_on_bridge(const network_spec& x, ip_family family) {
  const auto is_v4 = family == ip_family::v4;
  const auto mode
    = option_of(x.options, is_v4 ? "gateway_mode_ipv4" : "gateway_mode_ipv6");
  return mode != "isolated"
         && !(is_v4 && is_true(option_of(x.options, "inhibit_ipv4")));
}

bool is_masqueraded(const network_spec& x, ip_family family) {
  const auto mode
    = option_of(x.options, family == ip_family::v4 ? "gateway_mode_ipv4"
                                                   : "gateway_mode_ipv6");
  return mode != "routed"
         && !is_false(option_of(x.options, "bridge.enable_ip_masquerade"))
         && !is_false(option_of(x.options, "ip_masquerade"));
}

std::vector<std::string> check_rules(const persistence::snapshot& records,
                                     const std::vector<std::string>& printed) {
  auto wrong = std::vector<std::string>{};
  const auto wanted = rules_for(records);
  const auto seen = read_rules(printed);
  for (const auto& x : wanted)
    if (seen.count(x) < wanted.count(x))
      wrong.push_back("rule " + x + " is missing");
  for (const auto& x : seen)
    if (wanted.count(x) < seen.count(x))
      wrong.push_back("rule " + x + " belongs to nobody");
  return wrong;
}

namespace {

bool is_inside(const persistence::snapshot& records, const ip_address& x) {
  return std::ranges::any_of(records.networks, [&](const network_spec& net) {
    return std::ranges::any_of(net.pools, [&](const ipam_pool& pool) {
      return pool.subnet && pool.subnet->contains(x);
    });
  });
}

bool is_explained(const persistence::snapshot& records,
                  const netns::audit_connection& x) {
  constexpr uint8_t numbers[] = {6, 17, 132}; // TCP, UDP, SCTP
  for (const auto& join : records.joins) {
    const auto who
      = std::ranges::find(records.endpoints, join.endpoint, &endpoint_spec::id);
    if (who == records.endpoints.end())
      continue;
    const auto holds = std::ranges::any_of(who->addresses, [&](const auto& y) {
      return y.address == x.server;
    });
    for (const auto& y : join.bindings)
      if (holds && y.host_port == x.host_port && y.port == x.server_port
          && numbers[static_cast<size_t>(y.proto)] == x.proto
          && (y.host_ip == x.host || y.host_ip.is_unspecified()))
        return true;
  }
  return false;
}

} // namespace

std::vector<std::string>
check_connections(const persistence::snapshot& records,
                  const std::vector<netns::audit_connection>& seen) {
  auto wrong = std::vector<std::string>{};
  for (const auto& x : seen)
    if (is_inside(records, x.server) && !is_explained(records, x))
      wrong.push_back("connection from " + host_text(x.client, x.client_port)
                      + " to " + host_text(x.host, x.host_port) + " leads to "
                      + host_text(x.server, x.server_port)
                      + ", which no published port explains");
  return wrong;
}

} // namespace troupe::testing
