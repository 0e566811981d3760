#include "troupe/config/model/nearest.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace troupe {

namespace {

// Longer words are no typos; the bound keeps hostile input cheap.
constexpr size_t max_word_bytes = 64;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same(char lhs, char rhs) {
  return lower(lhs) == lower(rhs);
}

// Optimal string alignment distance, in three rolling rows.
size_t distance(std::string_view lhs, std::string_view rhs) {
  auto before = std::vector<size_t>(rhs.size() + 1);
  auto above = std::vector<size_t>(rhs.size() + 1);
  auto row = std::vector<size_t>(rhs.size() + 1);
  for (size_t j = 0; j <= rhs.size(); ++j)
    above[j] = j;
  for (size_t i = 1; i <= lhs.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= rhs.size(); ++j) {
      auto change = same(lhs[i - 1], rhs[j - 1]) ? size_t{0} : size_t{1};
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + change});
      if (i > 1 && j > 1 && same(lhs[i - 1], rhs[j - 2])
          && same(lhs[i - 2], rhs[j - 1]))
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(above);
    above.swap(row);
  }
  return above[rhs.size()];
}

} // namespace

std::string_view
nearest(std::string_view word, std::span<const std::string_view> candidates) {
  auto result = std::string_view{};
  if (word.size() > max_word_bytes)
    return result;
  auto best = max_word_bytes;
  for (auto candidate : candidates) {
    auto length = std::max(word.size(), candidate.size());
    // A third of the letters may be wrong, two in a short word, never all.
    auto bound = std::min(std::max<size_t>(2, length / 3), length - 1);
    auto d = distance(word, candidate);
    if (length > 0 && d <= bound && d < best) {
      best = d;
      result = candidate;
    }
  }
  return result;
}

std::string nearest_hint(std::string_view word,
                         std::span<const std::string_view> candidates) {
  if (auto match = nearest(word, candidates); !match.empty())
    return "did you mean \"" + std::string{match} + "\"?";
  auto result = std::string{};
  for (auto candidate : candidates) {
    result += result.empty() ? "known: " : ", ";
    result += candidate;
  }
  return result;
}

} // namespace troupe
