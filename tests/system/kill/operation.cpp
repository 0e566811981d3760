#include "troupe/tests/system/kill/world.hpp"

#include <utility>
#include <vector>

namespace troupe::test {

namespace {

using nlohmann::json;
using kind = operation::kind;

constexpr auto max_sandboxes = size_t{3};
constexpr auto max_endpoints = size_t{4};

template <class Map>
std::string any_key(const Map& xs, std::mt19937& random) {
  auto at = xs.begin();
  std::advance(at, static_cast<ptrdiff_t>(random() % xs.size()));
  return at->first;
}

// A name of this client that the map does not have.
template <class Map>
std::string free_name(const Map& xs, const std::string& prefix) {
  for (auto i = 0;; ++i)
    if (auto name = prefix + std::to_string(i); !xs.contains(name))
      return name;
}

bool has_endpoint_of(const world& now, const std::string& network,
                     const std::string& sandbox) {
  for (const auto& [key, x] : now.endpoints)
    if (key.starts_with(network + "/") && x.sandbox == sandbox)
      return true;
  return false;
}

bool is_empty_network(const world& now, const std::string& network) {
  for (const auto& [key, x] : now.endpoints)
    if (key.starts_with(network + "/"))
      return false;
  return true;
}

// Each of these offers one operation, or nothing if the world does not allow
// it.
using offer = std::optional<operation>;

offer offer_network(const world& now, const std::string& prefix,
                    std::mt19937& random) {
  if (now.networks.size() < 2)
    return operation{kind::create_network,
                     free_name(now.networks, prefix + "n"), "", ""};
  auto name = any_key(now.networks, random);
  if (is_empty_network(now, name))
    return operation{kind::remove_network, name, "", ""};
  return std::nullopt;
}

offer offer_sandbox(const world& now, const std::string& prefix,
                    std::mt19937& random) {
  if (now.sandboxes.size() < max_sandboxes)
    return operation{kind::create_sandbox, "", "",
                     free_name(now.sandboxes, prefix + "s")};
  return operation{kind::remove_sandbox, "", "",
                   any_key(now.sandboxes, random)};
}

std::string some_network(const world& now, const std::string& shared,
                         std::mt19937& random) {
  if (now.networks.empty() || random() % 2 == 0)
    return shared;
  return any_key(now.networks, random);
}

offer offer_endpoint(const world& now, const std::string& prefix,
                     const std::string& shared, std::mt19937& random) {
  if (now.endpoints.size() < max_endpoints) {
    auto network = some_network(now, shared, random);
    auto name = std::string{};
    for (auto i = 0;
         name.empty() || now.endpoints.contains(network + "/" + name); ++i)
      name = prefix + "e" + std::to_string(i);
    return operation{kind::create_endpoint, network, name, ""};
  }
  auto key = any_key(now.endpoints, random);
  if (!now.endpoints.at(key).sandbox.empty())
    return std::nullopt;
  auto slash = key.find('/');
  return operation{kind::remove_endpoint, key.substr(0, slash),
                   key.substr(slash + 1), ""};
}

offer offer_join_or_leave(const world& now, std::mt19937& random) {
  if (now.endpoints.empty() || now.sandboxes.empty())
    return std::nullopt;
  auto key = any_key(now.endpoints, random);
  auto slash = key.find('/');
  auto result
    = operation{kind::leave, key.substr(0, slash), key.substr(slash + 1), ""};
  if (!now.endpoints.at(key).sandbox.empty())
    return result;
  auto sandbox = any_key(now.sandboxes, random);
  // One endpoint per network and sandbox, as users have it.
  if (has_endpoint_of(now, result.network, sandbox))
    return std::nullopt;
  result.what = kind::join;
  result.sandbox = sandbox;
  return result;
}

offer offer_attach_or_detach(const world& now, const std::string& shared,
                             std::mt19937& random) {
  if (now.sandboxes.empty())
    return std::nullopt;
  auto sandbox = any_key(now.sandboxes, random);
  auto network = some_network(now, shared, random);
  if (has_endpoint_of(now, network, sandbox))
    return operation{kind::detach, network, "", sandbox};
  return operation{kind::attach, network, "", sandbox, random() % 2 == 0};
}

} // namespace

std::string operation::method() const {
  switch (what) {
  case kind::remove_network:
  case kind::remove_sandbox:
  case kind::remove_endpoint:
    return "DELETE";
  case kind::create_network:
  case kind::create_sandbox:
  case kind::create_endpoint:
  case kind::join:
  case kind::leave:
  case kind::attach:
  case kind::detach:
    return "POST";
  }
  return {};
}

std::string operation::target() const {
  auto in_network = "/v1/networks/" + network;
  auto in_endpoint = in_network + "/endpoints/" + endpoint;
  switch (what) {
  case kind::create_network:
    return "/v1/networks";
  case kind::remove_network:
    return in_network;
  case kind::create_sandbox:
    return "/v1/sandboxes";
  case kind::remove_sandbox:
    return "/v1/sandboxes/" + sandbox;
  case kind::create_endpoint:
    return in_network + "/endpoints";
  case kind::remove_endpoint:
    return in_endpoint;
  case kind::join:
    return in_endpoint + "/join";
  case kind::leave:
    return in_endpoint + "/leave";
  case kind::attach:
    return in_network + "/attach";
  case kind::detach:
    return in_network + "/detach";
  }
  return {};
}

json operation::body() const {
  switch (what) {
  case kind::create_network:
    return {{"spec", {{"name", network}}}};
  case kind::create_sandbox:
    return {{"spec", {{"name", sandbox}}}};
  case kind::create_endpoint:
    return {{"spec", {{"name", endpoint}}}};
  case kind::attach:
    if (publishes)
      return {{"sandbox", sandbox}, {"spec", {{"ports", {{{"port", 80}}}}}}};
    [[fallthrough]];
  case kind::join:
  case kind::detach:
    return {{"sandbox", sandbox}};
  case kind::leave:
    return json::object();
  case kind::remove_network:
  case kind::remove_sandbox:
  case kind::remove_endpoint:
    return nullptr;
  }
  return nullptr;
}

std::string operation::text() const {
  auto sent = body();
  return method() + " " + target() + (sent.is_null() ? "" : " " + sent.dump());
}

operation choose(const world& now, const std::string& prefix,
                 const std::string& shared, std::mt19937& random) {
  for (;;) {
    auto chosen = offer{};
    switch (random() % 8) {
    case 0:
      chosen = offer_network(now, prefix, random);
      break;
    case 1:
      chosen = offer_sandbox(now, prefix, random);
      break;
    case 2:
      chosen = offer_endpoint(now, prefix, shared, random);
      break;
    case 3:
    case 4:
      chosen = offer_join_or_leave(now, random);
      break;
    default:
      chosen = offer_attach_or_detach(now, shared, random);
    }
    if (chosen)
      return *chosen;
  }
}

} // namespace troupe::test
