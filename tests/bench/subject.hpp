#pragma once

#include "troupe/actors/troupe.hpp"

#include "daemon_process.hpp"
#include "raw_netlink.hpp"
#include "samples.hpp"
#include "scratch_host.hpp"
#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace troupe::bench {

/// The value, or the end of the benchmark.
template <class T>
T must(result<T> x, const char* operation) {
  if (!x)
    die(std::string{operation} + ": " + x.error().message);
  if constexpr (!std::is_void_v<T>)
    return std::move(*x);
}

/// Troupe as it is measured: a controller on a scratch host of its own, with
/// one bridge network.
class subject {
public:
  /// The controller's actors run in this process, on the real kernel.
  static std::unique_ptr<subject> embedded(const std::string& state_base);

  /// Through the local API of a `trouped`.
  static std::unique_ptr<subject>
  behind_daemon(const std::string& state_base, const std::string& program);

  ~subject();
  subject(const subject&) = delete;
  subject& operator=(const subject&) = delete;

  /// Makes sandboxes and attaches each, one after another.
  /// @param sandboxes gets them, in order.
  /// @param ports TCP ports that each publishes, at automatic host ports.
  /// @returns how long each pair of requests took.
  samples attach(int count, std::vector<sandbox>& sandboxes, int ports = 0);

  /// Publishes one more port of a joined endpoint and takes it back, so often.
  /// @returns how long each publication took.
  samples publish(int count, const sandbox& where);

  /// Makes further bridge networks, one after another.
  samples create_networks(int count, std::vector<network>& networks);

  /// The endpoint of an attached sandbox.
  endpoint_status endpoint_of(const sandbox& where);

  /// Attaches from several threads at once, each with its share.
  samples
  attach_at_once(int count, int threads, std::vector<sandbox>& sandboxes);

  /// Takes sandboxes off the network, one after another.
  samples detach(const std::vector<sandbox>& sandboxes);

  /// All requests are sent at once. @returns the time until the last answer.
  clock::duration detach_at_once(const std::vector<sandbox>& sandboxes);

  /// Removes sandboxes with what they have, one after another.
  samples remove(std::vector<sandbox>& sandboxes);

  /// Waits until the kernel has no trace of what was removed.
  void settle();

  /// Kills the daemon and starts it again.
  /// @returns the time until it answers.
  clock::duration restart();

  /// The steps of the daemon's last start, as it tells them.
  std::vector<startup_step> startup();

  /// The namespace it works in.
  const scratch_host& host() const {
    return host_;
  }

  /// Where the daemon is reached. @pre there is one.
  std::string uri() const {
    return daemon_->uri();
  }

  /// The daemon's process. @pre there is one.
  pid_t pid() const {
    return daemon_->pid();
  }

private:
  explicit subject(std::string name, const std::string& state_base);

  /// Makes the network; what is there then is what an idle host has.
  void furnish(result<controller> api);
  std::pair<sandbox, clock::duration> attach_one(int ports = 0);

  std::string name_;
  std::string state_dir_;
  std::string run_dir_;
  scratch_host host_;
  size_t idle_links_ = 0;
  std::unique_ptr<daemon_process> daemon_;
  std::unique_ptr<controller> api_;
  std::unique_ptr<network> network_;
  std::atomic<int> made_ = 0; ///< Numbers the sandboxes.
};

} // namespace troupe::bench
