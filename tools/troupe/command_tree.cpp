#include "troupe/tools/troupe/command_tree.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/config/model/nearest.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace troupe::tools {

namespace {

bool is_option(std::string_view word) {
  return word.size() > 1 && word.starts_with('-');
}

const CLI::Option*
find_option(const CLI::App& command, bool is_long, const std::string& name) {
  for (const auto* x : options_of(command))
    if (is_long ? x->check_lname(name) : x->check_sname(name))
      return x;
  return nullptr;
}

// Reads `--name`, `--name=value`, `-n`, `-nvalue` and flags in a row.
// @returns false when there is no such option.
bool read_option(command_place& place, std::string_view word) {
  auto name = std::string{};
  if (word.starts_with("--")) {
    auto equals = word.find('=');
    name = word.substr(2, equals == word.npos ? word.npos : equals - 2);
    const auto* found = find_option(*place.command, true, name);
    if (found != nullptr && equals == word.npos && takes_value(*found))
      place.open = found;
    return found != nullptr;
  }
  for (size_t i = 1; i < word.size(); ++i) {
    const auto* found
      = find_option(*place.command, false, std::string{word[i]});
    if (found == nullptr)
      return false;
    if (!takes_value(*found))
      continue;
    if (i + 1 == word.size())
      place.open = found;
    break; // The rest is its value.
  }
  return true;
}

const CLI::App* find_command(const CLI::App& above, const std::string& word) {
  for (const auto* x : commands_of(above))
    if (x->check_name(word))
      return x;
  return nullptr;
}

// @returns false when the command has no use for the word.
bool read_word(command_place& place, const std::string& word) {
  if (const auto* below = find_command(*place.command, word);
      below != nullptr && !place.options_ended) {
    place.command = below;
    place.positionals = 0;
    return true;
  }
  if (next_positional(place) == nullptr)
    return false;
  ++place.positionals;
  return true;
}

// What other programs call what we have, or what people expect to find.
constexpr auto synonyms
  = std::array<std::pair<std::string_view, std::string_view>, 10>{
    {{"container", "sandbox"},
     {"connect", "network connect"},
     {"disconnect", "network disconnect"},
     {"exec", "sandbox exec"},
     {"info", "status"},
     {"namespace", "sandbox"},
     {"port", "publish"},
     {"ps", "sandbox ls"},
     {"reload", "doctor --repair"},
     {"repair", "doctor --repair"}}};

// The commands of that name one level below, or of a synonym of it.
std::string place_of_command(const CLI::App& root, const std::string& word) {
  for (const auto& [other, ours] : synonyms)
    if (other == word)
      return "did you mean \"troupe " + std::string{ours} + "\"?";
  auto result = std::string{};
  for (const auto* noun : commands_of(root))
    if (const auto* verb = find_command(*noun, word))
      result += (result.empty() ? "did you mean \"" : ", \"") + path_of(*verb)
                + "\"";
  return result.empty() ? result : result + "?";
}

std::string hint_for(const CLI::App& root, const CLI::App& command,
                     const std::string& word) {
  auto names = std::vector<std::string>{};
  if (is_option(word)) {
    for (const auto* x : options_of(command))
      for (const auto& name : x->get_lnames())
        names.push_back("--" + name);
  } else {
    for (const auto* x : commands_of(command)) {
      names.push_back(x->get_name());
      std::ranges::copy(x->get_aliases(), std::back_inserter(names));
    }
  }
  auto views = std::vector<std::string_view>(names.begin(), names.end());
  if (!is_option(word) && !names.empty())
    if (auto hint = place_of_command(root, word); !hint.empty())
      return hint;
  auto stem = word.substr(0, word.find('='));
  if (stem.size() > 2 || !is_option(word))
    if (auto match = nearest(stem, views); !match.empty())
      return "did you mean \"" + std::string{match} + "\"?";
  return "see " + path_of(command) + " --help";
}

} // namespace

bool takes_value(const CLI::Option& option) {
  return option.get_items_expected_max() > 0;
}

std::string path_of(const CLI::App& command) {
  const auto* above = command.get_parent();
  return (above == nullptr ? std::string{} : path_of(*above) + " ")
         + command.get_name();
}

std::vector<const CLI::App*> commands_of(const CLI::App& command) {
  return command.get_subcommands([](const CLI::App*) {
    return true;
  });
}

std::vector<const CLI::Option*> options_of(const CLI::App& command) {
  auto result = std::vector<const CLI::Option*>{};
  for (const auto* x = &command; x != nullptr; x = x->get_parent())
    for (const auto* option : x->get_options())
      if (!option->get_positional())
        if (x == &command
            || option->get_lnames() != std::vector<std::string>{"help"})
          result.push_back(option);
  return result;
}

const CLI::Option* next_positional(const command_place& place) {
  auto left = place.positionals;
  for (const auto* x : place.command->get_options()) {
    if (!x->get_positional())
      continue;
    auto most = static_cast<size_t>(std::max(x->get_items_expected_max(), 0));
    if (left < most)
      return x;
    left -= most;
  }
  return nullptr;
}

command_place
find_place(const CLI::App& root, std::span<const std::string> words) {
  auto place = command_place{};
  place.command = &root;
  for (size_t i = 0; i < words.size(); ++i) {
    const auto& word = words[i];
    auto known = true;
    if (place.open != nullptr)
      place.open = nullptr;
    else if (word == "--" && !place.options_ended)
      place.options_ended = true;
    else if (is_option(word) && !place.options_ended)
      known = read_option(place, word);
    else
      known = read_word(place, word);
    if (!known) {
      place.unknown = i;
      break;
    }
  }
  return place;
}

std::optional<error>
explain_unknown(const CLI::App& root, std::span<const std::string> words) {
  auto place = find_place(root, words);
  if (!place.unknown)
    return std::nullopt;
  const auto& word = words[*place.unknown];
  const auto& command = *place.command;
  auto what
    = std::string{is_option(word) && !place.options_ended ? "unknown option "
                  : commands_of(command).empty()          ? "unexpected word "
                                                          : "unknown command "};
  return error{ec::invalid_argument,
               path_of(command) + ": " + what + quoted(word),
               hint_for(root, command, word), 0};
}

} // namespace troupe::tools
