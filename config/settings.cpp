#include "troupe/config/settings.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/config/model/json.hpp"
#include "troupe/config/model/json_place.hpp"
#include "troupe/config/model/nearest.hpp"
#include "troupe/config/settings_check.hpp"
#include "troupe/config/settings_text.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace troupe {

namespace {

constexpr auto variable_prefix = std::string_view{"TROUPE_"};

// Read by the command line, which runs in the same environments.
constexpr auto client_variable = std::string_view{"TROUPE_HOST"};

constexpr auto keys = std::apply(
  [](const auto&... row) {
    return std::array{row.name...};
  },
  settings::fields());

// `state-dir` → `TROUPE_STATE_DIR`.
std::string variable_of(std::string_view key) {
  auto result = std::string{variable_prefix};
  for (auto c : key)
    result += c == '-' ? '_' : static_cast<char>(c - 'a' + 'A');
  return result;
}

error in_file(std::string_view file, std::string path,
              const json_places& places, error why) {
  // A check of the value names the part: `[0].size: …`.
  if (why.message.starts_with('[')) {
    auto end = why.message.find(": ");
    path += why.message.substr(0, end);
    why.message.erase(0, end + 2);
  }
  auto place = place_in_file(file, path, places);
  if (!path.empty())
    place += ": " + path;
  return with_context(std::move(why), place);
}

result<void>
apply_file(std::string_view name, std::string_view text, settings& x) {
  if (text.empty())
    return {};
  auto places = json_places{};
  auto limits = json_limits{};
  limits.allow_comments = true;
  auto document = parse_json_file(name, text, limits, &places);
  if (!document)
    return fail(std::move(document.error()));
  auto reader = json_reader{unknown_fields::refuse};
  if (!reader.read(*document, x)) {
    auto place = place_in_file(name, reader.culprit(), places);
    return fail(with_context(reader.failure(), place));
  }
  for (auto key : keys) {
    if (!document->contains(key))
      continue;
    if (auto done = detail::check_setting(key, x); !done)
      return fail(
        in_file(name, std::string{key}, places, std::move(done.error())));
  }
  return {};
}

result<void>
apply_text(std::string_view key, std::string_view text, settings& x) {
  auto done = result<void>{};
  for_each_field(x, [&](std::string_view name, auto& member) {
    if (name == key)
      done = detail::read_text(text, member);
  });
  return done ? detail::check_setting(key, x) : done;
}

result<void> apply_environment(const overrides& environment, settings& x) {
  auto variables = std::array<std::string, keys.size()>{};
  auto names = std::array<std::string_view, keys.size()>{};
  for (size_t i = 0; i < keys.size(); ++i)
    names[i] = variables[i] = variable_of(keys[i]);
  for (const auto& [variable, text] : environment) {
    if (!variable.starts_with(variable_prefix) || variable == client_variable)
      continue;
    auto i = std::find(names.begin(), names.end(), variable);
    if (i == names.end())
      return fail(ec::invalid_argument,
                  "environment: unknown variable " + quoted(variable),
                  nearest_hint(variable, names));
    auto key = keys[static_cast<size_t>(i - names.begin())];
    if (auto done = apply_text(key, text, x); !done)
      return fail(
        detail::at("environment: " + variable, std::move(done.error())));
  }
  return {};
}

result<void> apply_flags(const overrides& flags, settings& x) {
  for (const auto& [key, text] : flags) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end())
      return fail(ec::invalid_argument, "flag: unknown setting " + quoted(key),
                  nearest_hint(key, keys));
    if (auto done = apply_text(key, text, x); !done)
      return fail(detail::at("flag --" + key, std::move(done.error())));
  }
  return {};
}

} // namespace

result<settings>
load_settings(std::string_view file_name, std::string_view file_text,
              const overrides& environment, const overrides& flags) {
  auto result = settings{};
  if (auto done = apply_file(file_name, file_text, result); !done)
    return fail(std::move(done.error()));
  if (auto done = apply_environment(environment, result); !done)
    return fail(std::move(done.error()));
  if (auto done = apply_flags(flags, result); !done)
    return fail(std::move(done.error()));
  return validated(std::move(result));
}

} // namespace troupe
