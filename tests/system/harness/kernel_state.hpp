#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include <sys/types.h>

namespace troupe::test {

/// What the kernel holds, as seen by `ip` and /proc and not by any code of
/// ours: one text per link, address, route, namespace, mount and sysctl.
struct kernel_state {
  std::map<std::string, std::multiset<std::string>> parts; ///< By kind.

  bool operator==(const kernel_state&) const = default;
};

/// Looks at the namespaces of the calling thread.
kernel_state observe_kernel();

/// Lines `+ kind: text` for what is only in `after`, `- ` for what is only in
/// `before`; empty if they are equal.
std::string difference(const kernel_state& before, const kernel_state& after);

/// Waits until the kernel looks as before; it takes namespaces down in the
/// background. @returns the difference that is left after five seconds.
std::string difference_that_stays(const kernel_state& before);

/// An interface as it is inside a namespace.
struct seen_interface {
  std::string name;
  std::multiset<std::string> addresses; ///< With length; no link-local ones.
  bool up = false;
};

/// The interfaces of the namespace pinned at a path, without `lo`. Empty if
/// the path is no namespace.
std::vector<seen_interface> interfaces_inside(const std::string& path);

/// Names of all links in the namespace of the calling thread.
std::set<std::string> link_names();

/// Paths of all network namespaces that are pinned by mounts.
std::multiset<std::string> pinned_namespaces();

/// Targets of a process's descriptors, e.g. `socket`, `/dev/null`; numbers of
/// sockets and pipes are cut off.
std::multiset<std::string> descriptors_of(pid_t process);

/// A field of /proc/PID/status in KiB or as a count, e.g. `VmRSS`, `Threads`.
long status_field(pid_t process, const std::string& name);

} // namespace troupe::test
