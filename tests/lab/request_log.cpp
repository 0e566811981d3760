#include "troupe/tests/lab/request_log.hpp"

#include <map>

namespace troupe::testing {

namespace {

using action = history::action;
using outcome = history::outcome;

std::string
endpoint_object(const std::string& network, const std::string& name) {
  return "endpoint " + network + "/" + name;
}

std::string join_object(const std::string& network, const std::string& name) {
  return "join " + network + "/" + name;
}

/// What an error says about the first object of a request.
outcome outcome_of(const request& what, const error& why) {
  if (why.code == ec::timeout)
    return outcome::unknown;
  const auto names_one_object
    = std::holds_alternative<remove_network>(what)
      || std::holds_alternative<remove_sandbox>(what)
      || std::holds_alternative<remove_endpoint>(what)
      || std::holds_alternative<inspect_network>(what)
      || std::holds_alternative<inspect_sandbox>(what)
      || std::holds_alternative<inspect_endpoint>(what);
  if (why.code == ec::not_found && names_one_object)
    return outcome::absent;
  const auto is_taken
    = std::holds_alternative<create_network>(what)
      && why.message.find("name is taken") != std::string::npos;
  return why.code == ec::conflict && is_taken ? outcome::exists
                                              : outcome::refused;
}

/// The value that a reply tells of the first object.
std::string value_of(const reply& x) {
  if (const auto* network = std::get_if<network_status>(&x))
    return network->spec.id.value;
  if (const auto* sandbox = std::get_if<sandbox_status>(&x))
    return sandbox->spec.id.value;
  if (const auto* endpoint = std::get_if<endpoint_status>(&x))
    return endpoint->spec.id.value;
  return {};
}

} // namespace

/// Begins what a request does with each object that it may touch, the one it
/// names first.
struct request_log::begin_visitor {
  request_log& log;
  tickets result = {};

  void add(const std::string& object, action what, std::string value = {}) {
    result.push_back(log.log_.begin(object, what, std::move(value)));
  }

  void operator()(const create_network& x) {
    add("network " + x.spec.name, action::create);
  }
  void operator()(const remove_network& x) {
    add("network " + x.network, action::remove);
  }
  void operator()(const inspect_network& x) {
    add("network " + x.network, action::read);
  }
  void operator()(const create_sandbox& x) {
    add("sandbox " + x.spec.name, action::create);
  }
  void operator()(const remove_sandbox& x) {
    add("sandbox " + x.sandbox, action::remove);
    log.for_each_name("n", [&](const std::string& network) {
      add(endpoint_object(network, x.sandbox), action::clear);
      log.for_each_name("w", [&](const std::string& name) {
        add(join_object(network, name), action::clear, x.sandbox);
      });
    });
  }
  void operator()(const inspect_sandbox& x) {
    add("sandbox " + x.sandbox, action::read);
  }
  void operator()(const create_endpoint& x) {
    add(endpoint_object(x.network, x.spec.name), action::create);
  }
  void operator()(const remove_endpoint& x) {
    add(endpoint_object(x.network, x.endpoint), action::remove);
    add(join_object(x.network, x.endpoint), action::clear);
  }
  void operator()(const inspect_endpoint& x) {
    add(endpoint_object(x.network, x.endpoint), action::read);
  }
  void operator()(const join_endpoint& x) {
    add(join_object(x.network, x.endpoint), action::create, x.sandbox);
  }
  void operator()(const leave_endpoint& x) {
    add(join_object(x.network, x.endpoint), action::remove);
  }
  void operator()(const attach_sandbox& x) {
    add(endpoint_object(x.network, x.sandbox), action::create);
  }
  /// Takes whichever endpoint joined first.
  void operator()(const detach_sandbox& x) {
    add(endpoint_object(x.network, x.sandbox), action::may_clear);
    log.for_each_name("w", [&](const std::string& name) {
      add(join_object(x.network, name), action::may_clear);
    });
  }
  template <class T>
  void operator()(const T&) {
  }
};

request_log::tickets request_log::begin(const request& what) {
  auto visitor = begin_visitor{*this};
  std::visit(visitor, what);
  return std::move(visitor.result);
}

void request_log::end(const tickets& which, const request& what,
                      const result<reply>& x, bool is_trusted) {
  auto told = outcome::done;
  auto value = std::string{};
  const auto is_join = std::holds_alternative<join_endpoint>(what);
  if (x && !is_join)
    value = value_of(*x);
  if (!x)
    told = is_trusted ? outcome_of(what, x.error()) : outcome::unknown;
  for (size_t i = 0; i < which.size(); ++i) {
    const auto one = i == 0 || told == outcome::done || told == outcome::unknown
                       ? told
                       : outcome::refused;
    log_.end(which[i], one, i == 0 ? value : std::string{});
  }
}

void request_log::lose_run_directory() {
  auto lose = [&](const std::string& object) {
    log_.end(log_.begin(object, action::clear), outcome::done);
  };
  for_each_name("s", [&](const std::string& sandbox) {
    lose("sandbox " + sandbox);
  });
  for_each_name("n", [&](const std::string& network) {
    for_each_name("s", [&](const std::string& sandbox) {
      lose(endpoint_object(network, sandbox));
    });
    for_each_name("w", [&](const std::string& name) {
      lose(join_object(network, name));
    });
  });
}

void request_log::settle(const persistence::snapshot& records) {
  log_.settle();
  auto found = std::map<std::string, std::string>{};
  auto networks = std::map<network_id, std::string>{};
  auto sandboxes = std::map<sandbox_id, std::string>{};
  auto endpoints = std::map<endpoint_id, std::string>{};
  for (const auto& x : records.networks) {
    found["network " + x.name] = x.id.value;
    networks[x.id] = x.name;
  }
  for (const auto& x : records.sandboxes) {
    found["sandbox " + x.name] = x.id.value;
    sandboxes[x.id] = x.name;
  }
  for (const auto& x : records.endpoints) {
    found[endpoint_object(networks[x.network], x.name)] = x.id.value;
    if (!x.ephemeral)
      endpoints[x.id] = x.name;
  }
  for (const auto& x : records.joins)
    if (endpoints.contains(x.endpoint))
      found[join_object(networks[x.network], endpoints[x.endpoint])]
        = sandboxes[x.sandbox];
  auto look = [&](const std::string& object) {
    log_.saw(object, found[object]);
  };
  for_each_name("s", [&](const std::string& sandbox) {
    look("sandbox " + sandbox);
  });
  for_each_name("n", [&](const std::string& network) {
    look("network " + network);
    for_each_name("s", [&](const std::string& sandbox) {
      look(endpoint_object(network, sandbox));
    });
    for_each_name("w", [&](const std::string& name) {
      look(endpoint_object(network, name));
      look(join_object(network, name));
    });
  });
}

} // namespace troupe::testing
