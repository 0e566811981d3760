#include "troupe/drivers/unknown.hpp"

#include "troupe/config/model/id.hpp"

namespace troupe::drivers {

namespace {

class unknown_driver final : public driver {
public:
  explicit unknown_driver(std::string_view name) : name_{name} {
  }

  std::string_view name() const override {
    return name_;
  }

  traits features() const override {
    return {.uses_addresses = false};
  }

  result<void> validate(const network_spec& network) const override {
    return fail(unknown_driver_error(network.driver));
  }

  result<void> validate_endpoint(const network_spec& network,
                                 const endpoint_spec&) const override {
    return fail(unknown_driver_error(network.driver));
  }

  result<void>
  check_conflict(const network_spec&, const network_spec&) const override {
    return {};
  }

  std::string network_interface(const network_spec&) const override {
    return {};
  }

  std::string host_interface(const endpoint_spec&) const override {
    return {};
  }

  std::string interface_prefix(const network_spec&) const override {
    return {};
  }

  result<void>
  create_network(netns::kernel&, const network_spec& network) override {
    return fail(unknown_driver_error(network.driver));
  }

  result<void> remove_network(netns::kernel&, const network_spec&) override {
    return {};
  }

  result<void>
  create_endpoint(netns::kernel&, const endpoint_plan& plan) override {
    return fail(unknown_driver_error(plan.network.driver));
  }

  result<void>
  remove_endpoints(netns::kernel&, std::span<const endpoint_plan>) override {
    return {};
  }

  result<std::vector<found_object>> list(netns::kernel&) override {
    return std::vector<found_object>{};
  }

  result<void>
  remove_found(netns::kernel&, std::span<const found_object>) override {
    return {};
  }

  result<std::vector<std::string>>
  inspect_network(netns::kernel&, const network_spec& network) override {
    return fail(unknown_driver_error(network.driver));
  }

  /// The network says it for all its endpoints.
  result<std::vector<std::string>>
  inspect_endpoint(netns::kernel&, const endpoint_plan&) override {
    return std::vector<std::string>{};
  }

private:
  const std::string name_;
};

} // namespace

std::unique_ptr<driver> make_unknown(std::string_view name) {
  return std::make_unique<unknown_driver>(name);
}

error unknown_driver_error(std::string_view name) {
  if (name.empty())
    return {ec::unsupported,
            "the network's record is missing or cannot be read: nothing is "
            "built for it",
            "bring the record back, or remove the network", 0};
  return {ec::unsupported,
          "this program has no driver " + quoted(name)
            + ": nothing is built for the network",
          "run the version that made the network, or remove it", 0};
}

} // namespace troupe::drivers
