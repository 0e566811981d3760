#include "troupe/actors/remote/schema.hpp"

#include "troupe/actors/api/backend.hpp"

#include <concepts>
#include <map>
#include <optional>

namespace troupe::remote {

namespace {

// All of them first: each calls any of the others.
template <class T>
void describe(std::string& out, const T& sample);
template <class T>
void describe(std::string& out, const std::optional<T>&);
template <class T>
void describe(std::string& out, const std::vector<T>&);
template <class K, class V>
void describe(std::string& out, const std::map<K, V>&);

template <class T>
void describe(std::string& out, const std::optional<T>&) {
  out += '?';
  describe(out, T{});
}

template <class T>
void describe(std::string& out, const std::vector<T>&) {
  out += '*';
  describe(out, T{});
}

template <class K, class V>
void describe(std::string& out, const std::map<K, V>&) {
  out += '%';
  describe(out, K{});
  describe(out, V{});
}

// Numbers by their kind and size, the rest by what it is made of.
template <class T>
void describe(std::string& out, const T& sample) {
  if constexpr (described<T>) {
    out += '{';
    for_each_field(sample, [&](std::string_view name, const auto& x) {
      out += name;
      out += ':';
      describe(out, x);
      out += ',';
    });
    out += '}';
  } else if constexpr (std::integral<T> || std::is_enum_v<T>) {
    out += std::same_as<T, bool> ? 'b' : std::is_enum_v<T> ? 'e' : 'i';
    out += std::to_string(sizeof(T));
  } else {
    out += 's'; // Text, or a type with a text form.
  }
}

template <class Variant>
std::string describe_all() {
  return []<size_t... I>(std::index_sequence<I...>) {
    auto out = std::string{};
    (describe(out, std::variant_alternative_t<I, Variant>{}), ...);
    return out;
  }
  (std::make_index_sequence<std::variant_size_v<Variant>>{});
}

} // namespace

std::string schema_text() {
  auto result = describe_all<request>() + describe_all<reply>();
  describe(result, event{});
  return result;
}

std::string digest(std::string_view text) {
  // FNV-1a: it finds accidents, an enemy has no use for a wrong one.
  auto hash = uint64_t{14695981039346656037U};
  for (auto c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 1099511628211U;
  }
  constexpr auto digits = std::string_view{"0123456789abcdef"};
  auto result = std::string(16, '0');
  for (size_t i = 0; i < result.size(); ++i)
    result[result.size() - 1 - i] = digits[(hash >> (4 * i)) & 15U];
  return result;
}

std::string schema() {
  return digest(schema_text());
}

} // namespace troupe::remote
