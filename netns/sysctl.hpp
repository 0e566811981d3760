#pragma once

#include "troupe/netns/kernel.hpp"

#include <string>

namespace troupe::netns {

/// The file of a setting, e.g. `/proc/sys/net/ipv6/conf/eth0/disable_ipv6`.
/// Errors: `invalid_argument` (EINVAL) if `interface` is no interface's name.
result<std::string> sysctl_path(sysctl key, const std::string& interface);

/// Sets a value in an open namespace; does not write what is there already, so
/// that a read-only /proc/sys with the right values is fine.
/// @param ns A descriptor of the namespace.
result<void>
write_sysctl(int ns, sysctl key, const std::string& interface, int value);

/// Reads a value in an open namespace.
result<int> read_sysctl(int ns, sysctl key, const std::string& interface);

} // namespace troupe::netns
