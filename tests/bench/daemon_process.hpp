#pragma once

#include "samples.hpp"
#include "scratch_host.hpp"
#include <cstdint>
#include <string>

#include <sys/types.h>

namespace troupe::bench {

/// Memory of a process as /proc/PID/status tells it.
uint64_t resident_kib(pid_t process);

/// What a process and its threads have used since they began.
struct process_use {
  uint64_t switches = 0; ///< Of context: how often a thread was woken.
  double cpu_ms = 0;
};

process_use use_of(pid_t process);

/// A `trouped` of our own. Dies with this process, however that ends.
class daemon_process {
public:
  /// @param program path of `trouped`.
  /// @param directory holds its state, run directory and socket.
  daemon_process(const scratch_host& host, std::string program,
                 std::string state_dir, std::string run_dir);
  ~daemon_process();
  daemon_process(const daemon_process&) = delete;
  daemon_process& operator=(const daemon_process&) = delete;

  /// Starts it and waits until it answers a request.
  /// @returns how long that took, from before the fork.
  clock::duration start();

  /// SIGKILL.
  void kill();

  /// What `controller::connect` wants.
  std::string uri() const;

  pid_t pid() const {
    return pid_;
  }

private:
  void launch();

  const scratch_host& host_;
  std::string program_;
  std::string state_dir_;
  std::string run_dir_;
  pid_t pid_ = -1;
};

} // namespace troupe::bench
