#pragma once

#include <string_view>

namespace troupe::netns {

/// Stands, after a `+`, in the alias of a bridge that belongs to somebody else,
/// was deleted, and was made anew for a network of ours.
inline constexpr std::string_view rebuilt_word = "rebuilt";

} // namespace troupe::netns
