#include "troupe/drivers/options.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/config/model/nearest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace troupe::drivers {

namespace {

constexpr auto truths
  = std::array<std::string_view, 6>{"1", "t", "T", "true", "TRUE", "True"};
constexpr auto lies
  = std::array<std::string_view, 6>{"0", "f", "F", "false", "FALSE", "False"};

bool is_one_of(std::string_view x, std::span<const std::string_view> xs) {
  return std::find(xs.begin(), xs.end(), x) != xs.end();
}

} // namespace

bool is_driver_label(std::string_view label) {
  return label.starts_with("com.docker.network.")
         || label.starts_with("troupe.");
}

result<void> check_option_labels(const text_map& options,
                                 std::span<const option_name> known) {
  auto labels = std::vector<std::string_view>{};
  for (const auto& name : known)
    labels.push_back(name.label);
  for (const auto& [key, value] : options) {
    if (!is_driver_label(key) || is_one_of(key, labels))
      continue;
    auto hint = nearest(key, labels);
    return fail(ec::invalid_argument,
                fmt::format("option {}: no such option", quoted(key)),
                hint.empty() ? "the driver's options are in its README"
                             : fmt::format("did you mean {}?", quoted(hint)));
  }
  return {};
}

option_reader::option_reader(const text_map& options,
                             std::span<const option_name> known) {
  auto briefs = std::vector<std::string_view>{};
  for (const auto& name : known)
    briefs.push_back(name.brief);
  for (const auto& [key, value] : options) {
    auto is_key = [&key = key](const option_name& name) {
      return name.label == key || name.brief == key;
    };
    auto name = std::find_if(known.begin(), known.end(), is_key);
    if (name != known.end())
      accept(*name, {key, value});
    else if (key.find('.') == std::string::npos && !first_)
      first_ = error{ec::invalid_argument,
                     fmt::format("option {}: no such option", quoted(key)),
                     nearest_hint(key, briefs), 0};
  }
}

void option_reader::accept(const option_name& name, given found) {
  auto [other, is_new] = given_.try_emplace(name.label, found);
  if (!is_new && other->second.value != found.value && !first_)
    first_ = error{ec::invalid_argument,
                   fmt::format("option {}: differs from {}, the same option",
                               found.key, other->second.key),
                   "give one of them", 0};
}

std::optional<std::string_view>
option_reader::text(std::string_view label) const {
  auto i = given_.find(label);
  if (i == given_.end())
    return std::nullopt;
  return i->second.value;
}

void option_reader::read(std::string_view label, bool& out) {
  auto value = text(label);
  if (!value)
    return;
  out = is_one_of(*value, truths);
  if (!out && !is_one_of(*value, lies))
    refuse(ec::invalid_argument, label, "neither true nor false");
}

void option_reader::read(std::string_view label, uint32_t& out, uint32_t least,
                         uint32_t most) {
  auto value = text(label);
  if (!value)
    return;
  auto number = uint32_t{0};
  const auto* end = value->data() + value->size();
  auto [stop, failure] = std::from_chars(value->data(), end, number);
  if (failure == std::errc{} && stop == end && number >= least
      && number <= most)
    out = number;
  else
    refuse(ec::invalid_argument, label,
           fmt::format("not a number from {} to {}", least, most));
}

void option_reader::read(std::string_view label, ip_address& out) {
  auto value = text(label);
  if (!value)
    return;
  if (auto address = ip_address::parse(*value))
    out = *address;
  else
    refuse(ec::invalid_argument, label, "not an IP address");
}

void option_reader::refuse(ec code, std::string_view label,
                           std::string_view reason, std::string hint) {
  auto i = given_.find(label);
  if (first_ || i == given_.end())
    return;
  first_ = error{code,
                 fmt::format("option {}={}: {}", i->second.key,
                             quoted(i->second.value), reason),
                 std::move(hint), 0};
}

result<void> option_reader::verdict() const {
  if (first_)
    return fail(*first_);
  return {};
}

} // namespace troupe::drivers
