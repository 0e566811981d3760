#pragma once

#include "troupe/netns/unique_fd.hpp"

#include <chrono>
#include <optional>

namespace troupe::tools {

/// SIGTERM and SIGINT as a descriptor, whatever else the program does. From its
/// construction on they are blocked in the calling thread and in those it
/// starts; the destructor lets them end the program at once.
class stop_signals {
public:
  /// Terminates nothing when there are no descriptors: `number` is 0 then.
  stop_signals();
  ~stop_signals();
  stop_signals(const stop_signals&) = delete;
  stop_signals& operator=(const stop_signals&) = delete;

  /// Readable when one has come.
  int descriptor() const {
    return fd_.get();
  }

  /// The signal that has come, if one has.
  std::optional<int> take() const;

private:
  netns::unique_fd fd_;
};

} // namespace troupe::tools
