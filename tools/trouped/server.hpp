#pragma once

#include "troupe/actors/api/backend.hpp"
#include "troupe/actors/embedded/live_faults.hpp"
#include "troupe/config/settings.hpp"
#include "troupe/netns/unique_fd.hpp"
#include "troupe/tools/trouped/exchange.hpp"

#include <condition_variable>
#include <memory>
#include <thread>

struct MHD_Daemon;
struct MHD_Response;

namespace troupe::tools {

/// Bounds and callbacks of the HTTP server.
struct server_options {
  size_t max_body_bytes = size_t{1} << 20U;
  unsigned max_connections = 256;
  size_t max_connections_per_user = 64; ///< For each user but root.
  size_t max_requests = 1'024;          ///< In work at once.
  size_t max_inquiries = 16; ///< Status, metrics, doctor; beside those.
  size_t max_streams = 64;   ///< Readers of events.
  size_t max_events = 1'024; ///< Queued for each reader.

  /// Upper bound for the work of one request; a client may ask for less with
  /// the header `Troupe-Deadline-Ms`.
  std::chrono::milliseconds request_timeout{settings{}.request_timeout_ms};

  /// A connection on which nothing moves is closed after this.
  std::chrono::seconds idle_timeout{10};

  /// A connection that has not got a whole request across after this is
  /// closed, however busy it looks.
  std::chrono::milliseconds receive_timeout{20'000};

  /// Called for each finished request that may have changed something.
  std::function<void(const audit_record&)> audit;

  /// Null: no faults can be injected.
  std::shared_ptr<live_faults> faults;
};

/// Serves the local API on a listening Unix socket.
///
/// Threading: one thread runs libmicrohttpd's event loop and all of our
/// parsing; while the backend works the connection is suspended, so the loop
/// never waits. While there are connections a second thread wakes once a second
/// for what takes time: slow clients and dead readers of events.
///
/// Failure: a client that hangs up loses its reply, nothing else; what it
/// asked for is carried out.
class server {
public:
  /// Starts serving. @param listening bound, listening, non-blocking.
  static result<std::unique_ptr<server>>
  start(std::shared_ptr<backend> where, netns::unique_fd listening,
        server_options options = {});

  server(const server&) = delete;
  server& operator=(const server&) = delete;

  /// Stops with a grace of 0.
  ~server();

  /// Accepts nothing new, waits for the requests in work, answers those that
  /// take longer than `grace` with `unavailable`, ends all event streams.
  void stop(std::chrono::milliseconds grace);

  /// Serves a connection that was accepted on another socket.
  void take_connection(netns::unique_fd connection);

private:
  friend struct server_callbacks;

  server(std::shared_ptr<backend> where, server_options options);
  result<void> open(netns::unique_fd listening);
  void keep_house();
  void note_company();

  // On the server's thread:
  using exchange_ptr = std::shared_ptr<exchange>;
  int receive(const exchange_ptr& x, const char* data, size_t* bytes);
  int begin(const exchange_ptr& x);
  int dispatch(const exchange_ptr& x);
  int submit(const exchange_ptr& x, request what);
  int stream_events(const exchange_ptr& x);
  int answer_about_faults(const exchange_ptr& x,
                          std::span<const api::parameter> path,
                          std::string_view query);
  int answer(const exchange_ptr& x);
  int send_error(const exchange_ptr& x, const error& why, int status = 0,
                 const std::string& allow = {});
  int send_text(const exchange_ptr& x, int status, std::string body,
                const char* type, const std::string& allow = {});
  int queue(const exchange_ptr& x, int status, MHD_Response* response);
  bool is_reply_lost(const exchange_ptr& x);
  std::string metrics_text(const result<reply>& status) const;
  std::chrono::milliseconds deadline_of(const exchange& x) const;

  std::shared_ptr<backend> backend_;
  server_options options_;
  netns::unique_fd listening_;
  std::shared_ptr<pending_requests> pending_;
  std::shared_ptr<pending_requests> inquiries_;
  request_metrics metrics_;
  connection_registry connections_;
  event_hub hub_;
  uint64_t subscription_ = 0;
  MHD_Daemon* daemon_ = nullptr;
  std::atomic<size_t> open_exchanges_ = 0; ///< Begun, reply not yet out.

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  bool has_company_ = false; ///< Somebody has connected.
  std::thread housekeeper_;
};

} // namespace troupe::tools
