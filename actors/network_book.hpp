#pragma once

#include "troupe/config/model/endpoint.hpp"
#include "troupe/config/model/network.hpp"
#include "troupe/drivers/ipam/driver.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace troupe {

/// Names, addresses and MAC addresses of one network's endpoints. Plain memory,
/// owned by the NETWORK actor and computed from the endpoints' records.
class network_book {
public:
  /// Opens the address books of the network's pools and claims gateways and
  /// auxiliary addresses; decides gateways that are not set. Errors: those of
  /// the IPAM driver, naming the address and the subnet.
  static result<network_book> open(network_spec& network);

  /// Claims name, addresses and MAC for a new endpoint and writes what was
  /// decided into it: all or nothing. Errors: `invalid_argument`, `conflict`
  /// (name, address, MAC), `unavailable` (no address left).
  result<void> claim(const network_spec& network, endpoint_spec& endpoint);

  /// Claims what a record holds already. Errors: `conflict`.
  result<void> restore(const endpoint_spec& endpoint);

  /// Gives everything of an endpoint back.
  void release(const endpoint_spec& endpoint);

  /// Name by endpoint id.
  const std::map<std::string, std::string>& names() const {
    return names_;
  }

private:
  ipam::address_pool* pool_for(ip_family family);
  ipam::address_pool* pool_for(const ip_address& x);
  result<void> claim_address(const std::optional<ip_address>& wanted,
                             ip_family family, endpoint_spec& endpoint);
  result<void>
  claim_addresses(const network_spec& network, endpoint_spec& endpoint);
  result<void> claim_mac(endpoint_spec& endpoint);
  result<void>
  check_name_free(const network_spec& network, const std::string& name) const;

  struct open_pool {
    prefix subnet;
    std::unique_ptr<ipam::address_pool> addresses;
  };
  std::vector<open_pool> pools_;
  std::map<std::string, std::string> names_;
  std::set<mac_address> macs_;
};

} // namespace troupe
