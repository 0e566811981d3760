#include "troupe/drivers/bridge/bridge.hpp"

#include "troupe/drivers/bridge/compare.hpp"
#include "troupe/drivers/bridge/device.hpp"
#include "troupe/drivers/bridge/endpoint.hpp"
#include "troupe/drivers/bridge/inventory.hpp"
#include "troupe/drivers/bridge/marks.hpp"
#include "troupe/drivers/bridge/names.hpp"
#include "troupe/drivers/bridge/rules.hpp"
#include "troupe/drivers/bridge/validate.hpp"
#include "troupe/drivers/bridge/wanted.hpp"
#include "troupe/drivers/tags.hpp"

namespace troupe::drivers {

namespace {

class bridge_driver final : public driver {
public:
  explicit bridge_driver(const instance& owner) : owner_(owner) {
  }

  std::string_view name() const override {
    return "bridge";
  }

  traits features() const override {
    return {.uses_firewall = true};
  }

  result<void>
  resolve(network_spec& network,
          std::span<const std::shared_ptr<const network_spec>> others)
    const override {
    return resolve_allowed_networks(network, others);
  }

  void adopt_mtu(network_spec& network, uint32_t mtu_bytes) const override {
    adopt_bridge_mtu(network, mtu_bytes);
  }

  void adopt_interface(network_spec& network) const override {
    adopt_user_bridge(network);
  }

  result<void> validate(const network_spec& network) const override {
    return validate_bridge(network);
  }

  result<void> validate_endpoint(const network_spec& network,
                                 const endpoint_spec& endpoint) const override {
    return validate_bridge_endpoint(network, endpoint);
  }

  result<void> check_conflict(const network_spec& wanted,
                              const network_spec& existing) const override {
    return check_bridge_conflict(wanted, existing);
  }

  std::string network_interface(const network_spec& network) const override {
    return network_bridge(network);
  }

  std::vector<interface_address>
  network_addresses(const network_spec& network) const override {
    return want_bridge(network).value_or(wanted_bridge{}).addresses;
  }

  std::string host_interface(const endpoint_spec& endpoint) const override {
    return host_end_name(endpoint.id);
  }

  std::string interface_prefix(const network_spec& network) const override {
    return parse_bridge_options(network)
      .value_or(bridge_options{})
      .interface_prefix;
  }

  result<void> check_place(netns::kernel& kernel,
                           const network_spec& network) const override {
    return want_bridge(network).and_then([&](const wanted_bridge& wanted) {
      return check_bridge_place(kernel, owner_, wanted);
    });
  }

  std::vector<std::string>
  compare_network(const network_spec& network,
                  const seen_interface& own) const override {
    auto wanted = want_bridge(network);
    if (!wanted)
      return {wanted.error().message};
    const auto is_ours = belongs_to(owner_, own.link, wanted->id);
    const auto mark = parse_mark(owner_, own.link.alias);
    if (!is_ours && !(mark && mark->network == wanted->id))
      return {own.link.name + ": exists and is not ours"};
    return compare_bridge(owner_, own, *wanted, is_ours);
  }

  std::vector<std::string>
  compare_host_end(const endpoint_plan& plan,
                   const seen_interface& end) const override {
    auto wanted = want_endpoint(owner_, plan);
    if (!wanted)
      return {wanted.error().message};
    return drivers::compare_host_end(end.link, *wanted,
                                     end.bridge == wanted->bridge);
  }

  std::vector<std::string>
  compare_inside(const endpoint_plan& plan,
                 const seen_interface& inside) const override {
    auto wanted = want_endpoint(owner_, plan);
    if (!wanted)
      return {wanted.error().message};
    return compare_peer(inside, *wanted);
  }

  result<void>
  create_network(netns::kernel& kernel, const network_spec& network) override {
    return want_bridge(network).and_then([&](const wanted_bridge& wanted) {
      return create_bridge(kernel, owner_, wanted);
    });
  }

  result<void>
  remove_network(netns::kernel& kernel, const network_spec& network) override {
    return want_bridge(network).and_then([&](const wanted_bridge& wanted) {
      return remove_bridge(kernel, owner_, wanted);
    });
  }

  result<void>
  create_endpoint(netns::kernel& kernel, const endpoint_plan& plan) override {
    return want_endpoint(owner_, plan)
      .and_then([&](const wanted_endpoint& wanted) {
        return create_bridge_endpoint(kernel, owner_, wanted);
      });
  }

  announcements announcing(const network_spec& network,
                           const endpoint_spec& endpoint) const override {
    return endpoint_announcements(network, endpoint);
  }

  result<void>
  announce_endpoint(netns::kernel& kernel, const endpoint_plan& plan) override {
    return want_endpoint(owner_, plan)
      .and_then([&](const wanted_endpoint& wanted) {
        return announce_bridge_endpoint(kernel, wanted);
      });
  }

  result<void> remove_endpoints(netns::kernel& kernel,
                                std::span<const endpoint_plan> plans) override {
    return remove_bridge_endpoints(kernel, owner_, plans);
  }

  result<std::vector<found_object>> list(netns::kernel& kernel) override {
    return list_bridge_objects(kernel, owner_);
  }

  result<void> remove_found(netns::kernel& kernel,
                            std::span<const found_object> objects) override {
    return remove_bridge_objects(kernel, owner_, objects);
  }

  result<std::vector<std::string>>
  inspect_network(netns::kernel& kernel, const network_spec& network) override {
    return want_bridge(network).and_then([&](const wanted_bridge& wanted) {
      return inspect_bridge(kernel, owner_, wanted);
    });
  }

  result<std::vector<std::string>>
  inspect_endpoint(netns::kernel& kernel, const endpoint_plan& plan) override {
    return want_endpoint(owner_, plan)
      .and_then([&](const wanted_endpoint& wanted) {
        return inspect_bridge_endpoint(kernel, owner_, wanted);
      });
  }

  result<firewall_elements>
  network_elements(const network_spec& network) const override {
    return bridge_network_elements(network);
  }

  result<firewall_elements>
  endpoint_elements(const network_spec& network, const endpoint_spec& endpoint,
                    std::span<const port_binding> bindings) const override {
    return bridge_endpoint_elements(network, endpoint, bindings);
  }

  port_delivery
  delivery(const network_spec& network, const endpoint_spec& endpoint,
           const port_binding& binding) const override {
    return bridge_delivery(network, endpoint, binding);
  }

  publish_mode
  publishing(const network_spec& network, ip_family family) const override {
    return bridge_publishing(network, family);
  }

  std::optional<ip_address>
  publish_address(const network_spec& network) const override {
    return bridge_publish_address(network);
  }

  bool connects_endpoints(const network_spec& network) const override {
    auto options = parse_bridge_options(network);
    return options && options->enable_icc;
  }

  bool needs_forwarding(const network_spec& network,
                        ip_family family) const override {
    return bridge_needs_forwarding(network, family);
  }

private:
  const instance owner_;
};

} // namespace

std::unique_ptr<driver> make_bridge(const instance& owner) {
  return std::make_unique<bridge_driver>(owner);
}

} // namespace troupe::drivers
