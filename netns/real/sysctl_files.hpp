#pragma once

#include "troupe/netns/unique_fd.hpp"

#include <mutex>
#include <string>

namespace troupe::netns {

/// The files below /proc/sys of the namespaces we make, through a mount of
/// procfs of our own that is renewed now and then.
///
/// Why not /proc itself: the kernel remembers every name that was looked up,
/// and those below /proc/sys/net of all namespaces in one list. With 600
/// namespaces one look-up there takes 0.25 ms instead of 0.03.
/// @thread_safety Every method may be called from any thread.
class sysctl_files {
public:
  /// Opens a file in the calling thread's namespace.
  /// @param name Below /proc/sys, e.g. `net/ipv4/ip_forward`.
  /// @param flags Of open(2).
  /// @returns nothing, and errno, on failure.
  unique_fd open(const std::string& name, int flags);

private:
  std::mutex mutex_;
  unique_fd root_;
  int opened_ = 0;
};

} // namespace troupe::netns
