#include "troupe/actors/doctor/rules.hpp"

#include "troupe/config/model/difference.hpp"
#include "troupe/drivers/registry.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <set>

namespace troupe {

namespace {

using nlohmann::json;
using lines = std::set<std::string>;

// -- what there is ------------------------------------------------------------

/// `ipv4 . br-0`, `80`, `goto in_nat`.
std::string text_of(const json& x) {
  if (x.is_string())
    return x.get<std::string>();
  if (!x.is_object() || x.empty())
    return x.dump();
  const auto kind = x.begin().key();
  const auto& value = x.begin().value();
  if (kind == "concat") {
    auto result = std::string{};
    for (const auto& part : value)
      result += (result.empty() ? "" : " . ") + text_of(part);
    return result;
  }
  if (kind == "goto")
    return "goto " + value.value("target", "");
  return kind;
}

/// Adds the elements of a set or map: `publish4_any tcp . 80 : 10.1.0.2 . 80`.
/// Not those that no record tells: who switched forwarding on, and that is
/// compared by the FIREWALL actor, who did.
void add_elements(const json& set, lines& out) {
  using netns::firewall::set_id;
  const auto name = set.value("name", "");
  if (name == netns::firewall::schema_of(set_id::no_router).name)
    return;
  for (const auto& x : set.value("elem", json::array()))
    out.insert(name + " "
               + (x.is_array() && x.size() == 2
                    ? text_of(x[0]) + " : " + text_of(x[1])
                    : text_of(x)));
}

/// @returns false if it is not what nft prints.
bool read_table(const std::string& printed, lines& out) {
  const auto table = json::parse(printed, nullptr, false);
  if (!table.is_object() || !table.value("nftables", json{}).is_array())
    return false;
  for (const auto& x : table["nftables"])
    for (const auto* kind : {"set", "map"})
      if (x.is_object() && x.contains(kind) && x[kind].is_object())
        add_elements(x[kind], out);
  return true;
}

// -- what there should be -----------------------------------------------------

void add_wanted(const result<drivers::firewall_elements>& wanted, lines& out) {
  if (!wanted)
    return; // Told by the check of the network.
  for (const auto& x : *wanted) {
    auto text = to_text(x).value_or("");
    std::erase(text, '"');
    out.insert(std::string{schema_of(x.set).name} + " " + text);
  }
}

lines wanted_by(const persistence::snapshot& records, const instance& owner) {
  auto result = lines{};
  auto networks = std::map<network_id, const network_spec*>{};
  for (const auto& x : records.networks) {
    networks[x.id] = &x;
    add_wanted(drivers::make(x.driver, owner)->network_elements(x), result);
  }
  auto endpoints = std::map<endpoint_id, const endpoint_spec*>{};
  for (const auto& x : records.endpoints)
    endpoints[x.id] = &x;
  for (const auto& x : records.joins) {
    const auto network = networks.find(x.network);
    const auto endpoint = endpoints.find(x.endpoint);
    if (network == networks.end() || endpoint == endpoints.end())
      continue; // Told by the check of the join.
    const auto& spec = *network->second;
    const auto driver = drivers::make(spec.driver, owner);
    add_wanted(
      driver->endpoint_elements(spec, *endpoint->second, expanded(x.bindings)),
      result);
  }
  return result;
}

} // namespace

std::vector<finding>
diagnose_rules(const persistence::snapshot& records,
               const std::vector<std::string>& printed, const instance& owner) {
  auto result = std::vector<finding>{};
  auto report = [&](const std::string& problem) {
    result.push_back({"firewall", problem, "load the rules anew", false});
  };
  auto there = lines{};
  for (const auto& x : printed)
    if (!read_table(x, there))
      report("nft prints something else than its tables");
  const auto wanted = wanted_by(records, owner);
  for (const auto& x : difference(wanted, there))
    report(x + " is missing");
  for (const auto& x : difference(there, wanted))
    report(x + " belongs to nobody");
  return result;
}

} // namespace troupe
