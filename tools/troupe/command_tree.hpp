#pragma once

#include "troupe/config/model/error.hpp"

#include <CLI/App.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::tools {

/// Where the words of a command line lead in the tree of commands, read as the
/// parser reads them, but up to the first word that means nothing only.
struct command_place {
  const CLI::App* command = nullptr; ///< The innermost one.
  const CLI::Option* open = nullptr; ///< It waits for its value.
  size_t positionals = 0;            ///< Words of the command that are none
                                     ///< of its options.
  bool options_ended = false;        ///< By `--`.
  std::optional<size_t> unknown;     ///< The word that means nothing.
};

/// @param words those behind the program's name.
command_place
find_place(const CLI::App& root, std::span<const std::string> words);

/// The command with all above it, e.g. `troupe network create`.
std::string path_of(const CLI::App& command);

/// The commands below one, in the order of its help.
std::vector<const CLI::App*> commands_of(const CLI::App& command);

/// The options of a command, and the global ones behind them.
std::vector<const CLI::Option*> options_of(const CLI::App& command);

/// The positional that the next word belongs to; null: there is none.
const CLI::Option* next_positional(const command_place& place);

/// Does the option take a value?
bool takes_value(const CLI::Option& option);

/// What is wrong with the first word that means nothing, and the nearest that
/// does; nothing if they all do.
std::optional<error>
explain_unknown(const CLI::App& root, std::span<const std::string> words);

} // namespace troupe::tools
