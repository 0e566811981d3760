#include "troupe/drivers/driver.hpp"

namespace troupe::drivers {

void driver::resolve(
  network_spec&, std::span<const std::shared_ptr<const network_spec>>) const {
}

std::vector<interface_address>
driver::network_addresses(const network_spec&) const {
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
