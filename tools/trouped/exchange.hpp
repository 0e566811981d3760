#pragma once

#include "troupe/actors/api/routes.hpp"
#include "troupe/tools/trouped/connections.hpp"
#include "troupe/tools/trouped/event_hub.hpp"
#include "troupe/tools/trouped/metrics.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

struct MHD_Connection;

namespace troupe::tools {

/// One finished request that may have changed something, for the logs.
struct audit_record {
  peer who;
  std::string method;
  std::string path;   ///< As it came, percent-encoded.
  std::string object; ///< Name in the body, if it has one.
  int status = 0;
  std::chrono::nanoseconds duration{0};
};

/// One HTTP request and its answer.
///
/// Life: *receiving* (headers, body) → *waiting* (the backend works, the
/// connection is suspended) → *answered* (resumed; the reply goes out). All but
/// the last step happens on the server's thread; `settle` is the only method
/// for others.
class exchange {
public:
  explicit exchange(std::string target) : target{std::move(target)} {
  }

  enum class stage : uint8_t { fresh, receiving, waiting, answered };

  /// Delivers the outcome and resumes the connection; the second call does
  /// nothing. @returns true for the first.
  bool settle(result<reply> x);

  std::string target; ///< Path and query, as they came.
  std::string method;
  std::string body;
  size_t received_bytes = 0; ///< Of the body, what was dropped included.
  bool too_large = false;    ///< The body was dropped.
  stage now = stage::fresh;
  connection_registry::clock::time_point started;
  const api::route* where = nullptr;
  std::string audit_object;
  MHD_Connection* connection = nullptr;
  std::shared_ptr<event_stream> stream; ///< Of a reader of events.
  std::function<void()> leave_stream;   ///< Ends it.

  /// What `settle` delivered. @pre answered.
  const result<reply>& outcome() const {
    return *outcome_;
  }

private:
  std::mutex mutex_;
  std::optional<result<reply>> outcome_;
};

/// What outlives the server, because the backend may answer late.
struct pending_requests {
  /// Counts a request in. @returns false over the limit.
  bool add(const std::shared_ptr<exchange>& x, size_t limit);

  /// Counts it out.
  void remove(const std::shared_ptr<exchange>& x);

  /// Waits until none is left. @returns those that are, after `grace`.
  std::vector<std::shared_ptr<exchange>> drain(std::chrono::milliseconds grace);

  size_t size() const;

private:
  mutable std::mutex mutex_;
  bool closed_ = false; ///< Draining: nothing more is added.
  std::condition_variable empty_;
  std::unordered_set<std::shared_ptr<exchange>> open_;
};

/// The name of what a request is about, when its body carries it.
std::string audit_name(const request& x);

} // namespace troupe::tools
