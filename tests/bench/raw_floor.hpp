#pragma once

#include "samples.hpp"
#include "scratch_host.hpp"
#include <map>
#include <string>

namespace troupe::bench {

/// The least kernel work that an attach can be, with nothing around it: make a
/// namespace, pin it by a bind mount, switch IPv6 off in it, make the veth in
/// place on the bridge, raise loopback and interface, add address and default
/// route. No store, no names, no answers to anybody.
///
/// Endpoints have the numbers 0 to 1 021. All of it happens in a scratch host
/// of its own.
class raw_floor {
public:
  /// @param directory where namespaces are pinned; made if it is missing.
  explicit raw_floor(std::string directory);
  ~raw_floor();
  raw_floor(const raw_floor&) = delete;
  raw_floor& operator=(const raw_floor&) = delete;

  /// Attaches `count` endpoints one after another. Dies on an error.
  samples attach(int first, int count);

  /// Deletes the veths, fifty in one request, and drops the namespaces.
  /// @returns how long the whole took.
  clock::duration detach_in_groups(int first, int count);

  /// Deletes the veths of live namespaces, one request each. @returns how
  /// long each deletion took.
  samples detach_singly(int first, int count);

  /// Drops the namespaces and lets the kernel take the veths along.
  samples drop_namespaces(int first, int count);

  /// Waits until nothing is left of what was removed.
  void settle();

private:
  std::string pin(int number) const;
  void unpin(int number) const;
  void attach_one(class raw_socket& host, int number);

  std::string directory_;
  scratch_host host_;
  int bridge_ = 0;
  size_t idle_links_ = 0; ///< Links that are there without endpoints.
};

} // namespace troupe::bench
