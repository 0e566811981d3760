#pragma once

#include "troupe/tests/unit/tools/tapped_backend.hpp"
#include "troupe/tools/trouped/listener.hpp"
#include "troupe/tools/trouped/server.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::test {

/// A directory that goes away with the object.
class temporary_directory {
public:
  temporary_directory();
  temporary_directory(const temporary_directory&) = delete;
  temporary_directory& operator=(const temporary_directory&) = delete;
  ~temporary_directory();

  std::string operator/(std::string_view name) const {
    return path_ + "/" + std::string{name};
  }

private:
  std::string path_;
};

/// What a raw client got.
struct raw_reply {
  int status = 0; ///< 0: the server closed without an answer.
  std::string head;
  std::string body;
};

/// A client that sends bytes as they are given, right or wrong.
class raw_client {
public:
  explicit raw_client(const std::string& socket_path);

  /// @returns false when the server has hung up.
  bool send(std::string_view bytes);

  /// Reads one reply with a Content-Length; gives up after a minute.
  raw_reply receive();

  /// Reads until the text has come; gives up after a minute.
  std::string receive_until(std::string_view text);

  /// True if the server closes within a minute.
  bool is_closed();

  /// Sends a request with a body, if it has one, and waits for the reply.
  raw_reply ask(std::string_view method, std::string_view target,
                std::string_view body = {});

private:
  bool read_more();

  netns::unique_fd fd_;
  std::string buffer_;
};

/// The server over real actors on a simulated machine, and a real socket.
class server_fixture : public ::testing::Test {
protected:
  /// Starts it; for tests with limits of their own.
  void start(tools::server_options options = {});

  void stop();

  raw_client client() const {
    return raw_client{socket_};
  }

  std::string uri() const {
    return "unix://" + socket_;
  }

  temporary_directory directory_;
  std::string socket_ = directory_ / "api.sock";
  std::shared_ptr<tapped_backend> backend_ = std::make_shared<tapped_backend>();
  std::optional<tools::listener> listener_;
  std::unique_ptr<tools::server> server_;
};

/// Waits until the condition holds. @returns false after a minute.
bool eventually(const std::function<bool()>& condition);

} // namespace troupe::test
