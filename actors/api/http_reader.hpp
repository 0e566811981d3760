#pragma once

// The bytes of an HTTP response. Beast's parser reads them; it shows in the
// source only, for its headers are large.

#include "troupe/config/model/error.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace troupe {

struct http_response {
  int status = 0;
  std::string body;
};

/// Takes a part of a body. An error ends the response.
using body_sink = std::function<result<void>(std::string_view bytes)>;

/// Reads one response, in any portions.
class http_reader {
public:
  /// No body that is kept is larger; a list of 100 000 endpoints has about
  /// 80 MiB.
  static constexpr size_t max_body_bytes = size_t{1} << 28U;

  /// @param sink gets the body of a response with status 200 as it comes, of
  /// any length; without one, or with another status, the body is kept.
  explicit http_reader(body_sink sink = {});
  http_reader(const http_reader&) = delete;
  http_reader& operator=(const http_reader&) = delete;
  ~http_reader();

  /// Takes the next bytes. Errors: `internal` for what is no HTTP or is too
  /// large; those of the sink. @pre it is not complete.
  result<void> feed(std::string_view bytes);

  /// There will be no more bytes, which is the end of some responses.
  void end();

  bool is_complete() const;

  /// May the connection be used again? @pre it is complete.
  bool keeps_connection() const;

  /// @pre it is complete.
  http_response take();

private:
  class parser;

  void begin();

  body_sink sink_;
  std::unique_ptr<parser> parser_;
  std::string rest_; ///< Begins what is not understood without the next bytes.
};

} // namespace troupe
