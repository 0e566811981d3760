#pragma once

#include "troupe/netns/unique_fd.hpp"
#include "troupe/tools/troupe-remote/frames.hpp"

#include <functional>
#include <map>
#include <mutex>
#include <string>

namespace troupe::tools::remote {

/// Called once with the answer, on the thread of `run`.
using answer_handler = std::function<void(answer)>;

/// The worker's end of the socket to the front.
/// @thread_safety `ask` may be called from any thread.
class channel {
public:
  explicit channel(netns::unique_fd socket) : socket_{std::move(socket)} {
  }

  /// Sends a question; its number is set here. An answer may never come: the
  /// peer's own deadline covers that.
  void ask(question what, answer_handler handler);

  /// Delivers answers until the front hangs up or sends nonsense.
  void run();

  /// The name of the peer's client, from `hello` on; questions carry it.
  void set_client(std::string name);
  std::string client() const;

private:
  void deliver(answer x);

  netns::unique_fd socket_;
  std::mutex writing_;
  mutable std::mutex mutex_;
  uint64_t last_number_ = 0;
  std::map<uint64_t, answer_handler> open_;
  std::string client_;
};

} // namespace troupe::tools::remote
