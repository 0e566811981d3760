#include "troupe/drivers/bridge/names.hpp"

#include "troupe/drivers/tags.hpp"

#include <charconv>

namespace troupe::drivers {

namespace {

std::string generated(std::string_view lead, const std::string& brief) {
  return brief.empty() ? std::string{} : std::string{lead} + brief;
}

// Unicast and locally administered, and neither is a container's 02:42. A
// bridge of the user's takes the lowest address of its ports, so those are
// high.
constexpr uint8_t usual_lead = 0x06;
constexpr uint8_t port_lead = 0xfe;

mac_address mac_of(std::string_view id, uint8_t lead = usual_lead) {
  auto result = mac_address{{lead, 0, 0, 0, 0, 0}};
  for (size_t i = 1; i < result.bytes.size() && 2 * i <= id.size(); ++i) {
    const auto* digits = id.data() + 2 * (i - 1);
    std::from_chars(digits, digits + 2, result.bytes[i], 16);
  }
  return result;
}

} // namespace

std::string bridge_name(const network_id& id) {
  return generated(bridge_lead, id.brief());
}

std::string host_end_name(const endpoint_id& id) {
  return generated(host_end_lead, id.brief());
}

bool is_generated_name(std::string_view name) {
  return !brief_id_in(name, bridge_lead).empty()
         || !brief_id_in(name, host_end_lead).empty()
         || !brief_id_in(name, spare_lead).empty();
}

mac_address bridge_mac(const network_id& id) {
  return mac_of(id.value);
}

mac_address host_end_mac(const endpoint_id& id) {
  return mac_of(id.value, port_lead);
}

mac_address endpoint_mac(const endpoint_spec& endpoint) {
  if (endpoint.mac)
    return *endpoint.mac;
  for (const auto& x : endpoint.addresses)
    if (x.address.is_v4())
      return mac_address::from_ipv4(x.address);
  return mac_of(endpoint.id.value);
}

} // namespace troupe::drivers
