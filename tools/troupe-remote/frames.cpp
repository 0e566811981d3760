#include "troupe/tools/troupe-remote/frames.hpp"

#include "troupe/config/model/json_text.hpp"

#include <algorithm>

namespace troupe::tools::remote {

namespace {

constexpr size_t length_bytes = 4;

std::string framed(const std::string& text) {
  auto result = std::string(length_bytes, '\0');
  for (size_t i = 0; i < length_bytes; ++i)
    result[i] = static_cast<char>(text.size() >> (8 * i) & 255U);
  return result + text;
}

template <class T>
result<T> decode(std::string_view text, size_t max_bytes, const char* what) {
  auto limits = json_limits{};
  limits.max_bytes = max_bytes;
  auto parsed = parse_json(text, limits);
  if (!parsed)
    return fail(with_context(std::move(parsed.error()), what));
  return from_json<T>(*parsed, unknown_fields::refuse, what);
}

} // namespace

std::string encode(const question& x) {
  return framed(json_text(x));
}

std::string encode(const answer& x) {
  return framed(json_text(x));
}

result<question> decode_question(std::string_view text) {
  return decode<question>(text, max_question_bytes, "question");
}

result<answer> decode_answer(std::string_view text) {
  return decode<answer>(text, max_answer_bytes, "answer");
}

void frame_reader::feed(std::string_view bytes) {
  if (used_ == buffer_.size()) {
    buffer_.clear();
    used_ = 0;
  }
  buffer_ += bytes;
}

result<std::optional<std::string>> frame_reader::next() {
  auto rest = std::string_view{buffer_}.substr(used_);
  if (rest.size() < length_bytes)
    return std::nullopt;
  auto size = size_t{0};
  for (size_t i = 0; i < length_bytes; ++i)
    size |= static_cast<size_t>(static_cast<unsigned char>(rest[i])) << (8 * i);
  if (size > max_bytes_)
    return fail(ec::invalid_argument,
                "read frame: " + std::to_string(size) + " bytes are too many");
  if (rest.size() - length_bytes < size)
    return std::nullopt;
  auto result = std::string{rest.substr(length_bytes, size)};
  used_ += length_bytes + size;
  // What was read is dropped when it is most of the buffer.
  if (used_ > buffer_.size() / 2) {
    buffer_.erase(0, used_);
    used_ = 0;
  }
  return result;
}

} // namespace troupe::tools::remote
