#pragma once

// HTTP over a Unix socket, on top of libcurl. Private to `connect_backend`.
//
// Threading: `http_client::perform` may be called from any number of threads;
// each call takes a transfer, with the connection it kept open, out of a pool.
//
// Failure: nothing is ever sent twice. A connection that dies after the request
// went out and before the answer came gives `unavailable`: the outcome is
// unknown, and only the caller can tell whether repeating is harmless.

#include "troupe/config/model/error.hpp"

#include <curl/curl.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// One request. An empty body is sent as none.
struct http_request {
  std::string method = "GET";
  std::string target; ///< Path and query, percent-encoded.
  std::string body;
  std::chrono::milliseconds deadline{0}; ///< 0: none (streams).
  std::string operation;                 ///< For messages.
};

struct http_response {
  int status = 0;
  std::string body;
};

/// Frees with a function of libcurl, whose handles are all `void*`.
template <auto Release>
struct curl_releaser {
  template <class T>
  void operator()(T* x) const {
    Release(x);
  }
};

using easy_handle = std::unique_ptr<CURL, curl_releaser<curl_easy_cleanup>>;
using multi_handle = std::unique_ptr<CURLM, curl_releaser<curl_multi_cleanup>>;
using header_list
  = std::unique_ptr<curl_slist, curl_releaser<curl_slist_free_all>>;

/// One easy handle with all it points to; neither copied nor moved.
/// @thread_safety One thread at a time.
class http_transfer {
public:
  explicit http_transfer(std::string socket_path);
  http_transfer(const http_transfer&) = delete;
  http_transfer& operator=(const http_transfer&) = delete;
  ~http_transfer() = default;

  /// Sets the handle up for a request; the kept connection stays.
  void prepare(http_request what);

  /// Adds a header line to the prepared request.
  void add_header(const std::string& line);

  /// Adds to the response's body. @returns false when it gets too large.
  bool append_body(std::string_view bytes);

  /// What came of it. @param code what libcurl said.
  result<http_response> finish(CURLcode code);

  CURL* handle() const {
    return handle_.get();
  }

private:
  static size_t on_write(char* data, size_t size, size_t count, void* self);
  static size_t on_read(char* buffer, size_t size, size_t count, void* self);
  void prepare_body();
  error failure(CURLcode code) const;

  easy_handle handle_;
  header_list headers_;
  std::string socket_path_;
  http_request request_;
  size_t sent_bytes_ = 0;
  http_response response_;
};

/// A pool of transfers to one socket.
class http_client {
public:
  explicit http_client(std::string socket_path);

  /// Sends a request and waits. Errors: `unavailable` (nobody listens, hung
  /// up), `forbidden` (no right to the socket), `timeout`. Any HTTP status is a
  /// success here.
  result<http_response> perform(http_request what);

  /// Takes a transfer out of the pool, or makes one.
  std::unique_ptr<http_transfer> take();

  /// Puts a transfer back.
  void give(std::unique_ptr<http_transfer> x);

  const std::string& socket_path() const {
    return socket_path_;
  }

private:
  std::string socket_path_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<http_transfer>> idle_;
};

/// Why nobody can be reached at a socket, from connect's errno.
error unreachable(const std::string& socket_path, int os_error);

} // namespace troupe
