#pragma once

#include "troupe/netns/firewall/element.hpp"

#include <span>
#include <string>
#include <string_view>

namespace troupe::netns::firewall {

/// The text of ruleset.nft, as it is in the repository.
std::string_view ruleset_text();

/// The user's table and chain, made once and never changed by us.
inline constexpr std::string_view user_table = "troupe_user";
inline constexpr std::string_view user_chain = "before_troupe";

/// What `nft -f -` reads: the ruleset with its blanks filled in and all the
/// elements, one transaction.
/// @param make_user_chain The user's chain is not there.
/// Errors: `invalid_argument` for a table's name that is not one of
/// `table_name`, for a group that is 0 or odd, for wrong elements and for an
/// element that comes twice.
result<std::string>
render(const settings& rules, std::span<const element> elements,
       bool make_user_chain);

} // namespace troupe::netns::firewall
