#pragma once

#include "troupe/config/model/port.hpp"

#include <string>
#include <vector>

namespace troupe::drivers {

/// A port, or a run of them, that somebody is to be told about.
struct told_port {
  port_binding binding;
  std::string reason;
};

/// The reason alone: an error's message without `publish HOST:PORT/PROTO: `,
/// which is another one for each port.
std::string reason_of(const std::string& message);

/// Runs that have one reason as one: ten thousand ports of a range are one line
/// for a person. Sorted by host address and port.
std::vector<told_port> in_runs(std::vector<told_port> xs);

} // namespace troupe::drivers
