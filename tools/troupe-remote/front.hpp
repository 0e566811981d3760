#pragma once

#include "troupe/actors/remote/tls.hpp"
#include "troupe/tools/troupe-remote/connection.hpp"
#include "troupe/tools/troupe-remote/desk.hpp"
#include "troupe/tools/troupe-remote/limits.hpp"
#include "troupe/tools/troupe-remote/post_queue.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace troupe::tools::remote {

/// The one loop of the process: accepts strangers, lets peers in, carries bytes
/// between them and their workers, and questions to the desk.
/// @thread_safety `run` and `reload` on one thread; nothing else is called.
class front {
public:
  struct parts {
    netns::unique_fd listener;
    troupe::remote::tls_identity identity;
    std::shared_ptr<backend> daemon;
    peer_limits peers;
    stranger_limits strangers;
    std::function<void(const std::string& line)> log;
  };

  explicit front(parts x);
  front(const front&) = delete;
  front& operator=(const front&) = delete;
  ~front() = default;

  /// Serves until `interrupt` is readable.
  void run(int interrupt);

  /// Uses another identity for the next connections.
  void reload(troupe::remote::tls_identity identity);

private:
  using connections = std::map<uint64_t, std::unique_ptr<connection>>;

  void accept_all(steady_time now);
  void welcome(netns::unique_fd socket, steady_time now);
  bool may_enter(const std::string& address, steady_time now);
  void run_connection(uint64_t number, steady_time now);
  void close(connections::iterator x);
  void close_overdue(steady_time now);
  void reply(asker who, const answer& x);
  std::vector<pollfd> watched(int interrupt);
  void run_ready(const std::vector<pollfd>& polls, steady_time now);

  parts parts_;
  std::shared_ptr<post_queue> posts_ = std::make_shared<post_queue>();
  desk desk_;
  token_bucket handshakes_;
  connections connections_;
  uint64_t last_connection_ = 0;
  std::vector<uint64_t> owners_; ///< Of the polled descriptors.
  steady_time accept_again_;     ///< After running out of descriptors.
};

} // namespace troupe::tools::remote
