#pragma once

#include "troupe/config/model/endpoint.hpp"
#include "troupe/config/model/network.hpp"
#include "troupe/config/model/reference.hpp"
#include "troupe/drivers/ipam/driver.hpp"

#include <map>
#include <memory>
#include <optional>
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

  /// The same for a recorded network, as far as its pools can be opened.
  /// @param problems what could not be, one line each.
  static network_book
  reopen(const network_spec& network, std::vector<std::string>& problems);

  /// Claims name, addresses and MAC for a new endpoint and writes what was
  /// decided into it: all or nothing. Errors: `invalid_argument`, `conflict`
  /// (name, address, MAC), `unavailable` (no address left).
  result<void> claim(const network_spec& network, endpoint_spec& endpoint);

  /// Claims what a record holds already, as far as it can be: the name in any
  /// case, so that the endpoint can be found and removed.
  /// @returns what could not be, one line each.
  std::vector<std::string> restore(const endpoint_spec& endpoint);

  /// Gives back everything that an endpoint holds.
  void release(const endpoint_id& endpoint);

  /// The endpoints' names.
  const name_index& names() const {
    return names_;
  }

private:
  /// What an endpoint holds; of two odd records only the first has it.
  struct holding {
    std::vector<ip_address> addresses;
    std::optional<mac_address> mac;
  };

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
  name_index names_;
  std::set<mac_address> macs_;
  std::map<endpoint_id, holding> holdings_;
};

} // namespace troupe
