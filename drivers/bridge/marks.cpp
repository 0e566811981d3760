#include "troupe/drivers/bridge/marks.hpp"

#include "troupe/netns/rebuilt_word.hpp"

namespace troupe::drivers {

namespace {

constexpr std::string_view raised_word = "up";
constexpr std::string_view opened_word = "ipv6";
constexpr std::string_view rebuilt_word = netns::rebuilt_word;

// Cuts the text up to the next separator off.
std::string_view next_word(std::string_view& text) {
  auto end = text.find('+');
  auto word = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return word;
}

void read_word(std::string_view word, bridge_mark& out) {
  if (word == raised_word)
    out.raised = true;
  else if (word == opened_word)
    out.opened = true;
  else if (word == rebuilt_word)
    out.rebuilt = true;
  else if (auto x = interface_address::parse(word))
    out.addresses.push_back(*x);
}

} // namespace

std::optional<bridge_mark>
parse_mark(const instance& owner, std::string_view alias) {
  auto lead = owner.alias("");
  auto start = alias.find(lead);
  if (start == std::string_view::npos)
    return std::nullopt;
  auto before = alias.substr(0, start);
  auto rest = alias.substr(start + lead.size());
  // Without the separator it is the alias of a link of ours.
  if (rest.find('+') == std::string_view::npos)
    return std::nullopt;
  auto result = bridge_mark{};
  if (before.ends_with(' '))
    before.remove_suffix(1);
  result.alias_before = before;
  result.network = next_word(rest);
  while (!rest.empty())
    read_word(next_word(rest), result);
  return result;
}

std::string to_alias(const instance& owner, const bridge_mark& mark) {
  auto result = mark.alias_before;
  if (!result.empty())
    result += ' ';
  result += owner.alias(mark.network);
  result += '+';
  auto add = [&result](std::string_view word) {
    if (result.back() != '+')
      result += '+';
    result += word;
  };
  if (mark.raised)
    add(raised_word);
  if (mark.opened)
    add(opened_word);
  if (mark.rebuilt)
    add(rebuilt_word);
  for (const auto& x : mark.addresses)
    add(to_string(x));
  return result;
}

} // namespace troupe::drivers
