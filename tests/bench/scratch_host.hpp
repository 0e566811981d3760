#pragma once

#include "troupe/netns/unique_fd.hpp"

#include <functional>
#include <string>

namespace troupe::bench {

/// Puts the process into a mount namespace of its own with an empty /run.
/// @pre the process has one thread.
void enter_scratch_mounts();

/// A network namespace that plays a host. What is measured gets one each, so
/// that nobody sees the events of another. Goes with the object and the last
/// thread or process in it.
class scratch_host {
public:
  scratch_host();

  /// Calls `f` with the calling thread inside; threads and processes that it
  /// starts stay inside.
  void run(const std::function<void()>& f) const;

  /// Number of links, loopback included.
  size_t links() const;

  /// Waits until at most `links` are left and the kernel has finished to tear
  /// down namespaces: its cleaner works for seconds after many were dropped,
  /// and the lock it holds would be measured. Dies after a minute.
  void settle(size_t links) const;

private:
  /// Makes and drops a namespace, and waits until the veth end it leaves here
  /// is gone: it stands behind all others in the cleaner's queue.
  void wait_for_cleaner() const;

  netns::unique_fd fd_;
};

/// The calling thread's namespace.
netns::unique_fd current_namespace();

/// Moves the calling thread into a new namespace and opens it.
netns::unique_fd enter_new_namespace();

/// Removes what pins namespaces in a directory, and so the namespaces.
void drop_pins(const std::string& directory);

/// Writes a text into a file of /proc; false on failure.
bool write_text(const char* path, const char* text);

} // namespace troupe::bench
