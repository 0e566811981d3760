#pragma once

#include <nlohmann/json.hpp>

#include <optional>
#include <string>

namespace troupe::test {

/// What the daemon answered.
struct response {
  int status = 0;
  nlohmann::json body; ///< Discarded if it was no JSON.

  bool ok() const {
    return status >= 200 && status < 300;
  }
};

/// Speaks HTTP/1.1 over a Unix socket, on one connection that is kept. Code of
/// its own rather than the client of the library: a test of the daemon must
/// not share mistakes with it.
/// @thread_safety One caller at a time.
class http_client {
public:
  explicit http_client(std::string socket_path);
  ~http_client();
  http_client(const http_client&) = delete;
  http_client& operator=(const http_client&) = delete;

  /// @returns nothing if there was no complete answer: the daemon is not
  /// there, went away, or took more than 60 s.
  std::optional<response>
  send(const std::string& method, const std::string& target,
       const nlohmann::json& body = nullptr);

  /// The same with a body that need not be JSON.
  std::optional<response>
  send_text(const std::string& method, const std::string& target,
            const std::string& body);

  std::optional<response> get(const std::string& target);

private:
  bool connect();
  void disconnect();
  bool write_all(const std::string& text);
  std::optional<response> read_response();

  std::string path_;
  int fd_ = -1;
};

} // namespace troupe::test
