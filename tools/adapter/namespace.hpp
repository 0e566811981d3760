#pragma once

#include "troupe/config/model/error.hpp"
#include "troupe/netns/unique_fd.hpp"

#include <cstdint>
#include <string>

namespace troupe::adapter {

/// A container's namespace, held open: it stays the one that was looked at,
/// whatever becomes of the path.
struct open_namespace {
  netns::unique_fd fd;
  std::string path;
  uint64_t inode = 0;

  /// Leads whoever may look at this process to the descriptor.
  std::string descriptor_path() const;
};

/// Opens a namespace that is not the caller's own. Errors: ENOENT and the
/// like; `invalid_argument` for what is no network namespace; `forbidden` for
/// the caller's own.
result<open_namespace> open_container(const std::string& path);

/// Inode of what is at a path; 0 if nothing is.
uint64_t inode_at(const std::string& path);

} // namespace troupe::adapter
