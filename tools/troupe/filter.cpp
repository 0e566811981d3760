#include "troupe/tools/troupe/filter.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/config/model/nearest.hpp"
#include "troupe/tools/troupe/time_words.hpp"

#include <algorithm>
#include <utility>

namespace troupe::tools {

namespace {

bool has_label(const text_map& labels, const std::string& wanted) {
  auto equals = wanted.find('=');
  auto found = labels.find(wanted.substr(0, equals));
  return found != labels.end()
         && (equals == wanted.npos
             || found->second == wanted.substr(equals + 1));
}

constexpr auto no_label = "label!";

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
  if (key == "dangling")
    return x.dangling == (wanted == "true" || wanted == "1");
  // There is one host, and nothing that we did not make for somebody.
  if (key == "scope")
    return wanted == "local";
  if (key == "type")
    return wanted == "custom";
  if (key == "until")
    return x.created_ms < std::stoll(wanted);
  return x.labels != nullptr && has_label(*x.labels, wanted);
}

// Of a list of words one may be misspelt; of drivers there may be others.
result<void> check_value(const std::string& text, const std::string& key,
                         const std::string& value) {
  auto known = filter_values(key);
  if (known.empty() || std::ranges::find(known, value) != known.end())
    return {};
  if (key == "driver" && nearest(value, known).empty())
    return {};
  return fail(ec::invalid_argument,
              "--filter " + quoted(text) + ": unknown " + key,
              nearest_hint(value, known));
}

// `label!=key` has its `!` before the first `=`, as every key its end.
std::pair<std::string, std::string> split(const std::string& text) {
  auto equals = text.find('=');
  return {text.substr(0, equals), text.substr(equals + 1)};
}

result<std::string> read_value(const std::string& text, const std::string& key,
                               const std::string& value) {
  if (key == "until") {
    auto moment = parse_moment(value, now_ms());
    if (!moment)
      return fail(with_context(std::move(moment.error()), "--filter until"));
    return std::to_string(*moment);
  }
  if (auto good = check_value(text, key, value); !good)
    return fail(std::move(good.error()));
  return value;
}

} // namespace

std::vector<std::string_view> filter_keys(std::string_view noun) {
  if (noun == "network")
    return {"name",     "id",    "driver", "label", no_label,
            "dangling", "scope", "type",   "until"};
  if (noun == "endpoint")
    return {"name", "id", "network", "label", no_label};
  if (noun == "sandbox")
    return {"name", "id", "label", no_label};
  if (noun == "events")
    return {"type", "action", "event", "name", "id", "network"};
  return {};
}

std::vector<std::string_view> filter_values(std::string_view key) {
  if (key == "driver")
    return {"bridge", "host", "null"};
  if (key == "dangling")
    return {"true", "false", "1", "0"};
  if (key == "scope")
    return {"local", "swarm", "global"};
  if (key == "type")
    return {"custom", "builtin"};
  return {};
}

result<filter> filter::parse(const std::vector<std::string>& texts,
                             std::vector<std::string_view> keys) {
  auto result = filter{};
  for (const auto& text : texts) {
    if (text.find('=') == text.npos)
      return fail(ec::invalid_argument,
                  "--filter " + quoted(text) + ": there is no value",
                  "write it as key=value");
    auto [key, value] = split(text);
    auto is_known
      = std::ranges::find(keys, key) != keys.end()
        || (key == no_label && std::ranges::find(keys, "label") != keys.end());
    if (!is_known)
      return fail(ec::invalid_argument,
                  "--filter " + quoted(text) + ": unknown key",
                  nearest_hint(key, keys));
    auto read = read_value(text, key, value);
    if (!read)
      return fail(std::move(read.error()));
    result.conditions_[key].push_back(std::move(*read));
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
      if (key == no_label)
        return std::none_of(values.begin(), values.end(),
                            [&x](const std::string& unwanted) {
                              return matches_one(x, "label", unwanted);
                            });
      return std::any_of(values.begin(), values.end(),
                         [&x, &key = key](const std::string& wanted) {
                           return matches_one(x, key, wanted);
                         });
    });
}

} // namespace troupe::tools
