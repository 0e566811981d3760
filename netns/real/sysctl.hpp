#pragma once

#include "troupe/netns/kernel.hpp"
#include "troupe/netns/real/sysctl_files.hpp"

#include <memory>
#include <string>
#include <utility>

namespace troupe::netns {

/// The file of a setting below /proc/sys, e.g.
/// `net/ipv6/conf/eth0/disable_ipv6`. Errors: `invalid_argument` (EINVAL) if
/// `interface` is no interface's name.
result<std::string> sysctl_name(sysctl key, const std::string& interface);

/// The settings of one namespace.
/// @thread_safety One caller at a time, any thread.
class sysctls {
public:
  /// @param ns A descriptor of the namespace; must live as long as this.
  /// @param files How to reach them; null for /proc, as it is mounted.
  sysctls(int ns, std::shared_ptr<sysctl_files> files)
    : ns_(ns), files_(std::move(files)) {
  }

  /// Sets a value; does not write what is there already, so that a read-only
  /// /proc/sys with the right values is fine.
  result<void> set(sysctl key, const std::string& interface, int value);

  result<int> read(sysctl key, const std::string& interface);

private:
  result<unique_fd> open(const std::string& name, int flags);

  int ns_;
  std::shared_ptr<sysctl_files> files_;
};

} // namespace troupe::netns
