#include "samples.hpp"

#include <algorithm>
#include <cmath>

namespace troupe::bench {

void samples::add(const samples& xs) {
  values_.insert(values_.end(), xs.values_.begin(), xs.values_.end());
}

microseconds samples::quantile(double share) const {
  if (values_.empty())
    return microseconds{0};
  auto sorted = values_;
  auto rank = std::ceil(share * static_cast<double>(sorted.size()));
  auto index
    = std::min(sorted.size() - 1, static_cast<size_t>(std::max(rank, 1.0)) - 1);
  auto nth = sorted.begin() + static_cast<std::ptrdiff_t>(index);
  std::nth_element(sorted.begin(), nth, sorted.end());
  return *nth;
}

samples samples::slice(size_t first, size_t last) const {
  auto result = samples{};
  for (auto i = first; i < std::min(last, values_.size()); ++i)
    result.add(values_[i]);
  return result;
}

double per_second(size_t count, clock::duration took) {
  auto seconds = std::chrono::duration<double>(took).count();
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

} // namespace troupe::bench
