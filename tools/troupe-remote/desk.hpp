#pragma once

#include "troupe/actors/api/routes.hpp"
#include "troupe/tools/troupe-remote/event_feed.hpp"
#include "troupe/tools/troupe-remote/limits.hpp"
#include "troupe/tools/troupe-remote/request_memory.hpp"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

namespace troupe::tools::remote {

/// What the desk needs from the loop around it.
struct desk_surroundings {
  /// Sends an answer; a connection that is gone by now is no error.
  std::function<void(asker, answer)> reply;

  /// Runs something on the loop's thread; callable from any thread.
  std::function<void(std::function<void()>)> post;

  /// One finished request that may have changed something, for the logs.
  std::function<void(const std::string& line)> audit;
};

/// Where the questions of all peers arrive: holds back who asks too much, lets
/// no request happen twice, asks the daemon.
/// @thread_safety The loop's thread only.
class desk {
public:
  desk(std::shared_ptr<backend> daemon, peer_limits limits,
       desk_surroundings around);
  desk(const desk&) = delete;
  desk& operator=(const desk&) = delete;
  ~desk();

  /// Answers every question exactly once, now or later.
  /// @param peer subject of the certificate.
  void ask(const std::string& peer, asker who, question q, steady_time now);

  /// May this peer connect once more? Counts the connection in.
  bool enter(const std::string& peer, steady_time now);

  /// Counts a connection out.
  void leave(const std::string& peer, uint64_t connection);

  /// Does somebody wait for his turn? Then `tick` must come soon.
  bool has_waiting() const;

  /// Lets those go on who waited for their turn, ends long waits for events,
  /// and forgets silent peers. To be called once a second.
  void tick(steady_time now);

private:
  /// A request on its way.
  struct job {
    std::string peer;
    std::string client;
    uint64_t sequence = 0;
    asker who;
    const api::route* where = nullptr;
    std::string target;
    request what;
    steady_time until;
  };

  struct peer_record {
    peer_record(const peer_limits& limits, steady_time now)
      : requests{limits.requests_per_second, limits.request_burst, now},
        arrivals{limits.connections_per_second, limits.connection_burst, now},
        last_used{now} {
    }

    token_bucket requests;
    token_bucket arrivals;
    size_t connections = 0;
    size_t open = 0; ///< Waiting or carried out.
    std::deque<job> waiting;
    request_memory memory;
    steady_time last_used;
  };

  peer_record& record_of(const std::string& peer, steady_time now);
  void hello(peer_record& who, asker a, const question& q, steady_time now);
  void events(asker who, const question& q, steady_time now);
  void
  call(const std::string& peer, asker who, const question& q, steady_time now);
  void admit(job x, steady_time now);
  void start(job x, steady_time now);
  void finish(const job& x, const result<reply>& outcome, steady_time started);
  void settle(const job& x, int status, const std::string& body, bool carried);
  void refuse(asker who, const error& why);
  void send(const std::vector<event_feed::due>& pages);
  void watch_events();
  void start_feed(const result<uint64_t>& subscribed);
  void drop_early(uint64_t connection);

  std::shared_ptr<backend> daemon_;
  peer_limits limits_;
  desk_surroundings around_;
  std::map<std::string, peer_record> peers_;
  event_feed feed_;
  steady_time next_expiry_;
  enum class watching : uint8_t { no, starting, yes } watching_ = watching::no;
  std::vector<std::pair<asker, question>> early_; ///< Asked before `yes`.
  std::thread subscriber_;    ///< Waits for the daemon to subscribe.
  uint64_t subscription_ = 0; ///< Its result; read after its end.
};

} // namespace troupe::tools::remote
