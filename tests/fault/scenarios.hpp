#pragma once

#include "troupe/actors/backend.hpp"

#include <ostream>
#include <string>
#include <vector>

namespace troupe::fault {

/// One request in a prepared world.
struct scenario {
  std::string name;
  std::vector<request> prepare; ///< All succeed.
  request operation;
  bool removes = false; ///< Its commit comes before its kernel work.
};

/// For GoogleTest's reports.
inline void PrintTo(const scenario& x, std::ostream* out) {
  *out << x.name;
}

/// Every request that changes something, in every variant.
std::vector<scenario> scenarios();

} // namespace troupe::fault
