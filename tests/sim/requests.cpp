#include "troupe/config/model/json.hpp"
#include "troupe/tests/sim/random_run.hpp"

namespace troupe::sim {

namespace {

template <class T>
constexpr std::string_view name_of() {
  if constexpr (std::is_same_v<T, create_network>)
    return "create_network";
  else if constexpr (std::is_same_v<T, remove_network>)
    return "remove_network";
  else if constexpr (std::is_same_v<T, create_endpoint>)
    return "create_endpoint";
  else if constexpr (std::is_same_v<T, remove_endpoint>)
    return "remove_endpoint";
  else if constexpr (std::is_same_v<T, create_sandbox>)
    return "create_sandbox";
  else if constexpr (std::is_same_v<T, remove_sandbox>)
    return "remove_sandbox";
  else if constexpr (std::is_same_v<T, join_endpoint>)
    return "join";
  else if constexpr (std::is_same_v<T, leave_endpoint>)
    return "leave";
  else if constexpr (std::is_same_v<T, attach_sandbox>)
    return "attach";
  else if constexpr (std::is_same_v<T, detach_sandbox>)
    return "detach";
  else if constexpr (std::is_same_v<T, publish_ports>)
    return "publish";
  else if constexpr (std::is_same_v<T, unpublish_ports>)
    return "unpublish";
  else if constexpr (std::is_same_v<T, run_doctor>)
    return "doctor";
  else
    return "ask";
}

} // namespace

std::string to_string(const request& what) {
  return std::visit(
    []<class T>(const T& x) {
      return std::string{name_of<T>()} + " " + dump(to_json(x));
    },
    what);
}

/// Few host ports, so that they are taken now and then.
std::vector<port_spec> random_run::any_ports() {
  auto port = port_spec{};
  port.port = static_cast<uint16_t>(80 + pick(3));
  port.host_port = chance(50) ? static_cast<uint16_t>(8'080 + pick(4)) : 0;
  port.proto = chance(30) ? protocol::udp : protocol::tcp;
  return {port};
}

/// Few names, so that requests meet; none could be a prefix of an id.
request random_run::any_creation() {
  switch (pick(6)) {
  case 0: {
    auto spec = network_spec{};
    spec.name = name("n", 4);
    spec.enable_ipv6 = chance(30);
    spec.internal = chance(20);
    return create_network{spec};
  }
  case 1: {
    auto spec = sandbox_spec{};
    spec.name = name("s", 4);
    // Each namespace of a runtime belongs to one sandbox.
    if (spec.name == "s0" && chance(50))
      spec.netns_path = "/proc/7/ns/net";
    if (spec.name == "s1" && chance(50))
      spec.netns_path = "/proc/8/ns/net";
    return create_sandbox{spec};
  }
  case 2: {
    auto spec = endpoint_spec{};
    spec.name = name("w", 4);
    return create_endpoint{name("n", 4), spec};
  }
  case 3:
    return join_endpoint{name("n", 4), name("w", 4), name("s", 4)};
  case 4:
    return publish_ports{name("n", 4), chance(50) ? name("w", 4) : name("s", 4),
                         any_ports()};
  default: {
    auto spec = endpoint_spec{};
    spec.priority = static_cast<int>(pick(3));
    if (chance(40))
      spec.ports = any_ports();
    return attach_sandbox{name("n", 4), name("s", 4), spec};
  }
  }
}

request random_run::any_removal() {
  switch (pick(6)) {
  case 0:
    return remove_network{name("n", 4)};
  case 1:
    return remove_sandbox{name("s", 4)};
  case 2:
    return remove_endpoint{name("n", 4), name("w", 4), chance(50)};
  case 3:
    return leave_endpoint{name("n", 4), name("w", 4)};
  case 4:
    return unpublish_ports{
      name("n", 4), chance(50) ? name("w", 4) : name("s", 4), any_ports()};
  default:
    return detach_sandbox{name("n", 4), name("s", 4)};
  }
}

request random_run::any_request() {
  if (chance(3))
    return run_doctor{chance(50)};
  return chance(65) ? any_creation() : any_removal();
}

/// Everything acknowledged that a removal may take along. Names are enough: to
/// be wrong here means to check less.
std::set<std::string> random_run::victims_of(const request& what) const {
  auto result = std::set<std::string>{};
  auto add = [&](const std::string& description) {
    for (const auto& [id, text] : acknowledged_)
      if (text == description)
        result.insert(id);
  };
  auto add_ephemeral = [&](const std::string& sandbox) {
    for (const auto& [id, text] : acknowledged_)
      if (text.starts_with("attached ") && text.ends_with("/" + sandbox))
        result.insert(id);
  };
  if (const auto* x = std::get_if<remove_network>(&what))
    add("network " + x->network);
  else if (const auto* y = std::get_if<remove_endpoint>(&what))
    add("endpoint " + y->network + "/" + y->endpoint);
  else if (const auto* z = std::get_if<remove_sandbox>(&what)) {
    add("sandbox " + z->sandbox);
    add_ephemeral(z->sandbox);
  } else if (const auto* d = std::get_if<detach_sandbox>(&what))
    add("attached " + d->network + "/" + d->sandbox);
  return result;
}

} // namespace troupe::sim
