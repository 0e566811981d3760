#pragma once

#include "troupe/tools/troupe-remote/frames.hpp"
#include "troupe/tools/troupe-remote/limits.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace troupe::tools::remote {

/// Who waits for an answer: a question of a connection.
struct asker {
  uint64_t connection = 0;
  uint64_t number = 0; ///< Of the question.
};

/// What came of a request.
struct outcome {
  int status = 0;
  std::string body;
};

/// Remembers the requests of one peer's clients that change something, so that
/// a request which is sent again has one effect. Lives in this process's memory
/// only.
class request_memory {
public:
  /// Outcomes kept for one client.
  static constexpr size_t max_outcomes = 1'024;

  /// Bytes of outcomes kept for one peer; beyond that the oldest go. One
  /// outcome has some 2 KiB.
  static constexpr size_t max_bytes = size_t{16} << 20U;

  /// Clients of one peer; beyond that the one that was silent longest goes, if
  /// it has been for a minute.
  static constexpr size_t max_clients = 64;

  /// Longer than the longest deadline: who comes back within his finds his
  /// outcomes.
  static constexpr auto keep = std::chrono::minutes{15};

  /// Finds a client's memory or begins one. @returns its session, never 0.
  /// Errors: `invalid_argument` for a name that is not 32 hex digits;
  /// `unavailable` when there are too many.
  result<uint64_t> open(const std::string& client, steady_time now);

  /// What is to be done with a request.
  struct verdict {
    enum class kind : uint8_t {
      carry_out, ///< It is new; `finish` or `forget` must follow.
      wait,      ///< It is under way; `finish` returns the asker.
      answer,    ///< It was carried out; here is the outcome.
    };
    kind what = kind::carry_out;
    outcome known;
  };

  /// @param fingerprint of the request's text. Errors: `unavailable` when the
  /// client has no session here; `conflict` when another request has the
  /// number.
  result<verdict> begin(const std::string& client, uint64_t sequence,
                        uint64_t fingerprint, asker who, steady_time now);

  /// Keeps an outcome. @returns who waits for it.
  std::vector<asker>
  finish(const std::string& client, uint64_t sequence, outcome x);

  /// The request was not begun after all. @returns who waits for it.
  std::vector<asker> forget(const std::string& client, uint64_t sequence);

  /// The client has got these answers.
  void acknowledge(const std::string& client,
                   const std::vector<uint64_t>& sequences);

  /// Drops clients that were silent for `keep`. @returns true if none is left.
  bool expire(steady_time now);

private:
  struct entry {
    uint64_t fingerprint = 0;
    std::vector<asker> waiting;
    std::optional<outcome> known;
  };

  using request_map = std::map<uint64_t, entry>;

  struct client {
    uint64_t session = 0;
    steady_time last_used;
    request_map requests;
  };

  void make_room(client& x, uint64_t newest);
  bool drop_oldest(client& x, uint64_t newest);
  void drop(request_map& from, request_map::iterator at);
  bool drop_most_silent(steady_time before, const client* except = nullptr);

  std::map<std::string, client> clients_;
  size_t bytes_ = 0; ///< Of all outcomes.
};

} // namespace troupe::tools::remote
