#pragma once

#include "troupe/config/model/error.hpp"
#include "troupe/persistence/walker.hpp"

#include <chrono>
#include <functional>
#include <string>

namespace troupe::persistence {

/// What came out of one child.
struct walk_report {
  walk_verdict verdict;
  std::string stream; ///< Frames, complete ones only if the walk was.
};

/// Forks a child that walks a data file (`walk_and_exit`), and collects what
/// it sends.
/// @param limit_bytes a longer stream ends the child: a healthy file cannot
///        hold so much. The report then says `refused`.
/// Errors: what fork, pipe or mmap report; a child that is silent for
/// `patience` is killed and reported as `unknown`.
/// @note The verdict does not depend on the exit status, because a program we
/// are embedded in may reap our child before we do.
result<walk_report> walk_in_child(const std::string& path, size_t limit_bytes,
                                  std::chrono::milliseconds patience);

} // namespace troupe::persistence
