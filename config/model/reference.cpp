#include "troupe/config/model/reference.hpp"

#include <algorithm>

namespace troupe {

namespace {

// More candidates than this do not help anybody to choose.
constexpr size_t max_listed = 8;

constexpr size_t brief_digits = 12;

/// `web/c1 (1a2b3c4d5e6f), web/c2 (1a2b99999999) and 3 more`.
std::string list_of(const std::vector<reference_match>& matches) {
  auto result = std::string{};
  auto shown = std::min(matches.size(), max_listed);
  for (size_t i = 0; i < shown; ++i) {
    const auto& x = matches[i];
    // Names in records may be older than today's rules for them.
    auto title = is_printable(x.title) ? x.title : quoted(x.title);
    result += (i == 0 ? "" : ", ") + title + " (" + x.id.substr(0, brief_digits)
              + ")";
  }
  if (matches.size() > shown)
    result += " and " + std::to_string(matches.size() - shown) + " more";
  return result;
}

} // namespace

void name_index::add(const std::string& id, const std::string& name) {
  remove(id);
  names_.emplace(id, name);
  ids_.emplace(name, id);
}

void name_index::remove(const std::string& id) {
  auto found = names_.find(id);
  if (found == names_.end())
    return;
  ids_.erase({found->second, id});
  names_.erase(found);
}

std::string name_index::id_of_name(const std::string& name) const {
  auto found = ids_.lower_bound({name, {}});
  return found != ids_.end() && found->first == name ? found->second
                                                     : std::string{};
}

std::vector<reference_match> name_index::matches(std::string_view text) const {
  auto result = std::vector<reference_match>{};
  if (text.empty())
    return result;
  if (auto found = names_.find(text); found != names_.end())
    return {{match_rank::id, found->first, found->second}};
  for (auto i = ids_.lower_bound({std::string{text}, {}});
       i != ids_.end() && i->first == text; ++i)
    result.push_back({match_rank::name, i->second, i->first});
  if (!result.empty())
    return result;
  for (auto i = names_.lower_bound(text);
       i != names_.end() && i->first.starts_with(text); ++i)
    result.push_back({match_rank::prefix, i->first, i->second});
  return result;
}

result<reference_match>
choose_match(std::vector<reference_match> matches, std::string_view text,
             std::string_view kind) {
  auto what = "find " + std::string{kind};
  if (text.empty())
    return fail(ec::invalid_argument, what + ": the name is empty");
  what += " " + quoted(text) + ": ";
  auto strongest = match_rank::prefix;
  for (const auto& x : matches)
    strongest = std::min(strongest, x.rank);
  std::erase_if(matches, [&](const auto& x) {
    return x.rank != strongest;
  });
  if (matches.empty())
    return fail(ec::not_found, what + "no such " + std::string{kind},
                "list them with: troupe " + std::string{kind} + " ls");
  if (matches.size() == 1)
    return std::move(matches.front());
  std::ranges::sort(matches, {}, [](const auto& x) {
    return std::pair{x.title, x.id};
  });
  const auto by_prefix = strongest == match_rank::prefix;
  return fail(ec::invalid_argument,
              what + "more than one "
                + (by_prefix ? "id starts like this" : "has this name") + ": "
                + list_of(matches),
              by_prefix            ? "give more digits, or the name"
              : kind == "endpoint" ? "say which: NETWORK/ENDPOINT, or the id"
                                   : "give the id");
}

} // namespace troupe
