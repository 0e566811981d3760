#pragma once

#include "troupe/tools/adapter/namespace.hpp"
#include "troupe/tools/cni/config.hpp"

#include <string>
#include <vector>

namespace troupe::cni {

/// What a result says of the container's interface.
struct promised {
  std::string interface;
  std::string mac; ///< Empty: not said.
  std::vector<std::string> addresses;
  bool default_v4 = false;
  bool default_v6 = false;
};

/// Reads a result of any version. Errors: `bad_config` if there is none, or
/// the interface is not in it.
outcome<promised> read_promise(const json& document, const environment& env);

/// Looks into the namespace: what is otherwise than promised, empty if nothing.
/// The calling thread goes there and comes back.
std::string
difference(const adapter::open_namespace& where, const promised& what);

} // namespace troupe::cni
