#pragma once

#include "troupe/netns/simulated/kernel.hpp"
#include "troupe/netns/watch.hpp"

#include <memory>

namespace troupe::netns {

/// An event source on a simulated machine: tells every change of the host's
/// and of pinned namespaces from its opening on, whoever made it.
///
/// - *Order*: that of the changes. Nothing is merged, so a test sees each one.
/// - *Overflow*: at most 4 096 events are kept; then they are dropped and the
///   next `wait` says `overflow` and nothing else.
/// - *Time*: `wait` with 0 ms returns what is there at once, which is what a
///   test with virtual time calls.
class simulated_watch : public event_source {
public:
  explicit simulated_watch(std::shared_ptr<simulated_world> world);
  ~simulated_watch() override;
  simulated_watch(const simulated_watch&) = delete;
  simulated_watch& operator=(const simulated_watch&) = delete;

  result<std::vector<kernel_event>>
  wait(std::chrono::milliseconds longest) override;

  void interrupt() override;

  /// Drops what is queued and reports `overflow` instead, as the kernel does
  /// when the reader is too slow.
  void overflow();

private:
  struct queue;

  std::shared_ptr<simulated_world> world_;
  std::shared_ptr<queue> queue_;
  int observer_ = 0;
};

} // namespace troupe::netns
