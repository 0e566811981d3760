#include "troupe/config/model/id.hpp"
#include "troupe/config/model/json.hpp"

#include <iterator>

namespace troupe {

namespace {

// Hands bytes to the parser and lets the builder see how far it is, which
// nlohmann's events do not tell.
class counting_iterator {
public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  counting_iterator(const char* position, const char** reached)
    : position_{position}, reached_{reached} {
  }

  reference operator*() const {
    return *position_;
  }

  counting_iterator& operator++() {
    *reached_ = ++position_;
    return *this;
  }

  bool operator==(const counting_iterator& other) const {
    return position_ == other.position_;
  }
  bool operator!=(const counting_iterator& other) const {
    return position_ != other.position_;
  }

private:
  const char* position_;
  const char** reached_;
};

text_place place_of(std::string_view text, size_t offset) {
  auto result = text_place{};
  for (auto c : text.substr(0, offset)) {
    ++result.column;
    if (c == '\n')
      result = {result.line + 1, 1};
  }
  return result;
}

// The parser's words without its prefix, its own position and the copy of the
// input, which may be long or binary.
std::string reason_of(std::string_view what) {
  constexpr auto npos = std::string_view::npos;
  if (auto end = what.find("] "); end != npos)
    what.remove_prefix(end + 2);
  if (what.find("number overflow") != npos)
    return "number is out of range";
  if (auto dash = what.find(" - "); dash != npos)
    what.remove_prefix(dash + 3);
  auto rest = std::string_view{};
  if (auto read = what.find("; last read: '"); read != npos) {
    if (auto expected = what.rfind("; expected ");
        expected != npos && expected > read)
      rest = what.substr(expected);
    what = what.substr(0, read);
  } else if (auto byte = what.find("<U+"); byte != npos && byte == 0) {
    what = "control character";
  }
  return std::string{what} + std::string{rest};
}

// Builds the document from the parser's events and enforces what the parser
// does not: depth and unique keys.
class builder : public json::json_sax_t {
public:
  builder(std::string_view text, const json_limits& limits, json_places* places)
    : reached{text.data()}, text_{text}, limits_{limits}, places_{places} {
  }

  bool null() override {
    return add(nullptr) != nullptr;
  }
  bool boolean(bool x) override {
    return add(x) != nullptr;
  }
  bool number_integer(json::number_integer_t x) override {
    return add(x) != nullptr;
  }
  bool number_unsigned(json::number_unsigned_t x) override {
    return add(x) != nullptr;
  }
  bool number_float(json::number_float_t x, const std::string&) override {
    return add(x) != nullptr;
  }
  bool string(std::string& x) override {
    return add(std::move(x)) != nullptr;
  }
  bool binary(json::binary_t&) override {
    return refuse("binary data");
  }
  bool start_object(size_t) override {
    return open(json::object());
  }
  bool end_object() override {
    return close();
  }
  bool start_array(size_t) override {
    return open(json::array());
  }
  bool end_array() override {
    return close();
  }

  bool key(std::string& x) override {
    auto& object = *stack_.back().value;
    auto [member, is_new] = object.emplace(x, nullptr);
    if (!is_new)
      return refuse("duplicate key " + quoted(x), key_offset());
    stack_.back().slot = &*member;
    if (places_ != nullptr) {
      stack_.back().member
        = stack_.back().path + (stack_.back().path.empty() ? "" : ".") + x;
      places_->emplace(stack_.back().member, place_of(text_, key_offset()));
    }
    return true;
  }

  bool parse_error(size_t position, const std::string&,
                   const json::exception& why) override {
    return refuse(reason_of(why.what()), position > 0 ? position - 1 : 0);
  }

  json document;
  const char* reached; ///< How far the parser has read.
  std::string reason;  ///< Set after a refusal.
  size_t offset = 0;   ///< Of the refusal.

private:
  // An open object or array.
  struct level {
    json* value;
    json* slot = nullptr; // Where the value of the last key goes.
    std::string path;     // Both only while places are wanted.
    std::string member;
  };

  size_t now() const {
    return static_cast<size_t>(reached - text_.data());
  }

  // Where the key just read began: quotes inside it follow a backslash.
  size_t key_offset() const {
    auto i = now() - 1;
    while (i > 0) {
      --i;
      if (text_[i] != '"')
        continue;
      auto slashes = size_t{0};
      while (slashes < i && text_[i - 1 - slashes] == '\\')
        ++slashes;
      if (slashes % 2 == 0)
        break;
    }
    return i;
  }

  template <class T>
  json* add(T&& x) {
    if (stack_.empty()) {
      document = std::forward<T>(x);
      return &document;
    }
    auto& top = stack_.back();
    if (top.value->is_array()) {
      if (places_ != nullptr)
        top.member = top.path + "[" + std::to_string(top.value->size()) + "]";
      top.value->push_back(std::forward<T>(x));
      return &top.value->back();
    }
    *top.slot = std::forward<T>(x);
    return top.slot;
  }

  bool open(json x) {
    if (stack_.size() == limits_.max_depth)
      return refuse("nested deeper than " + std::to_string(limits_.max_depth)
                    + " levels");
    auto* value = add(std::move(x));
    auto path = stack_.empty() ? std::string{} : stack_.back().member;
    if (places_ != nullptr)
      places_->emplace(path, place_of(text_, now() - 1));
    stack_.push_back({value, nullptr, std::move(path), {}});
    return true;
  }

  bool close() {
    stack_.pop_back();
    return true;
  }

  bool refuse(std::string why) {
    return refuse(std::move(why), now() > 0 ? now() - 1 : 0);
  }

  bool refuse(std::string why, size_t where) {
    reason = std::move(why);
    offset = where;
    return false;
  }

  std::string_view text_;
  const json_limits& limits_;
  json_places* places_;
  std::vector<level> stack_;
};

struct problem {
  std::string reason;
  text_place place;
};

tl::expected<json, problem>
parse(std::string_view text, const json_limits& limits, json_places* places) {
  if (text.size() > limits.max_bytes)
    return tl::unexpected{
      problem{"text has " + std::to_string(text.size()) + " bytes, at most "
                + std::to_string(limits.max_bytes) + " are taken",
              place_of(text, limits.max_bytes)}};
  // The parser takes a NUL for the end and would ignore what follows.
  if (auto nul = text.find('\0'); nul != std::string_view::npos)
    return tl::unexpected{problem{"NUL byte", place_of(text, nul)}};
  auto events = builder{text, limits, places};
  auto* end = text.data() + text.size();
  auto ok
    = json::sax_parse(counting_iterator{text.data(), &events.reached},
                      counting_iterator{end, &events.reached}, &events,
                      json::input_format_t::json, true, limits.allow_comments);
  if (!ok)
    return tl::unexpected{
      problem{std::move(events.reason), place_of(text, events.offset)}};
  return std::move(events.document);
}

} // namespace

result<json> parse_json(std::string_view text, const json_limits& limits) {
  auto parsed = parse(text, limits, nullptr);
  if (parsed)
    return std::move(*parsed);
  auto& [reason, place] = parsed.error();
  return fail(ec::invalid_argument,
              "parse json: line " + std::to_string(place.line) + ", column "
                + std::to_string(place.column) + ": " + reason);
}

result<json> parse_json_file(std::string_view name, std::string_view text,
                             const json_limits& limits, json_places* places) {
  auto parsed = parse(text, limits, places);
  if (parsed)
    return std::move(*parsed);
  auto& [reason, place] = parsed.error();
  return fail(ec::invalid_argument,
              std::string{name} + ":" + std::to_string(place.line) + ":"
                + std::to_string(place.column) + ": " + reason);
}

std::string dump(const json& x, int indent) {
  return x.dump(indent, ' ', false, json::error_handler_t::replace);
}

} // namespace troupe
