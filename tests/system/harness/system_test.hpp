#pragma once

#include "troupe/tests/system/harness/command.hpp"
#include "troupe/tests/system/harness/daemon.hpp"
#include "troupe/tests/system/harness/kernel_state.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace troupe::test {

/// Base of the tests of the real daemon. Each test gets a fresh network
/// namespace, fresh directories and a running daemon. When it is over, all
/// that the daemon knows is removed, and the kernel and the daemon's
/// descriptors must be as they were before the first request.
class system_test : public ::testing::Test {
protected:
  void SetUp() override;
  void TearDown() override;

  /// The daemon of this test.
  daemon_process& daemon() {
    return *daemon_;
  }

  /// Sends a request on the test's own connection. A failed answer fails the
  /// test, and gives null.
  nlohmann::json must(const std::string& method, const std::string& target,
                      const nlohmann::json& body = nullptr);

  /// Shorthands; each fails the test if the daemon refuses.
  nlohmann::json create_network(const std::string& name,
                                nlohmann::json spec = nlohmann::json::object());
  nlohmann::json create_sandbox(const std::string& name);
  nlohmann::json attach(const std::string& network, const std::string& sandbox);

  /// The findings of `troupe doctor`, as text; empty if all is well.
  std::string doctor();

  /// Removes every sandbox, endpoint and network.
  void remove_everything();

  /// Makes one of each kind of object and removes all objects, so that actors
  /// and sockets are there that stay once they were needed.
  void touch_everything();

  /// A new connection for the test's own requests: the daemon closes one that
  /// was silent for long.
  void reconnect();

  /// Takes the daemon's descriptors as the baseline and reconnects; for a test
  /// that has restarted it.
  void observe_daemon();

  /// Flags of the daemon; to be set in the constructor of a fixture.
  std::vector<std::string> flags_;

  /// Words before the daemon's program; likewise.
  std::vector<std::string> wrapper_;

private:
  void expect_same_descriptors();

  std::unique_ptr<daemon_process> daemon_;
  std::unique_ptr<http_client> client_;
  kernel_state before_;
  std::multiset<std::string> descriptors_;
};

/// Pretty text of an answer for messages.
std::string text_of(const std::optional<response>& answer);

/// The part before the length: `10.0.0.2/24` gives `10.0.0.2`.
std::string without_length(const std::string& address);

} // namespace troupe::test
