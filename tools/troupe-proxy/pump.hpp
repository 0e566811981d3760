#pragma once

#include "troupe/netns/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace troupe::proxy {

using netns::unique_fd;

/// A pipe that splice moves data through.
struct data_pipe {
  unique_fd out; ///< To be read.
  unique_fd in;  ///< To be written.
};

/// Pipes that are empty and wait for work, so that idle connections need none.
class pipe_pool {
public:
  /// Empty if there are no descriptors left.
  std::optional<data_pipe> take();

  /// @pre the pipe is empty.
  void give(data_pipe pipe);

private:
  std::vector<data_pipe> spare_;
};

/// Moves bytes one way between two sockets, inside the kernel where that is
/// possible. Holds at most 64 KiB.
class pump {
public:
  enum class outcome : uint8_t {
    blocked,  ///< Nothing more can be done until a socket is ready.
    more,     ///< Stopped to let others work.
    finished, ///< The sender closed and everything has been passed on.
    failed,   ///< A socket broke.
  };

  /// @param may_splice false for sockets that splice cannot read.
  explicit pump(bool may_splice) : may_splice_{may_splice} {
  }

  /// Moves what it can. At the end the receiver is told by a half-close.
  outcome run(int from, int to, pipe_pool& pool);

private:
  enum class step : uint8_t { progress, nothing, end, broken };

  step fill(int from, pipe_pool& pool);
  step drain(int to);
  step fill_pipe(int from);
  step fill_buffer(int from);
  void rest(pipe_pool& pool);

  bool may_splice_;
  bool at_end_ = false;
  bool finished_ = false;
  size_t held_ = 0; // Bytes in the pipe or in the buffer.
  std::optional<data_pipe> pipe_;
  std::vector<char> buffer_; // Used when there is no pipe.
  size_t sent_ = 0;          // Of the buffer.
};

} // namespace troupe::proxy
