#include "troupe/config/model/json.hpp"
#include "troupe/tests/lab/invariants.hpp"

#include <set>
#include <utility>

namespace troupe::testing {

namespace {

/// Asks for a list; says why if there is none.
template <class List, class Request>
List list_of(simulated_system& system, Request request,
             std::vector<std::string>& wrong) {
  auto reply = system.call(std::move(request));
  if (reply)
    return std::get<List>(std::move(*reply));
  wrong.push_back("list: " + reply.error().message);
  return {};
}

template <class Spec>
std::set<std::string> lines_of(const std::vector<Spec>& specs) {
  auto lines = std::set<std::string>{};
  for (const auto& x : specs)
    lines.insert(dump(to_json(x)));
  return lines;
}

template <class Status, class Spec>
void compare(const std::string& kind, const std::vector<Status>& said,
             const std::vector<Spec>& recorded,
             std::vector<std::string>& wrong) {
  auto records = lines_of(recorded);
  for (const auto& x : said)
    if (records.erase(dump(to_json(x.spec))) == 0)
      wrong.push_back(kind + " " + x.spec.name
                      + ": the daemon says what no record does");
  for (const auto& x : records)
    wrong.push_back(kind + ": the daemon does not know " + x);
}

} // namespace

std::vector<std::string> check_actors(simulated_system& system) {
  auto wrong = std::vector<std::string>{};
  const auto networks
    = list_of<network_list>(system, list_networks{}, wrong).networks;
  const auto endpoints
    = list_of<endpoint_list>(system, list_endpoints{}, wrong).endpoints;
  const auto sandboxes
    = list_of<sandbox_list>(system, list_sandboxes{}, wrong).sandboxes;
  const auto& records = system.disk->content;
  compare("network", networks, records.networks, wrong);
  compare("endpoint", endpoints, records.endpoints, wrong);
  compare("sandbox", sandboxes, records.sandboxes, wrong);
  auto joins = std::set<std::pair<endpoint_id, sandbox_id>>{};
  auto members = joins;
  for (const auto& x : records.joins)
    joins.emplace(x.endpoint, x.sandbox);
  for (const auto& x : sandboxes)
    for (const auto& id : x.endpoints)
      members.emplace(id, x.spec.id);
  if (members != joins)
    wrong.emplace_back("the sandboxes have other members than recorded");
  auto places = std::set<std::pair<endpoint_id, sandbox_id>>{};
  for (const auto& x : endpoints)
    if (x.sandbox)
      places.emplace(x.spec.id, *x.sandbox);
  if (places != joins)
    wrong.emplace_back("the endpoints are elsewhere than recorded");
  return wrong;
}

std::string check_all(simulated_system& system) {
  auto text = std::string{};
  for (const auto& line : check_world(system))
    text += "  " + line + "\n";
  for (const auto& line : check_actors(system))
    text += "  " + line + "\n";
  if (system.surplus_replies() > 0)
    text += "  a request got two replies\n";
  return text;
}

std::string remove_everything(simulated_system& system) {
  auto text = std::string{};
  auto remove = [&](request what) {
    if (auto gone = system.call(std::move(what)); !gone)
      text += "  " + gone.error().message + "\n";
  };
  const auto records = system.disk->content;
  for (const auto& x : records.sandboxes)
    remove(remove_sandbox{x.id.value});
  for (const auto& x : records.endpoints)
    if (!x.ephemeral)
      remove(remove_endpoint{x.network.value, x.id.value, true});
  for (const auto& x : records.networks)
    remove(remove_network{x.id.value});
  system.advance(std::chrono::seconds{2});
  return text;
}

} // namespace troupe::testing
