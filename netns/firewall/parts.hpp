#pragma once

#include "troupe/netns/firewall/element.hpp"
#include "troupe/netns/kernel.hpp"

#include <optional>
#include <string_view>

/// Private to netns: the bytes of keys and data.
namespace troupe::netns::firewall {

/// Bytes of one part in a key, without the padding.
size_t size_of(part x);

/// The same, padded to 4 as in a concatenation.
size_t padded_size_of(part x);

/// Bytes of a whole key or of data.
size_t size_of(std::span<const part> xs);

/// nft's name of the type, e.g. `ipv4_addr . inet_service`.
std::string type_name(std::span<const part> xs);

/// True if key and data are as long as the set's schema says and a verdict is
/// one that there is.
bool fits_schema(const element& x);

/// `add element publish4_any { tcp . 80 : 10.1.0.2 . 80 }`, for messages.
std::string describe(const element_change& x);

/// Refuses elements that do not fit and keys that come twice. Errors:
/// `invalid_argument`.
result<void> check_elements(std::span<const element> elements);

/// Refuses elements that do not fit. Errors: `invalid_argument`.
result<void> check_changes(std::span<const element_change> changes);

/// Inverse of `to_string`.
std::optional<verdict> verdict_from_string(std::string_view name);

} // namespace troupe::netns::firewall
