#include "troupe/config/settings_text.hpp"

#include "troupe/config/model/id.hpp"

#include <charconv>
#include <cstddef>

#include <system_error>

namespace troupe::detail {

namespace {

constexpr auto pool_form
  = std::string_view{"write pools like base=10.10.0.0/16,size=24;base=…"};

// Takes the text up to the separator, or all of it, off the front.
std::string_view take_until(std::string_view& text, char separator) {
  auto end = text.find(separator);
  auto result = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return result;
}

result<address_pool_setting> read_pool(std::string_view text) {
  auto result = address_pool_setting{};
  auto has_base = false;
  auto has_size = false;
  while (!text.empty()) {
    auto value = take_until(text, ',');
    auto key = take_until(value, '=');
    auto& seen = key == "base" ? has_base : has_size;
    if ((key != "base" && key != "size") || seen)
      return fail(ec::invalid_argument,
                  (seen ? "second " : "unknown ") + quoted(key),
                  std::string{pool_form});
    seen = true;
    if (key == "size") {
      if (auto done = read_text(value, result.size); !done)
        return fail(with_context(std::move(done.error()), "size"));
      continue;
    }
    auto base = prefix::parse(value);
    if (!base)
      return fail(with_context(std::move(base.error()), "base"));
    result.base = *base;
  }
  if (!has_base || !has_size)
    return fail(ec::invalid_argument,
                has_base ? "size is missing" : "base is missing",
                std::string{pool_form});
  return result;
}

} // namespace

error at(std::string_view place, error why) {
  if (!why.message.starts_with('['))
    return with_context(std::move(why), place);
  why.message.insert(0, place);
  return why;
}

result<void> read_text(std::string_view text, std::string& out) {
  out = text;
  return {};
}

result<void> read_text(std::string_view text, int& out) {
  auto* end = text.data() + text.size();
  auto [stop, status] = std::from_chars(text.data(), end, out);
  if (status != std::errc{} || stop != end)
    return fail(ec::invalid_argument,
                "must be an integer, not " + quoted(text));
  return {};
}

result<void> read_text(std::string_view text, bool& out) {
  if (text != "true" && text != "false")
    return fail(ec::invalid_argument,
                "must be true or false, not " + quoted(text));
  out = text == "true";
  return {};
}

result<void>
read_text(std::string_view text, std::vector<address_pool_setting>& out) {
  out.clear();
  while (!text.empty()) {
    auto place = "[" + std::to_string(out.size()) + "]";
    auto pool = read_pool(take_until(text, ';'));
    if (!pool)
      return fail(with_context(std::move(pool.error()), place));
    out.push_back(*pool);
  }
  return {};
}

} // namespace troupe::detail
