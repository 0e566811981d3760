#include "troupe/tools/troupe/filter.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/config/model/nearest.hpp"

#include <algorithm>

namespace troupe::tools {

namespace {

bool has_label(const text_map& labels, const std::string& wanted) {
  auto equals = wanted.find('=');
  auto found = labels.find(wanted.substr(0, equals));
  return found != labels.end()
         && (equals == wanted.npos
             || found->second == wanted.substr(equals + 1));
}

bool matches_one(const filter_view& x, const std::string& key,
                 const std::string& wanted) {
  if (key == "name")
    return x.name.find(wanted) != x.name.npos;
  if (key == "id")
    return x.id.starts_with(wanted);
  if (key == "driver")
    return x.driver == wanted;
  if (key == "network")
    return x.network_id == wanted;
  return x.labels != nullptr && has_label(*x.labels, wanted);
}

} // namespace

result<filter> filter::parse(const std::vector<std::string>& texts,
                             std::vector<std::string_view> keys) {
  auto result = filter{};
  for (const auto& text : texts) {
    auto equals = text.find('=');
    auto key = text.substr(0, equals);
    if (equals == text.npos)
      return fail(ec::invalid_argument,
                  "--filter " + quoted(text) + ": there is no value",
                  "write it as key=value");
    if (std::find(keys.begin(), keys.end(), key) == keys.end())
      return fail(ec::invalid_argument,
                  "--filter " + quoted(text) + ": unknown key",
                  nearest_hint(key, keys));
    result.conditions_[key].push_back(text.substr(equals + 1));
  }
  return result;
}

result<void> filter::resolve(const name_index& networks) {
  auto found = conditions_.find("network");
  if (found == conditions_.end())
    return {};
  for (auto& wanted : found->second) {
    auto match = choose_match(networks.matches(wanted), wanted, "network");
    if (match)
      wanted = std::move(match->id);
    else if (match.error().code != ec::not_found) // Then nothing matches.
      return fail(with_context(std::move(match.error()), "--filter network"));
  }
  return {};
}

bool filter::matches(const filter_view& x) const {
  return std::all_of(
    conditions_.begin(), conditions_.end(), [&x](const auto& condition) {
      const auto& [key, values] = condition;
      return std::any_of(values.begin(), values.end(),
                         [&x, &key = key](const std::string& wanted) {
                           return matches_one(x, key, wanted);
                         });
    });
}

} // namespace troupe::tools
