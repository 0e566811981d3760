#pragma once

#include <cstdlib>

namespace troupe::bugs {

/// Which bug is there, at first that of the environment; 0: none. See bugs.py.
inline int chosen = [] {
  const auto* text = std::getenv("TROUPE_BUG");
  return text == nullptr ? 0 : std::atoi(text);
}();

/// Asked at the place of each bug.
inline bool is_on(int number) {
  return chosen == number;
}

} // namespace troupe::bugs
