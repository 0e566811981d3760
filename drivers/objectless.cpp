#include "troupe/drivers/objectless.hpp"

#include "troupe/drivers/options.hpp"

#include <fmt/format.h>

namespace troupe::drivers {

namespace {

result<void> check_options(const text_map& options) {
  if (auto done = option_reader{options, {}}.verdict(); !done)
    return done;
  return check_option_labels(options, {});
}

class objectless_driver final : public driver {
public:
  objectless_driver(std::string_view name, const traits& features)
    : name_(name), features_(features) {
  }

  std::string_view name() const override {
    return name_;
  }

  traits features() const override {
    return features_;
  }

  result<void> validate(const network_spec& network) const override {
    for (const auto& pool : network.pools)
      if (pool.subnet || pool.gateway || pool.ip_range)
        return fail(
          ec::invalid_argument,
          fmt::format("{} network: has no addresses of its own", name_),
          "leave subnet, range and gateway out");
    return check_options(network.options);
  }

  result<void> validate_endpoint(const network_spec&,
                                 const endpoint_spec& endpoint) const override {
    if (endpoint.ipv4 || endpoint.ipv6 || endpoint.mac)
      return fail(ec::invalid_argument,
                  fmt::format("endpoint of a {} network: has no addresses of "
                              "its own",
                              name_),
                  "leave IP and MAC addresses out");
    return check_options(endpoint.options);
  }

  result<void> check_conflict(const network_spec& wanted,
                              const network_spec& existing) const override {
    return fail(ec::forbidden,
                fmt::format("cannot create network {}: only one instance of "
                            "\"{}\" network is allowed, and {} is it",
                            wanted.name, name_, existing.name));
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

  result<void> create_network(netns::kernel&, const network_spec&) override {
    return {};
  }

  result<void> remove_network(netns::kernel&, const network_spec&) override {
    return {};
  }

  result<void> create_endpoint(netns::kernel&, const endpoint_plan&) override {
    return {};
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
  inspect_network(netns::kernel&, const network_spec&) override {
    return std::vector<std::string>{};
  }

  result<std::vector<std::string>>
  inspect_endpoint(netns::kernel&, const endpoint_plan&) override {
    return std::vector<std::string>{};
  }

private:
  const std::string_view name_;
  const traits features_;
};

} // namespace

std::unique_ptr<driver>
make_objectless(std::string_view name, const traits& features) {
  return std::make_unique<objectless_driver>(name, features);
}

} // namespace troupe::drivers
