#pragma once

#include "troupe/config/model/address.hpp"
#include "troupe/config/model/endpoint.hpp"
#include "troupe/config/model/id.hpp"

#include <string>
#include <string_view>

namespace troupe::drivers {

/// What names of bridges and of the host ends of endpoints begin with; the
/// first 12 digits of the id follow.
inline constexpr std::string_view bridge_lead = "br-";
inline constexpr std::string_view host_end_lead = "trp";

/// A host end that is being replaced has this name until it is deleted.
inline constexpr std::string_view spare_lead = "trx";

/// `br-` and 12 digits; empty for an empty id.
std::string bridge_name(const network_id& id);

/// `trp` and 12 digits; empty for an empty id.
std::string host_end_name(const endpoint_id& id);

/// True for a name of a form that we generate.
bool is_generated_name(std::string_view name);

/// The bridge's MAC: locally administered, made of the id, so that it is the
/// same whenever the bridge is built again. @pre `id` is not empty.
mac_address bridge_mac(const network_id& id);

/// The MAC of an endpoint's host end, made of the id. @pre `id` is not empty.
mac_address host_end_mac(const endpoint_id& id);

/// The endpoint's MAC: the one recorded, else `02:42:` and its IPv4 address,
/// else made of the id. @pre the endpoint has an id.
mac_address endpoint_mac(const endpoint_spec& endpoint);

} // namespace troupe::drivers
