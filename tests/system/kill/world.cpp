#include "troupe/tests/system/kill/world.hpp"

namespace troupe::test {

namespace {

using nlohmann::json;
using kind = operation::kind;

std::string key_of(const std::string& network, const std::string& endpoint) {
  return network + "/" + endpoint;
}

std::string text_at(const json& x, const char* name) {
  auto found = x.is_object() ? x.find(name) : x.end();
  return found != x.end() && found->is_string() ? found->get<std::string>()
                                                : std::string{};
}

std::string id_of(const json& status) {
  return status.is_object() && status.contains("spec")
           ? text_at(status["spec"], "id")
           : std::string{};
}

std::string identity_of(const json& status) {
  if (!status.is_object() || !status.contains("spec"))
    return {};
  const auto& spec = status["spec"];
  auto result = text_at(spec, "id") + " " + text_at(spec, "mac") + " "
                + spec.value("addresses", json{}).dump();
  // Others have ports only while they are joined.
  if (spec.value("ephemeral", false))
    result += " " + status.value("bindings", json{}).dump();
  return result;
}

// Takes the endpoints that fulfil the condition out of their sandbox.
template <class Condition>
void leave_where(world& now, Condition is_leaving) {
  for (auto i = now.endpoints.begin(); i != now.endpoints.end();) {
    auto& [key, x] = *i;
    if (is_leaving(key, x)) {
      x.sandbox.clear();
      if (x.ephemeral) {
        i = now.endpoints.erase(i);
        continue;
      }
    }
    ++i;
  }
}

bool differ(const std::string& expected, const std::string& seen) {
  return !expected.empty() && expected != seen;
}

std::string compare_ids(const std::map<std::string, std::string>& expected,
                        const std::map<std::string, std::string>& seen,
                        const std::string& what) {
  auto result = std::string{};
  for (const auto& [name, id] : expected) {
    auto found = seen.find(name);
    if (found == seen.end())
      result += what + " " + name + " is lost\n";
    else if (differ(id, found->second))
      result += what + " " + name + " has another id\n";
  }
  for (const auto& [name, id] : seen)
    if (!expected.contains(name))
      result += what + " " + name + " should not be there\n";
  return result;
}

} // namespace

world after(world now, const operation& done, const json& reply) {
  auto key = key_of(done.network, done.endpoint);
  switch (done.what) {
  case kind::create_network:
    now.networks[done.network] = id_of(reply);
    break;
  case kind::remove_network:
    now.networks.erase(done.network);
    break;
  case kind::create_sandbox:
    now.sandboxes[done.sandbox] = id_of(reply);
    break;
  case kind::remove_sandbox:
    now.sandboxes.erase(done.sandbox);
    leave_where(now, [&](const auto&, const auto& x) {
      return x.sandbox == done.sandbox;
    });
    break;
  case kind::create_endpoint:
    now.endpoints[key] = {false, "", identity_of(reply)};
    break;
  case kind::remove_endpoint:
    now.endpoints.erase(key);
    break;
  case kind::join:
    now.endpoints[key].sandbox = done.sandbox;
    break;
  case kind::leave:
    leave_where(now, [&](const auto& other, const auto&) {
      return other == key;
    });
    break;
  case kind::attach:
    now.endpoints[key_of(done.network, done.sandbox)]
      = {true, done.sandbox, identity_of(reply)};
    break;
  case kind::detach:
    leave_where(now, [&](const auto& other, const auto& x) {
      return other.starts_with(done.network + "/") && x.sandbox == done.sandbox;
    });
    break;
  }
  return now;
}

world listed(const json& networks, const json& endpoints, const json& sandboxes,
             const std::string& prefix) {
  auto result = world{};
  auto is_ours = [&](const std::string& name) {
    return name.starts_with(prefix);
  };
  for (const auto& x : networks.at("networks"))
    if (auto name = text_at(x.at("spec"), "name"); is_ours(name))
      result.networks[name] = id_of(x);
  for (const auto& x : sandboxes.at("sandboxes"))
    if (auto name = text_at(x.at("spec"), "name"); is_ours(name))
      result.sandboxes[name] = id_of(x);
  for (const auto& x : endpoints.at("endpoints"))
    if (auto name = text_at(x.at("spec"), "name"); is_ours(name))
      result.endpoints[key_of(text_at(x, "network_name"), name)]
        = {x.at("spec").value("ephemeral", false), text_at(x, "sandbox_name"),
           identity_of(x)};
  return result;
}

std::string contradiction(const world& expected, const world& seen) {
  auto result = compare_ids(expected.networks, seen.networks, "network")
                + compare_ids(expected.sandboxes, seen.sandboxes, "sandbox");
  for (const auto& [key, x] : expected.endpoints) {
    auto found = seen.endpoints.find(key);
    if (found == seen.endpoints.end()) {
      result += "endpoint " + key + " is lost\n";
      continue;
    }
    const auto& y = found->second;
    if (x.sandbox != y.sandbox)
      result += "endpoint " + key + " should be in \"" + x.sandbox
                + "\" and is in \"" + y.sandbox + "\"\n";
    if (x.ephemeral != y.ephemeral || differ(x.identity, y.identity))
      result += "endpoint " + key + " was " + x.identity + " and is "
                + y.identity + "\n";
  }
  for (const auto& [key, x] : seen.endpoints)
    if (!expected.endpoints.contains(key))
      result += "endpoint " + key + " should not be there\n";
  return result;
}

} // namespace troupe::test
