#pragma once

#include <span>
#include <string>
#include <string_view>

namespace troupe {

/// The candidate that `word` is most likely a typo of; empty if none is close.
/// Counts insertions, deletions, replacements and swaps of neighbours, case
/// ignored. The first of equals wins.
std::string_view
nearest(std::string_view word, std::span<const std::string_view> candidates);

/// The hint for an unknown word: `did you mean "name"?`, else
/// `known: id, name, …`.
std::string nearest_hint(std::string_view word,
                         std::span<const std::string_view> candidates);

} // namespace troupe
