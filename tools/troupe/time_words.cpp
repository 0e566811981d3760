#include "troupe/tools/troupe/time_words.hpp"

#include "troupe/config/model/id.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <tuple>
#include <utility>

namespace troupe::tools {

namespace {

constexpr int64_t second = 1'000;
constexpr int64_t minute = 60 * second;
constexpr int64_t hour = 60 * minute;
constexpr int64_t day = 24 * hour;

// Cuts a decimal number from the front.
std::optional<double> take_number(std::string_view& text) {
  auto value = 0.0;
  auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(),
                                        value, std::chars_format::fixed);
  constexpr auto most = 1e12; // Later is no time that a clock shows.
  if (failure != std::errc{} || !std::isfinite(value) || value < 0
      || value > most)
    return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

std::optional<int64_t> take_unit(std::string_view& text) {
  constexpr auto units = std::array<std::pair<std::string_view, int64_t>, 5>{
    {{"ms", 1}, {"s", second}, {"m", minute}, {"h", hour}, {"d", day}}};
  for (const auto& [name, value] : units)
    if (text.starts_with(name)) {
      text.remove_prefix(name.size());
      return value;
    }
  return std::nullopt;
}

// `1h30m` in milliseconds.
std::optional<int64_t> parse_duration(std::string_view text) {
  if (text.empty())
    return std::nullopt;
  auto result = 0.0;
  while (!text.empty()) {
    auto number = take_number(text);
    auto unit = number ? take_unit(text) : std::nullopt;
    if (!unit)
      return std::nullopt;
    result += *number * static_cast<double>(*unit);
  }
  constexpr auto most = 1e15;
  if (result > most)
    return std::nullopt;
  return static_cast<int64_t>(result);
}

// `Z`, `+01:00` or nothing, in milliseconds.
std::optional<int64_t> parse_zone(std::string_view text) {
  if (text.empty() || text == "Z" || text == "z")
    return 0;
  auto hours = 0;
  auto minutes = 0;
  auto end = 0;
  const auto zone = std::string{text.substr(1)};
  if ((text.front() != '+' && text.front() != '-')
      || std::sscanf(zone.c_str(), "%2d:%2d%n", &hours, &minutes, &end) != 2
      || static_cast<size_t>(end) != zone.size())
    return std::nullopt;
  auto result = hours * hour + minutes * minute;
  return text.front() == '-' ? -result : result;
}

// `.123`, cut off.
double take_fraction(std::string_view& text) {
  auto end = size_t{1};
  if (!text.starts_with('.'))
    return 0;
  while (end < text.size() && text[end] >= '0' && text[end] <= '9')
    ++end;
  auto digits = "0" + std::string{text.substr(0, end)};
  text.remove_prefix(end);
  return std::strtod(digits.c_str(), nullptr);
}

std::optional<int64_t> parse_date(std::string_view whole) {
  const auto text = std::string{whole};
  auto parts = std::tm{};
  for (const auto* form : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S",
                           "%Y-%m-%dT%H:%M", "%Y-%m-%d"}) {
    parts = {};
    const auto* end = ::strptime(text.c_str(), form, &parts);
    if (end == nullptr)
      continue;
    auto rest = std::string_view{end};
    auto fraction = take_fraction(rest);
    auto zone = parse_zone(rest);
    if (!zone)
      continue;
    return static_cast<int64_t>(::timegm(&parts)) * second
           + static_cast<int64_t>(fraction * static_cast<double>(second))
           - *zone;
  }
  return std::nullopt;
}

} // namespace

int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
           std::chrono::system_clock::now().time_since_epoch())
    .count();
}

result<int64_t> parse_moment(std::string_view text, int64_t now_ms) {
  auto rest = text;
  auto seconds = take_number(rest);
  if (seconds && rest.empty())
    return static_cast<int64_t>(*seconds * static_cast<double>(second));
  if (auto age = parse_duration(text))
    return now_ms - *age;
  if (auto date = parse_date(text))
    return *date;
  return fail(ec::invalid_argument, quoted(text) + ": is no time",
              "for example 24h, 2026-01-31T12:00:00Z or Unix seconds");
}

std::string age_text(int64_t created_ms, int64_t now_ms) {
  if (created_ms <= 0)
    return {};
  auto age = std::max<int64_t>(now_ms - created_ms, 0);
  for (auto [unit, name, least] :
       {std::tuple{day, "d", 2 * day}, std::tuple{hour, "h", 2 * hour},
        std::tuple{minute, "m", 2 * minute}})
    if (age >= least)
      return std::to_string(age / unit) + name;
  return std::to_string(age / second) + "s";
}

} // namespace troupe::tools
