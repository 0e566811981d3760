#pragma once

#include "troupe/actors/troupe.hpp"
#include "troupe/tests/system/harness/system_test.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace troupe::test {

/// The real daemon with the real `troupe-remote` in front, which runs as nobody
/// and listens on 127.0.0.1, with a private authority of the test's own.
class remote_test : public system_test {
protected:
  remote_test();
  void SetUp() override;
  void TearDown() override;

  /// Starts it and waits until it listens. @returns why it does not.
  std::string start_remote(const std::vector<std::string>& flags = {});

  /// SIGTERM. @returns the exit code.
  int stop_remote();

  /// SIGKILL.
  void kill_remote();

  /// Runs it to its end, which must come soon.
  outcome run_remote(const std::vector<std::string>& words) const;

  /// Flags for its credentials and its daemon.
  std::vector<std::string> remote_flags() const;

  pid_t remote_pid() const {
    return remote_;
  }
  std::string remote_log() const;

  /// Directory of the certificates.
  std::string pki() const;

  /// Files of one client; `client` and `other` exist, and `stranger`, whose
  /// authority is another one.
  credentials files_of(const std::string& who) const;

  /// Makes a client's certificate that expired yesterday.
  credentials expired_files();

  /// A facade; 127.0.0.1 unless told otherwise.
  controller connect(const std::string& who = "client",
                     const std::string& host = "127.0.0.1");

  /// The command line of this build, through the remote interface.
  outcome remote_troupe(std::vector<std::string> words,
                        const std::string& who = "client") const;

  /// The slowest of `count` local requests.
  std::chrono::milliseconds slowest_local_request(int count = 20);

  /// Names of the networks, as a local client sees them.
  std::vector<std::string> local_networks();

private:
  void let_everything_end();

  pid_t remote_ = -1;
};

/// Processes of this name in the test program's own process namespace, without
/// those that have ended and nobody has collected.
std::vector<pid_t> processes_named(const std::string& name);

/// Waits until something holds, at most so long.
bool eventually(const std::function<bool()>& holds,
                std::chrono::seconds deadline = std::chrono::seconds{10});

} // namespace troupe::test
