#pragma once

#include "troupe/actors/api/backend.hpp"
#include "troupe/tools/cni/request.hpp"

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>

namespace troupe::cni {

/// What a call has to do with.
struct surroundings {
  environment env;
  /// Reads the configuration to its end.
  std::function<std::string()> read_input;
  std::ostream& out; ///< For JSON alone.
  std::ostream& log; ///< For people.
  std::function<result<std::shared_ptr<backend>>(const std::string& uri)>
    connect;
};

/// Carries out one call of a runtime. @returns the exit code.
int run_plugin(const surroundings& around);

/// Deletes what could not be while the daemon at this socket was away.
/// @returns the exit code: 1 if something is left.
int replay_deferred(const std::string& socket, const surroundings& around);

} // namespace troupe::cni
