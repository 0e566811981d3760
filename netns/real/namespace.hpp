#pragma once

#include "troupe/netns/kernel.hpp"
#include "troupe/netns/real/sysctl_files.hpp"
#include "troupe/netns/unique_fd.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

/// Making, pinning and opening network namespaces.
///
/// *Threads*: a thread of ours is always in the namespace it started in. The
/// two functions that switch, `open_in` and `make_namespace`, switch back
/// before they return and terminate the process if they cannot: a thread that
/// goes on in the wrong namespace would configure a container instead of the
/// host, or the other way round.
namespace troupe::netns {

/// Opens something; an empty descriptor and errno on failure.
using opener = std::function<unique_fd()>;

/// Calls `open` inside a namespace: what is opened there (a socket, a file
/// below /proc/sys/net) stays bound to it and works from any thread.
/// @param ns A descriptor of the namespace.
/// @param operation For the error message.
result<unique_fd>
open_in(int ns, const opener& open, const std::string& operation);

/// Opens the calling thread's namespace.
result<unique_fd> own_namespace();

/// Makes a namespace nobody is in; it lives while something refers to it. `lo`
/// is up, IPv6 is disabled on all present and future links.
result<unique_fd> make_namespace(sysctl_files& files);

/// The inode of an open namespace. Errors: `invalid_argument` if the
/// descriptor is no network namespace; `path` is for the message only.
result<uint64_t> namespace_inode(int fd, const std::string& path);

/// A directory whose files are bind mounts of namespaces, each of which keeps
/// its namespace alive. Holds no state: the directory is the truth, so that
/// any number of objects and processes may use it.
class pin_directory {
public:
  /// Makes the directory (0711) if it is not there. Errors:
  /// `invalid_argument` if the path is not absolute or no directory.
  static result<pin_directory> open(const std::string& path);

  /// Where the pin of that name is. @pre the name is valid.
  std::string path_of(const std::string& name) const;

  /// Makes a new pin. Errors: EEXIST; `invalid_argument` for a bad name.
  /// @param fd The namespace.
  result<namespace_ref> add(const std::string& name, int fd) const;

  /// Removes a pin, whether or not a namespace is mounted on it. Errors:
  /// `not_found`.
  result<void> remove(const std::string& name) const;

  /// All pins by name, in order; inode 0 if no namespace is mounted on it.
  result<std::vector<std::pair<std::string, namespace_ref>>> list() const;

private:
  explicit pin_directory(std::string path) : path_(std::move(path)) {
  }

  std::string path_;
};

/// A path to the namespace through a process that is in it. Errors: ENOENT.
result<std::string> find_process_namespace(uint64_t inode);

/// Opens a pinned namespace. Errors: `not_found` if the file is gone, is no
/// namespace (any more) or is another one than `ns.inode` says.
result<unique_fd> open_namespace(const namespace_ref& ns);

} // namespace troupe::netns
