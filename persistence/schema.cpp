#include "troupe/persistence/schema.hpp"

#include <charconv>
#include <cstdio>

namespace troupe::persistence {

namespace {

constexpr size_t checksum_digits = 16;

/// The two numbers in front of a stored text, and the text.
struct envelope {
  std::string_view schema;
  std::string_view digits;
  std::string_view text;
};

bool open_envelope(std::string_view value, envelope& result) {
  auto space = value.find(' ');
  if (space == std::string_view::npos || space == 0
      || value.size() < space + checksum_digits + 2
      || value[space + checksum_digits + 1] != ' ')
    return false;
  result.schema = value.substr(0, space);
  result.digits = value.substr(space + 1, checksum_digits);
  result.text = value.substr(space + checksum_digits + 2);
  return true;
}

uint64_t checksum_of(table in, std::string_view key, std::string_view schema,
                     std::string_view text) {
  auto result = checksum(schema);
  result = checksum(to_string(in), result);
  // The lengths keep "ab" + "c" apart from "a" + "bc".
  result = checksum(std::to_string(key.size()), result);
  result = checksum(key, result);
  return checksum(text, result);
}

std::array<char, checksum_digits> to_digits(uint64_t x) {
  constexpr std::string_view hex = "0123456789abcdef";
  auto result = std::array<char, checksum_digits>{};
  for (auto i = checksum_digits; i-- > 0; x >>= 4U)
    result[i] = hex[x & 15U];
  return result;
}

} // namespace

uint64_t checksum(std::string_view text, uint64_t start) {
  for (unsigned char c : text)
    start = (start ^ c) * 0x100000001b3U;
  return start;
}

std::string encode(table in, std::string_view key, std::string_view text) {
  auto result = std::to_string(schema_version);
  auto digits = to_digits(checksum_of(in, key, result, text));
  result.reserve(result.size() + checksum_digits + 2 + text.size());
  result += ' ';
  result.append(digits.data(), digits.size());
  result += ' ';
  result += text;
  return result;
}

result<std::string_view>
decode(table in, std::string_view key, std::string_view value) {
  auto name = [&] {
    return "read " + std::string{to_string(in)} + "/" + std::string{key};
  };
  auto found = envelope{};
  if (!open_envelope(value, found))
    return fail(ec::internal, name() + ": not a record");
  auto digits = to_digits(checksum_of(in, key, found.schema, found.text));
  // Compared as text: a damaged digit must not slip through its upper case.
  if (std::string_view{digits.data(), digits.size()} != found.digits)
    return fail(ec::internal, name() + ": checksum differs");
  return found.text;
}

uint64_t seal_term(std::string_view value) {
  auto found = envelope{};
  uint64_t result = 0;
  if (open_envelope(value, found))
    std::from_chars(found.digits.data(),
                    found.digits.data() + found.digits.size(), result, 16);
  // One-to-one mixing (splitmix64's), so that a sum of similar checksums does
  // not cancel out.
  result ^= result >> 30U;
  result *= 0xbf58476d1ce4e5b9U;
  result ^= result >> 27U;
  result *= 0x94d049bb133111ebU;
  return result ^ (result >> 31U);
}

std::string program_name() {
  return "troupe " TROUPE_VERSION;
}

} // namespace troupe::persistence
