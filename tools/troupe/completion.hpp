#pragma once

#include "troupe/tools/troupe/session.hpp"

#include <span>
#include <string>
#include <string_view>

namespace troupe::tools {

/// The word that asks for `complete` in place of a command.
inline constexpr auto complete_word = std::string_view{"__complete"};

/// Prints what the last word may become, a line each, with what it is for
/// behind a tab. A line `:files` means the names of files, `:nospace` that the
/// word goes on behind it, `:unknown` that an option's value has no row in the
/// table of values. Never an error: there is nobody to read it.
/// @param words behind the program's name, but for `__complete`; the last one
/// is begun.
void complete(session& s, const CLI::App& root,
              std::span<const std::string> words);

/// The scripts for shells, which only ever ask `troupe __complete`.
extern const std::string_view bash_completion;
extern const std::string_view zsh_completion;
extern const std::string_view fish_completion;

} // namespace troupe::tools
