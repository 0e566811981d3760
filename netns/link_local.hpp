#pragma once

#include "troupe/config/model/address.hpp"

namespace troupe::netns {

/// The link-local address that the kernel makes of a MAC address (EUI-64).
interface_address link_local_of(const mac_address& mac);

/// Is it one that was made of a MAC address?
bool is_made_of_mac(const ip_address& x);

} // namespace troupe::netns
