#pragma once

namespace troupe::bugs {

/// Which bug is there; 0: none. See bugs.py.
inline int chosen = 0;

/// Asked at the place of each bug.
inline bool is_on(int number) {
  return chosen == number;
}

} // namespace troupe::bugs
