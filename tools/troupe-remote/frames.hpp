#pragma once

// What the front and the worker of one peer say to each other, over a socket
// that only they have: a length of four bytes, little endian, and JSON.

#include "troupe/actors/api/messages.hpp"
#include "troupe/config/model/error.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::tools::remote {

/// From the worker, on behalf of its peer. The front treats it as the peer's
/// own word: a worker may have been taken over.
struct question {
  std::string kind;    ///< `hello`, `call` or `events`.
  uint64_t number = 0; ///< Comes back in the answer.

  std::string client; ///< Of `hello`.

  // Of `call`:
  uint64_t sequence = 0;
  std::vector<uint64_t> answered;
  int64_t deadline_ms = 0;
  std::string method; ///< As in the local API; so the next two.
  std::string target;
  std::string body;

  // Of `events`:
  uint64_t feed = 0;
  uint64_t next = 0;
  int64_t wait_ms = 0;

  static constexpr auto fields() {
    return std::tuple{field{"kind", &question::kind},
                      field{"number", &question::number},
                      field{"client", &question::client},
                      field{"sequence", &question::sequence},
                      field{"answered", &question::answered},
                      field{"deadline_ms", &question::deadline_ms},
                      field{"method", &question::method},
                      field{"target", &question::target},
                      field{"body", &question::body},
                      field{"feed", &question::feed},
                      field{"next", &question::next},
                      field{"wait_ms", &question::wait_ms}};
  }
};

/// From the front.
struct answer {
  uint64_t number = 0;
  int status = 0;   ///< As in the local API.
  std::string body; ///< JSON: of the reply, or of the error.

  static constexpr auto fields() {
    return std::tuple{field{"number", &answer::number},
                      field{"status", &answer::status},
                      field{"body", &answer::body}};
  }
};

/// The body of a `hello`'s answer.
struct opened_session {
  uint64_t session = 0;

  static constexpr auto fields() {
    return std::tuple{field{"session", &opened_session::session}};
  }
};

/// The body of an `events`' answer; see `remote::event_batch`.
struct events_page {
  uint64_t feed = 0;
  uint64_t next = 0;
  uint64_t lost = 0;
  std::vector<event> events;

  static constexpr auto fields() {
    return std::tuple{
      field{"feed", &events_page::feed}, field{"next", &events_page::next},
      field{"lost", &events_page::lost}, field{"events", &events_page::events}};
  }
};

/// A request is at most 1 MiB of JSON, and text within JSON grows at most
/// sixfold by escapes; with its other fields.
inline constexpr size_t max_question_bytes = size_t{7} << 20U;

/// A list of some 10 000 endpoints; longer ones must be asked for in parts.
inline constexpr size_t max_answer_bytes = size_t{32} << 20U;

std::string encode(const question& x);
std::string encode(const answer& x);

/// Errors: `invalid_argument`.
result<question> decode_question(std::string_view text);
result<answer> decode_answer(std::string_view text);

/// Cuts a stream into frames.
class frame_reader {
public:
  explicit frame_reader(size_t max_bytes) : max_bytes_{max_bytes} {
  }

  /// Takes the next bytes.
  void feed(std::string_view bytes);

  /// The next whole frame's text; nothing: not there yet. Errors:
  /// `invalid_argument` for one that is too long, which ends the stream.
  result<std::optional<std::string>> next();

private:
  size_t max_bytes_;
  std::string buffer_;
  size_t used_ = 0;
};

} // namespace troupe::tools::remote
