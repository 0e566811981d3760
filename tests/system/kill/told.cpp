#include "troupe/tests/system/kill/told.hpp"

#include <map>

namespace troupe::test {

namespace {

using action = testing::history::action;
using kind = operation::kind;

std::string endpoint_object(const std::string& key) {
  return "endpoint " + key;
}

std::string join_object(const std::string& key) {
  return "join " + key;
}

std::string id_of(const nlohmann::json& status) {
  if (!status.is_object() || !status.contains("spec"))
    return {};
  return status["spec"].value("id", "");
}

/// An endpoint's identity begins with its id.
std::string first_word(const std::string& text) {
  return text.substr(0, text.find(' '));
}

} // namespace

void told::begin(std::string object, action what, std::string value) {
  objects_.insert(object);
  open_.push_back(log_->begin(std::move(object), what, std::move(value)));
}

void told::ask(const operation& what, const world& now) {
  open_.clear();
  tells_id_ = false;
  const auto key = what.network + "/" + what.endpoint;
  // Those that leave the sandbox, of one network or of all.
  auto part = [&](const std::string& lead) {
    for (const auto& [other, x] : now.endpoints)
      if (x.sandbox == what.sandbox && other.starts_with(lead))
        begin(x.ephemeral ? endpoint_object(other) : join_object(other),
              action::remove);
  };
  switch (what.what) {
  case kind::create_network:
    tells_id_ = true;
    return begin("network " + what.network, action::create);
  case kind::remove_network:
    return begin("network " + what.network, action::remove);
  case kind::create_sandbox:
    tells_id_ = true;
    return begin("sandbox " + what.sandbox, action::create);
  case kind::remove_sandbox:
    begin("sandbox " + what.sandbox, action::remove);
    return part("");
  case kind::create_endpoint:
    tells_id_ = true;
    return begin(endpoint_object(key), action::create);
  case kind::remove_endpoint:
    return begin(endpoint_object(key), action::remove);
  case kind::join:
    return begin(join_object(key), action::create, what.sandbox);
  case kind::leave:
    return now.endpoints.at(key).ephemeral
             ? begin(endpoint_object(key), action::remove)
             : begin(join_object(key), action::remove);
  case kind::attach:
    tells_id_ = true;
    return begin(endpoint_object(what.network + "/" + what.sandbox),
                 action::create);
  case kind::detach:
    return part(what.network + "/");
  }
}

void told::answer(const nlohmann::json& reply) {
  for (auto ticket : open_)
    log_->end(ticket, testing::history::outcome::done,
              tells_id_ ? id_of(reply) : std::string{});
  open_.clear();
}

void told::see(const world& listed) {
  auto found = std::map<std::string, std::string>{};
  for (const auto& [name, id] : listed.networks)
    found["network " + name] = id;
  for (const auto& [name, id] : listed.sandboxes)
    found["sandbox " + name] = id;
  for (const auto& [key, x] : listed.endpoints) {
    found[endpoint_object(key)] = first_word(x.identity);
    if (!x.ephemeral)
      found[join_object(key)] = x.sandbox;
  }
  for (const auto& [object, value] : found)
    objects_.insert(object);
  for (const auto& object : objects_)
    log_->saw(object, found[object]);
}

} // namespace troupe::test
