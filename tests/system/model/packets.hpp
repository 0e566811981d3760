#pragma once

#include "troupe/tests/system/model/table.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <sys/socket.h>

namespace troupe::test::reach {

/// What a flow has come to.
struct sighting {
  int server = -1; ///< Who answered last.
  std::string seen_as;
  uint64_t connection = 0; ///< TCP: number of the one that is open, or 0.
};

/// Real sockets: each flow sends all the time from its fixed port, and each
/// sandbox and the neighbour serve ports 80 and 81. One thread does it all.
class packets {
public:
  explicit packets(std::vector<flow> flows);
  ~packets();
  packets(const packets&) = delete;
  packets& operator=(const packets&) = delete;

  /// Opens servers and senders of somebody in a namespace. @param path empty:
  /// that of the calling thread. @returns why it failed; empty: it did not.
  std::string move_in(int who, const std::string& path);

  /// Closes them. Sockets keep their namespace, so until then it stays.
  void move_out(int who);

  /// All flows begin anew, each from another port.
  void renew();

  /// One of them begins anew, from the same port.
  void reconnect(size_t i);

  /// What flow number `i` has seen in the last quarter of a second.
  sighting look(size_t i) const;

  /// How long to wait until `look` knows nothing of what was before.
  static constexpr auto memory = std::chrono::milliseconds{250};

private:
  using clock = std::chrono::steady_clock;

  struct server {
    enum class kind : uint8_t { datagrams, clients, client };
    int who;
    int fd;
    kind what;
  };
  struct sender {
    flow what;
    uint16_t source = 0;
    sockaddr_storage to = {};
    socklen_t size = 0;
    std::string path; ///< Of its namespace.
    bool present = false;
    int fd = -1;
    uint64_t connection = 0;
    clock::time_point since, sent, heard;
    int server = -1;
    std::string seen_as;
  };

  void work();
  void serve_all();
  void turn(sender& x);
  void reopen(sender& x);
  void hear(sender& x);

  mutable std::mutex mutex_;
  std::vector<server> servers_;
  std::vector<server> accepted_;
  std::vector<sender> senders_;
  std::map<int, int> spaces_; ///< Descriptors of namespaces.
  uint64_t last_connection_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

} // namespace troupe::test::reach
