#include "troupe/drivers/driver.hpp"

namespace troupe::drivers {

result<void>
driver::resolve(network_spec&,
                std::span<const std::shared_ptr<const network_spec>>) const {
  return {};
}

void driver::adopt_mtu(network_spec&, uint32_t) const {
}

void driver::adopt_interface(network_spec&) const {
}

announcements
driver::announcing(const network_spec&, const endpoint_spec&) const {
  return {.count = 0};
}

result<void> driver::announce_endpoint(netns::kernel&, const endpoint_plan&) {
  return {};
}

std::vector<interface_address>
driver::network_addresses(const network_spec&) const {
  return {};
}

result<void> driver::check_place(netns::kernel&, const network_spec&) const {
  return {};
}

std::vector<std::string>
driver::compare_network(const network_spec&, const seen_interface&) const {
  return {};
}

std::vector<std::string>
driver::compare_host_end(const endpoint_plan&, const seen_interface&) const {
  return {};
}

std::vector<std::string>
driver::compare_inside(const endpoint_plan&, const seen_interface&) const {
  return {};
}

// What holds for networks that the firewall has nothing to do with.

result<firewall_elements> driver::network_elements(const network_spec&) const {
  return firewall_elements{};
}

result<firewall_elements>
driver::endpoint_elements(const network_spec&, const endpoint_spec&,
                          std::span<const port_binding>) const {
  return firewall_elements{};
}

port_delivery driver::delivery(const network_spec&, const endpoint_spec&,
                               const port_binding&) const {
  return {};
}

publish_mode driver::publishing(const network_spec&, ip_family) const {
  return publish_mode::none;
}

std::optional<ip_address> driver::publish_address(const network_spec&) const {
  return std::nullopt;
}

bool driver::connects_endpoints(const network_spec&) const {
  return true;
}

bool driver::needs_forwarding(const network_spec&, ip_family) const {
  return false;
}

} // namespace troupe::drivers
