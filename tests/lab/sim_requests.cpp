#include "troupe/tests/lab/sim_requests.hpp"

#include "troupe/config/model/json.hpp"

namespace troupe::testing {

namespace {

/// Draws the parts of requests.
class drawing {
public:
  drawing(int objects, std::mt19937_64& rng) : objects_{objects}, rng_{rng} {
  }

  request draw(operation_kind what) {
    switch (what) {
    case operation_kind::create_network:
      return new_network();
    case operation_kind::remove_network:
      return remove_network{network()};
    case operation_kind::create_endpoint: {
      auto spec = endpoint_spec{};
      spec.name = endpoint();
      spec.options = interface_option();
      return create_endpoint{network(), spec};
    }
    case operation_kind::remove_endpoint:
      return remove_endpoint{network(), endpoint(), chance(50)};
    case operation_kind::create_sandbox:
      return new_sandbox();
    case operation_kind::remove_sandbox:
      return remove_sandbox{sandbox()};
    case operation_kind::join:
      return join_endpoint{network(), endpoint(), sandbox()};
    case operation_kind::leave:
      return leave_endpoint{network(), endpoint()};
    case operation_kind::attach:
      return new_attachment();
    case operation_kind::detach:
      return detach_sandbox{network(), sandbox()};
    case operation_kind::publish:
      return publish_ports{network(), either(), ports()};
    case operation_kind::unpublish:
      return unpublish_ports{network(), either(), ports()};
    case operation_kind::inspect:
      return inspection();
    case operation_kind::doctor:
      return run_doctor{chance(50)};
    }
    return get_status{};
  }

private:
  size_t pick(size_t limit) {
    return static_cast<size_t>(rng_() % limit);
  }
  bool chance(unsigned percent) {
    return pick(100) < percent;
  }
  std::string name(const char* lead) {
    return lead + std::to_string(pick(static_cast<size_t>(objects_)));
  }
  std::string network() {
    return name("n");
  }
  std::string endpoint() {
    return name("w");
  }
  std::string sandbox() {
    return name("s");
  }
  /// Attached endpoints have the names of their sandboxes.
  std::string either() {
    return chance(50) ? endpoint() : sandbox();
  }

  request new_network() {
    auto spec = network_spec{};
    spec.name = network();
    spec.enable_ipv6 = chance(30);
    spec.internal = chance(20);
    return create_network{spec};
  }

  request new_sandbox() {
    auto spec = sandbox_spec{};
    spec.name = sandbox();
    // Each namespace of a runtime belongs to one sandbox.
    if (spec.name == "s0" && chance(50))
      spec.netns_path = "/proc/7/ns/net";
    if (spec.name == "s1" && chance(50))
      spec.netns_path = "/proc/8/ns/net";
    return create_sandbox{spec};
  }

  request new_attachment() {
    auto spec = endpoint_spec{};
    spec.priority = static_cast<int>(pick(3));
    if (chance(40))
      spec.ports = ports();
    spec.options = interface_option();
    return attach_sandbox{network(), sandbox(), spec};
  }

  /// Now and then a name that another endpoint of the sandbox has already.
  text_map interface_option() {
    if (!chance(15))
      return {};
    return {{"ifname", chance(50) ? "eth0" : "eth1"}};
  }

  request inspection() {
    switch (pick(3)) {
    case 0:
      return inspect_network{network()};
    case 1:
      return inspect_sandbox{sandbox()};
    default:
      return inspect_endpoint{network(), endpoint()};
    }
  }

  /// Few host ports, so that they are taken now and then.
  std::vector<port_spec> ports() {
    auto port = port_spec{};
    port.port = static_cast<uint16_t>(80 + pick(3));
    port.host_port
      = chance(50) ? static_cast<uint16_t>(8'080 + pick(4)) : uint16_t{0};
    port.proto = chance(30) ? protocol::udp : protocol::tcp;
    return {port};
  }

  int objects_;
  std::mt19937_64& rng_;
};

struct kind_visitor {
  using kind = operation_kind;
  kind operator()(const create_network&) const {
    return kind::create_network;
  }
  kind operator()(const remove_network&) const {
    return kind::remove_network;
  }
  kind operator()(const create_endpoint&) const {
    return kind::create_endpoint;
  }
  kind operator()(const remove_endpoint&) const {
    return kind::remove_endpoint;
  }
  kind operator()(const create_sandbox&) const {
    return kind::create_sandbox;
  }
  kind operator()(const remove_sandbox&) const {
    return kind::remove_sandbox;
  }
  kind operator()(const join_endpoint&) const {
    return kind::join;
  }
  kind operator()(const leave_endpoint&) const {
    return kind::leave;
  }
  kind operator()(const attach_sandbox&) const {
    return kind::attach;
  }
  kind operator()(const detach_sandbox&) const {
    return kind::detach;
  }
  kind operator()(const publish_ports&) const {
    return kind::publish;
  }
  kind operator()(const unpublish_ports&) const {
    return kind::unpublish;
  }
  kind operator()(const run_doctor&) const {
    return kind::doctor;
  }
  template <class T>
  kind operator()(const T&) const {
    return kind::inspect;
  }
};

} // namespace

request
any_request(const operation_mix& mix, int objects, std::mt19937_64& rng) {
  auto sum = uint64_t{0};
  for_each_field(mix, [&](std::string_view, int weight) {
    sum += static_cast<uint64_t>(weight);
  });
  auto left = static_cast<int64_t>(rng() % sum);
  auto chosen = size_t{0};
  auto found = false;
  for_each_field(mix, [&](std::string_view, int weight) {
    left -= weight;
    if (!found && left >= 0)
      ++chosen;
    found = left < 0;
  });
  return drawing{objects, rng}.draw(static_cast<operation_kind>(chosen));
}

operation_kind kind_of(const request& x) {
  return std::visit(kind_visitor{}, x);
}

std::string to_string(const request& x) {
  return to_string(kind_of(x)) + " "
         + std::visit(
           [](const auto& what) {
             return dump(to_json(what));
           },
           x);
}

} // namespace troupe::testing
