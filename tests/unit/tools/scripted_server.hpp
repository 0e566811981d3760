#pragma once

#include "troupe/netns/unique_fd.hpp"

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace troupe::test {

/// Closes the connection.
inline const auto hang_up = std::string{"\0hang up", 8};

/// Says what comes before it once the head of the request is there, and closes
/// the connection.
inline const auto hang_up_early = std::string{"\0early", 6};

/// What a server says in answer to one request.
using script = std::vector<std::string>;

/// Answers one request after the other as it is told, on one connection at a
/// time, and then no more.
class scripted_server {
public:
  scripted_server(const std::string& socket_path, std::vector<script> answers);
  scripted_server(const scripted_server&) = delete;
  scripted_server& operator=(const scripted_server&) = delete;
  ~scripted_server();

  /// What it was sent.
  std::vector<std::string> requests();

  /// How often somebody connected.
  size_t connections();

  /// Waits until so many requests are answered, and hung up on if that is
  /// wanted. @returns false after a minute.
  bool wait_for(size_t answered);

private:
  void run();
  void serve(int fd);
  bool answer(int fd, const script& what);

  netns::unique_fd listening_;
  std::mutex mutex_;
  std::condition_variable answered_;
  std::vector<script> answers_;
  std::vector<std::string> requests_;
  size_t next_ = 0;
  size_t connections_ = 0;
  std::thread thread_;
};

/// Listens, and has no room for one more connection until it is told.
class deaf_server {
public:
  explicit deaf_server(const std::string& socket_path);

  /// Closes what fills the backlog, and whoever comes next.
  void make_room();

  ~deaf_server();

private:
  netns::unique_fd listening_;
  std::vector<netns::unique_fd> crowd_;
  std::thread thread_;
};

} // namespace troupe::test
