#pragma once

#include "troupe/actors/api/backend.hpp"

#include <ostream>
#include <string>
#include <vector>

namespace troupe::fault {

/// One request in a prepared world.
struct scenario {
  std::string name;
  std::vector<request> prepare; ///< All succeed.
  request operation;
  bool removes = false;  ///< Its commit comes before its kernel work.
  bool restarts = false; ///< The daemon starts anew before the operation.
  bool refused = false;  ///< The operation fails without any fault.
};

/// For GoogleTest's reports.
inline void PrintTo(const scenario& x, std::ostream* out) {
  *out << x.name;
}

/// Every request that changes something, in every variant.
std::vector<scenario> scenarios();

/// Longer ones, whose recovery is much like that of the others.
std::vector<scenario> long_scenarios();

} // namespace troupe::fault
