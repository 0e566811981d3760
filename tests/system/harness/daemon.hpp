#pragma once

#include "troupe/tests/system/harness/http_client.hpp"

#include <chrono>
#include <string>
#include <vector>

#include <sys/types.h>

namespace troupe::test {

/// Path of the daemon and the command line of this build.
const char* daemon_path();
const char* command_line_path();

/// The real `trouped` of this build, on directories of its own.
/// @thread_safety One caller at a time, but `client` may be called by any.
class daemon_process {
public:
  /// @param dir an existing directory on tmpfs; gets `state`, `run` and `log`.
  explicit daemon_process(std::string dir);

  /// Kills it if it is running.
  ~daemon_process();
  daemon_process(const daemon_process&) = delete;
  daemon_process& operator=(const daemon_process&) = delete;

  /// Words before the program from the next start on, e.g. `setpriv …`.
  void wrap(std::vector<std::string> wrapper) {
    wrapper_ = std::move(wrapper);
  }

  /// Another build's program, from the next start on.
  void set_program(std::string path) {
    program_ = std::move(path);
  }

  /// Starts it and waits until it answers. @returns why it does not; empty:
  /// it does.
  std::string start(const std::vector<std::string>& flags = {});

  /// Starts it and does not wait.
  void launch(const std::vector<std::string>& flags = {});

  /// Waits until it answers. @returns as `start`.
  std::string wait_until_ready();

  /// SIGKILL, and waits until it is gone.
  void kill();

  /// SIGTERM, and waits until it is gone. @returns its exit code.
  int terminate();

  bool is_running() const {
    return pid_ > 0;
  }
  pid_t pid() const {
    return pid_;
  }
  const std::string& dir() const {
    return dir_;
  }
  std::string socket() const;

  /// `unix://` and the socket.
  std::string uri() const;

  /// A connection of its own.
  http_client client() const;

  /// What it has written; for messages of failed tests.
  std::string log() const;

  /// Runs the command line of this build against this daemon.
  struct outcome troupe(std::vector<std::string> words) const;

private:
  std::string dir_;
  std::vector<std::string> wrapper_;
  std::string program_ = daemon_path();
  pid_t pid_ = -1;
};

} // namespace troupe::test
