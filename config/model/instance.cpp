#include "troupe/config/model/instance.hpp"

namespace troupe {

namespace {

constexpr uint32_t number_bits = 23;
constexpr uint32_t number_mask = (1U << number_bits) - 1;

} // namespace

instance instance::of(std::string_view run_dir) {
  // FNV-1a: the number must be the same in every build and for ever, which
  // std::hash does not promise.
  auto hash = uint32_t{2166136261};
  for (auto c : run_dir) {
    hash ^= static_cast<uint8_t>(c);
    hash *= 16777619U;
  }
  return {(hash >> number_bits) ^ (hash & number_mask)};
}

std::string instance::alias(std::string_view object_id) const {
  constexpr auto digits = std::string_view{"0123456789abcdef"};
  auto result = std::string{"troupe:"};
  for (auto shift = 20; shift >= 0; shift -= 4)
    result += digits[(number >> static_cast<uint32_t>(shift)) & 15U];
  result += ':';
  result += object_id;
  return result;
}

} // namespace troupe
