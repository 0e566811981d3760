#include "troupe/config/model/id.hpp"
#include "troupe/config/model/json.hpp"
#include "troupe/config/model/nearest.hpp"

#include <algorithm>

namespace troupe {

namespace {

// Longer numbers and the like say nothing more in a message.
constexpr size_t max_shown_bytes = 40;

// What the document has instead, with its value if that is short.
std::string description(const json& x) {
  switch (x.type()) {
  case json::value_t::null:
    return "null";
  case json::value_t::object:
    return "an object";
  case json::value_t::array:
    return "an array";
  case json::value_t::string:
    return quoted(x.get_ref<const std::string&>());
  default:
    return x.dump().substr(0, max_shown_bytes);
  }
}

error wrong(std::string_view wanted, const json& x) {
  return {ec::invalid_argument,
          "must be " + std::string{wanted} + ", not " + description(x),
          {},
          0};
}

template <class T>
std::string integer_between(T min, T max) {
  // Nobody reads 39 digits.
  if (max == std::numeric_limits<T>::max())
    return std::is_signed_v<T> ? "a 64-bit integer"
                               : "an unsigned 64-bit integer";
  return "an integer from " + std::to_string(min) + " to "
         + std::to_string(max);
}

} // namespace

std::string to_string(const json_place& x) {
  if (x.parent == nullptr)
    return {};
  auto result = to_string(*x.parent);
  switch (x.step) {
  case json_place::step_kind::root:
    break;
  case json_place::step_kind::member:
    if (!result.empty())
      result += '.';
    result += x.name;
    break;
  case json_place::step_kind::key:
    result += '[';
    result += quoted(x.name);
    result += ']';
    break;
  case json_place::step_kind::element:
    result += '[';
    result += std::to_string(x.index);
    result += ']';
    break;
  }
  return result;
}

error json_reader::failure() const {
  return path_.empty() ? why_ : with_context(why_, path_);
}

bool json_reader::refuse(const json_place& place, error why) {
  path_ = to_string(place);
  culprit_ = path_;
  why_ = std::move(why);
  return false;
}

bool json_reader::read_bool(const json& x, bool& out, const json_place& place) {
  if (!x.is_boolean())
    return refuse(place, wrong("true or false", x));
  out = x.get<bool>();
  return true;
}

bool json_reader::read_string(const json& x, std::string& out,
                              const json_place& place) {
  if (!x.is_string())
    return refuse(place, wrong("a string", x));
  out = x.get_ref<const std::string&>();
  return true;
}

bool json_reader::read_signed(const json& x, int64_t min, int64_t max,
                              int64_t& out, const json_place& place) {
  auto refuse_range = [&] {
    return refuse(place, wrong(integer_between(min, max), x));
  };
  // Positive numbers arrive as unsigned ones, which may not fit.
  if (x.is_number_unsigned()) {
    auto value = x.get<uint64_t>();
    if (value > static_cast<uint64_t>(max))
      return refuse_range();
    out = static_cast<int64_t>(value);
  } else if (x.is_number_integer()) {
    out = x.get<int64_t>();
  } else {
    return refuse_range();
  }
  return out >= min && out <= max ? true : refuse_range();
}

bool json_reader::read_unsigned(const json& x, uint64_t max, uint64_t& out,
                                const json_place& place) {
  // Values built by programs, not parsed, may be signed though positive.
  auto fits = x.is_number_integer()
              && (x.is_number_unsigned() || x.get<int64_t>() >= 0)
              && x.get<uint64_t>() <= max;
  if (!fits)
    return refuse(place, wrong(integer_between(uint64_t{0}, max), x));
  out = x.get<uint64_t>();
  return true;
}

bool json_reader::read_name(const json& x,
                            std::span<const std::string_view> names,
                            size_t& index, const json_place& place) {
  auto text = std::string{};
  if (!read_string(x, text, place))
    return false;
  auto i = std::find(names.begin(), names.end(), text);
  if (i == names.end())
    return refuse(place, {ec::invalid_argument, "unknown name " + quoted(text),
                          nearest_hint(text, names), 0});
  index = static_cast<size_t>(i - names.begin());
  return true;
}

bool json_reader::is_array(const json& x, const json_place& place) {
  return x.is_array() || refuse(place, wrong("an array", x));
}

bool json_reader::is_object(const json& x, const json_place& place) {
  return x.is_object() || refuse(place, wrong("an object", x));
}

bool json_reader::refuse_unknown(const json& x,
                                 std::span<const std::string_view> known,
                                 const json_place& place) {
  for (auto i = x.begin(); i != x.end(); ++i) {
    if (std::find(known.begin(), known.end(), i.key()) != known.end())
      continue;
    refuse(place, {ec::invalid_argument, "unknown field " + quoted(i.key()),
                   nearest_hint(i.key(), known), 0});
    culprit_ = to_string({&place, json_place::step_kind::member, i.key(), 0});
    return false;
  }
  return true;
}

} // namespace troupe
