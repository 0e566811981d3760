#include "troupe/tests/unit/tools/fake_backend.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace troupe::test {

namespace {

tl::unexpected<error> missing(std::string_view kind, const std::string& name) {
  return fail(ec::not_found,
              fmt::format("{} \"{}\": no such {}", kind, name, kind),
              fmt::format("see troupe {} ls", kind));
}

// By id, name or unique prefix, as the real one.
template <class Map>
auto* find_in(Map& objects, const std::string& name) {
  using status = typename Map::mapped_type;
  status* by_prefix = nullptr;
  for (auto& [key, x] : objects) {
    if (x.spec.id.value == name || x.spec.name == name)
      return &x;
    if (!name.empty() && x.spec.id.value.starts_with(name))
      by_prefix = &x;
  }
  return by_prefix;
}

} // namespace

fake_backend::~fake_backend() {
  release();
  for (auto& x : threads_)
    x.join();
}

void fake_backend::submit(request what, std::chrono::milliseconds deadline,
                          reply_handler handler) {
  last_deadline_ms = deadline.count();
  auto guard = std::lock_guard{mutex_};
  if (hold) {
    held_.push_back({std::move(what), std::move(handler)});
    return;
  }
  auto outcome = answer(what);
  if (answer_on_thread)
    threads_.emplace_back(
      [handler = std::move(handler), outcome = std::move(outcome)] {
        handler(outcome);
      });
  else
    handler(std::move(outcome));
}

void fake_backend::release() {
  auto waiting = std::vector<held_request>{};
  {
    auto guard = std::lock_guard{mutex_};
    hold = false;
    waiting.swap(held_);
  }
  for (auto& x : waiting) {
    auto guard = std::unique_lock{mutex_};
    auto outcome = answer(x.what);
    guard.unlock();
    x.handler(std::move(outcome));
  }
}

size_t fake_backend::held() const {
  auto guard = std::lock_guard{mutex_};
  return held_.size();
}

result<uint64_t> fake_backend::subscribe(event_handler handler) {
  auto guard = std::lock_guard{mutex_};
  subscribers_[++last_subscription_] = std::move(handler);
  return last_subscription_;
}

void fake_backend::unsubscribe(uint64_t subscription) {
  auto guard = std::lock_guard{mutex_};
  subscribers_.erase(subscription);
}

void fake_backend::publish(std::string type, std::string action,
                           std::string name) {
  auto guard = std::lock_guard{mutex_};
  auto x = event{};
  x.sequence = ++last_sequence_;
  x.time_ms = 1'700'000'000'000;
  x.type = std::move(type);
  x.action = std::move(action);
  x.name = std::move(name);
  x.id = std::string(64, 'e');
  x.attributes["reason"] = "test";
  for (const auto& [number, handler] : subscribers_)
    handler(x);
}

std::string fake_backend::next_id() {
  // Differ in the first digits, so that prefixes are worth something.
  ++last_id_;
  constexpr auto digits = 15U;
  auto repeated = 0x111111111111 * ((last_id_ - 1) % digits + 1);
  return fmt::format("{:012x}{:052x}", repeated, last_id_);
}

result<reply> fake_backend::answer(const request& what) {
  if (override_reply)
    if (auto replaced = override_reply(what))
      return std::move(*replaced);
  return std::visit(
    [this](const auto& x) {
      return handle(x);
    },
    what);
}

// -- networks ----------------------------------------------------------------

result<reply> fake_backend::handle(const create_network& x) {
  if (auto named = check_name(x.spec.name, "network"); !named)
    return fail(named.error());
  if (networks_.contains(x.spec.name))
    return fail(ec::conflict,
                "create network \"" + x.spec.name + "\": the name is taken");
  auto status = network_status{};
  status.spec = x.spec;
  status.spec.id = {next_id()};
  if (status.spec.pools.empty()) {
    auto pool = ipam_pool{};
    pool.subnet = prefix::parse("172.18.0.0/16").value();
    status.spec.pools.push_back(pool);
  }
  status.interface = "trp" + status.spec.id.brief();
  status.state = "ready";
  networks_[x.spec.name] = status;
  return reply{status};
}

result<network_status*> fake_backend::find_network(const std::string& name) {
  if (auto* found = find_in(networks_, name))
    return found;
  return missing("network", name);
}

result<reply> fake_backend::handle(const remove_network& x) {
  auto found = find_network(x.network);
  if (!found)
    return fail(found.error());
  if (!(*found)->endpoints.empty())
    return fail(ec::forbidden,
                "remove network \"" + x.network + "\": it has endpoints");
  networks_.erase((*found)->spec.name);
  return reply{done{}};
}

result<reply> fake_backend::handle(const inspect_network& x) {
  auto found = find_network(x.network);
  if (!found)
    return fail(found.error());
  return reply{**found};
}

result<reply> fake_backend::handle(const list_networks&) {
  auto list = network_list{};
  for (const auto& [name, x] : networks_)
    list.networks.push_back(x);
  return reply{list};
}

// -- endpoints ---------------------------------------------------------------

result<endpoint_status>
fake_backend::add_endpoint(const std::string& network, endpoint_spec spec) {
  auto owner = find_network(network);
  if (!owner)
    return fail(owner.error());
  auto key = std::pair{(*owner)->spec.name, spec.name};
  if (endpoints_.contains(key))
    return fail(ec::conflict,
                "create endpoint \"" + spec.name + "\": the name is taken");
  auto status = endpoint_status{};
  status.spec = std::move(spec);
  status.spec.id = {next_id()};
  status.spec.network = (*owner)->spec.id;
  auto subnet = *(*owner)->spec.pools.front().subnet;
  auto address
    = status.spec.ipv4.value_or(subnet.at(uint128{endpoints_.size() + 2}));
  status.spec.addresses = {{address, subnet.length()}};
  if (!status.spec.mac)
    status.spec.mac = mac_address::from_ipv4(address);
  status.network_name = key.first;
  status.state = "created";
  (*owner)->endpoints.push_back(status.spec.id);
  endpoints_[key] = status;
  return status;
}

result<endpoint_status*> fake_backend::find_endpoint(const std::string& network,
                                                     const std::string& name) {
  for (auto& [key, x] : endpoints_)
    if ((network.empty() || key.first == network)
        && (key.second == name || x.spec.id.value.starts_with(name)))
      return &x;
  return missing("endpoint", name);
}

void fake_backend::drop_endpoint(const endpoint_status& x) {
  auto id = x.spec.id;
  std::erase(networks_[x.network_name].endpoints, id);
  for (auto& [name, where] : sandboxes_)
    std::erase(where.endpoints, id);
  endpoints_.erase({x.network_name, x.spec.name});
}

void fake_backend::join(endpoint_status& x, sandbox_status& where) {
  x.sandbox = where.spec.id;
  x.sandbox_name = where.spec.name;
  x.interface = "eth" + std::to_string(where.endpoints.size());
  x.host_interface = "trv" + x.spec.id.brief();
  x.state = "joined";
  where.endpoints.push_back(x.spec.id);
}

result<reply> fake_backend::handle(const create_endpoint& x) {
  auto made = add_endpoint(x.network, x.spec);
  if (!made)
    return fail(made.error());
  return reply{*made};
}

result<reply> fake_backend::handle(const remove_endpoint& x) {
  auto found = find_endpoint(x.network, x.endpoint);
  if (!found)
    return fail(found.error());
  if ((*found)->sandbox && !x.force)
    return fail(ec::forbidden,
                "remove endpoint \"" + x.endpoint + "\": it is joined");
  drop_endpoint(**found);
  return reply{done{}};
}

result<reply> fake_backend::handle(const inspect_endpoint& x) {
  auto found = find_endpoint(x.network, x.endpoint);
  if (!found)
    return fail(found.error());
  return reply{**found};
}

result<reply> fake_backend::handle(const list_endpoints& x) {
  auto list = endpoint_list{};
  for (const auto& [key, status] : endpoints_)
    if (x.network.empty() || key.first == x.network)
      list.endpoints.push_back(status);
  return reply{list};
}

// -- sandboxes ---------------------------------------------------------------

result<sandbox_status*> fake_backend::find_sandbox(const std::string& name) {
  if (auto* found = find_in(sandboxes_, name))
    return found;
  return missing("sandbox", name);
}

result<reply> fake_backend::handle(const create_sandbox& x) {
  if (sandboxes_.contains(x.spec.name))
    return fail(ec::conflict,
                "create sandbox \"" + x.spec.name + "\": the name is taken");
  auto status = sandbox_status{};
  status.spec = x.spec;
  status.spec.id = {next_id()};
  status.key = "/run/troupe/netns/" + status.spec.id.brief();
  status.state = "ready";
  sandboxes_[x.spec.name] = status;
  return reply{status};
}

result<reply> fake_backend::handle(const remove_sandbox& x) {
  auto found = find_sandbox(x.sandbox);
  if (!found)
    return fail(found.error());
  auto name = (*found)->spec.name;
  auto joined = std::vector<endpoint_status>{};
  for (const auto& [key, status] : endpoints_)
    if (status.sandbox_name == name)
      joined.push_back(status);
  for (const auto& status : joined)
    drop_endpoint(status);
  sandboxes_.erase(name);
  return reply{done{}};
}

result<reply> fake_backend::handle(const inspect_sandbox& x) {
  auto found = find_sandbox(x.sandbox);
  if (!found)
    return fail(found.error());
  return reply{**found};
}

result<reply> fake_backend::handle(const list_sandboxes&) {
  auto list = sandbox_list{};
  for (const auto& [name, x] : sandboxes_)
    list.sandboxes.push_back(x);
  return reply{list};
}

// -- joining -----------------------------------------------------------------

result<reply> fake_backend::handle(const join_endpoint& x) {
  auto found = find_endpoint(x.network, x.endpoint);
  auto where = find_sandbox(x.sandbox);
  if (!found || !where)
    return fail(found ? where.error() : found.error());
  if ((*found)->sandbox)
    return fail(ec::forbidden,
                "join endpoint \"" + x.endpoint + "\": it is joined");
  join(**found, **where);
  return reply{**found};
}

result<reply> fake_backend::handle(const leave_endpoint& x) {
  auto found = find_endpoint(x.network, x.endpoint);
  if (!found)
    return fail(found.error());
  if (!(*found)->sandbox)
    return fail(ec::forbidden,
                "leave endpoint \"" + x.endpoint + "\": it is not joined");
  std::erase(sandboxes_[(*found)->sandbox_name].endpoints, (*found)->spec.id);
  (*found)->sandbox.reset();
  (*found)->sandbox_name.clear();
  (*found)->interface.clear();
  (*found)->state = "created";
  return reply{done{}};
}

result<reply> fake_backend::handle(const attach_sandbox& x) {
  auto where = find_sandbox(x.sandbox);
  if (!where)
    return fail(where.error());
  auto spec = x.spec;
  spec.ephemeral = true;
  if (spec.name.empty())
    spec.name = (*where)->spec.name;
  auto name = spec.name;
  auto made = add_endpoint(x.network, std::move(spec));
  if (!made)
    return fail(made.error());
  auto& stored = endpoints_[{made->network_name, name}];
  join(stored, **where);
  return reply{stored};
}

result<reply> fake_backend::handle(const detach_sandbox& x) {
  auto owner = find_network(x.network);
  auto where = find_sandbox(x.sandbox);
  if (!owner || !where)
    return fail(owner ? where.error() : owner.error());
  for (const auto& [key, status] : endpoints_)
    if (key.first == (*owner)->spec.name
        && status.sandbox_name == (*where)->spec.name) {
      drop_endpoint(endpoint_status{status});
      return reply{done{}};
    }
  return fail(ec::not_found,
              "detach sandbox \"" + x.sandbox + "\": it is not on the network");
}

// -- ports -------------------------------------------------------------------

// Publishes at the wanted host port, or at the container's.
result<reply> fake_backend::handle(const publish_ports& x) {
  auto found = find_endpoint(x.network, x.endpoint);
  if (!found)
    return fail(found.error());
  for (const auto& port : x.ports)
    (*found)->bindings.push_back(
      {port.proto, port.port, port.host_ip.value_or(ip_address{}),
       port.host_port == 0 ? port.port : port.host_port});
  return reply{**found};
}

result<reply> fake_backend::handle(const unpublish_ports& x) {
  auto found = find_endpoint(x.network, x.endpoint);
  if (!found)
    return fail(found.error());
  for (const auto& port : x.ports)
    std::erase_if((*found)->bindings, [&](const auto& y) {
      return y.proto == port.proto && y.port == port.port;
    });
  return reply{**found};
}

// -- the daemon --------------------------------------------------------------

result<reply> fake_backend::handle(const get_status&) {
  auto status = daemon_status{};
  status.version = "0.1.0";
  status.state_dir = "/var/lib/troupe";
  status.run_dir = "/run/troupe";
  status.generation = 3;
  status.networks = networks_.size();
  status.endpoints = endpoints_.size();
  status.sandboxes = sandboxes_.size();
  status.drivers = {"bridge", "host", "null"};
  status.startup = {{"loaded", 1'250, "2 networks"}, {"ready", 90, ""}};
  status.warnings = {"nothing serious"};
  return reply{status};
}

result<reply> fake_backend::handle(const run_doctor& x) {
  auto report = doctor_report{};
  if (networks_.contains("sick"))
    report.findings.push_back(
      {"network sick", "bridge is missing", "make it", x.repair});
  return reply{report};
}

} // namespace troupe::test
