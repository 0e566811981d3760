#pragma once

#include "troupe/netns/firewall/element.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::netns::firewall {

/// The text of ruleset.nft, as it is in the repository.
std::string_view ruleset_text();

/// The user's table and chains, made once and never changed by us.
inline constexpr std::string_view user_table = "troupe_user";
inline constexpr std::string_view user_chain = "before_troupe";
inline constexpr std::string_view user_input_chain = "before_troupe_input";

/// Which of the user's chains are not there.
struct missing_chains {
  bool forward = false;
  bool input = false;
};

/// The names of the chains that the ruleset has in its table of that family.
std::vector<std::string_view> chains_of(table_family family);

/// A table of ours in the kernel that has the chains and sets of the ruleset
/// and no others.
struct sound_table {
  table_family family = table_family::inet;
  std::vector<element> elements;
};

/// What `nft -f -` reads to make the tables hold exactly these elements: the
/// ruleset with its blanks filled in and the changes of elements, one
/// transaction.
/// @param sound Tables whose sets stay, so that a packet that is on its way
///   finds what is in them. Others are deleted and made anew.
/// @param make The user's chains to make.
/// Errors: `invalid_argument` for a table's name that is not one of
/// `table_name`, for a group that is 0 or odd, for wrong elements and for an
/// element that comes twice.
result<std::string>
render(const settings& rules, std::span<const element> elements,
       std::span<const sound_table> sound, missing_chains make);

} // namespace troupe::netns::firewall
