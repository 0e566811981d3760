#include "troupe/actors/reference.hpp"

#include <algorithm>

namespace troupe {

namespace {

result<std::string> by_prefix(const std::map<std::string, std::string>& names,
                              std::string_view text, std::string_view kind) {
  auto first = names.lower_bound(std::string{text});
  if (first == names.end() || !first->first.starts_with(text))
    return fail(ec::not_found,
                "find " + std::string{kind} + " " + quoted(text) + ": no such "
                  + std::string{kind},
                "list them with: troupe " + std::string{kind} + " ls");
  auto second = std::next(first);
  if (second != names.end() && second->first.starts_with(text))
    return fail(ec::invalid_argument,
                "find " + std::string{kind} + " " + quoted(text)
                  + ": more than one id starts like this",
                "give more digits, or the name");
  return first->first;
}

} // namespace

result<std::string>
find_reference(const std::map<std::string, std::string>& names,
               std::string_view text, std::string_view kind) {
  if (text.empty())
    return fail(ec::invalid_argument,
                "find " + std::string{kind} + ": the name is empty");
  if (names.contains(std::string{text}))
    return std::string{text};
  auto named = std::find_if(names.begin(), names.end(), [&](const auto& entry) {
    return entry.second == text;
  });
  if (named != names.end())
    return named->first;
  return by_prefix(names, text, kind);
}

} // namespace troupe
