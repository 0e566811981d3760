#pragma once

// troupe-oci as OCI runtimes start it: a hook with the container's state on
// standard input.

#include "troupe/actors/api/backend.hpp"

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

namespace troupe::oci {

/// What annotations ask for.
struct wanted_container {
  std::string id;
  long pid = 0; ///< 0: it has ended.
  std::vector<std::string> networks;
  endpoint_spec first; ///< Address, MAC and ports, on the first network.
};

/// Reads the state. Errors: `invalid_argument`, naming the annotation.
result<wanted_container> read_state(std::string_view text);

struct surroundings {
  std::string socket;
  std::string state;                 ///< As it came.
  std::vector<std::string> networks; ///< For containers that name none.
  std::ostream& log;
  std::function<result<std::shared_ptr<backend>>(const std::string& uri)>
    connect;
};

/// Attaches the container to its networks, all or none. @returns the exit
/// code; the runtime gives the container up if it is not 0.
int create_runtime(const surroundings& around);

/// Detaches it from all, now or when the daemon is back. @returns 0.
int post_stop(const surroundings& around);

} // namespace troupe::oci
