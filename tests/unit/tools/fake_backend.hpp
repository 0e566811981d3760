#pragma once

#include "troupe/actors/backend.hpp"

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace troupe::test {

/// A controller in memory without actors and kernel: enough rules for the
/// server, the client and the command line to be tested against.
class fake_backend : public backend {
public:
  ~fake_backend() override;

  void submit(request what, std::chrono::milliseconds deadline,
              reply_handler handler) override;
  result<uint64_t> subscribe(event_handler handler) override;
  void unsubscribe(uint64_t subscription) override;

  /// Tells the subscribers.
  void publish(std::string type, std::string action, std::string name);

  /// Replaces the answer to each request while set.
  std::function<std::optional<result<reply>>(const request&)> override_reply;

  /// Keeps requests instead of answering while set; `release` answers them.
  std::atomic<bool> hold = false;
  void release();
  size_t held() const;

  /// Answers on a thread of its own, as the real one does.
  std::atomic<bool> answer_on_thread = true;

  /// The last deadline that was asked for.
  std::atomic<int64_t> last_deadline_ms = 0;

private:
  struct held_request {
    request what;
    reply_handler handler;
  };

  result<reply> answer(const request& what);
  result<reply> handle(const create_network& x);
  result<reply> handle(const remove_network& x);
  result<reply> handle(const inspect_network& x);
  result<reply> handle(const list_networks& x);
  result<reply> handle(const create_endpoint& x);
  result<reply> handle(const remove_endpoint& x);
  result<reply> handle(const inspect_endpoint& x);
  result<reply> handle(const list_endpoints& x);
  result<reply> handle(const create_sandbox& x);
  result<reply> handle(const remove_sandbox& x);
  result<reply> handle(const inspect_sandbox& x);
  result<reply> handle(const list_sandboxes& x);
  result<reply> handle(const join_endpoint& x);
  result<reply> handle(const leave_endpoint& x);
  result<reply> handle(const attach_sandbox& x);
  result<reply> handle(const detach_sandbox& x);
  result<reply> handle(const publish_ports& x);
  result<reply> handle(const unpublish_ports& x);
  result<reply> handle(const get_status& x);
  result<reply> handle(const run_doctor& x);

  result<network_status*> find_network(const std::string& name);
  result<sandbox_status*> find_sandbox(const std::string& name);
  result<endpoint_status*>
  find_endpoint(const std::string& network, const std::string& name);
  result<endpoint_status>
  add_endpoint(const std::string& network, endpoint_spec spec);
  void join(endpoint_status& x, sandbox_status& where);
  void drop_endpoint(const endpoint_status& x);
  std::string next_id();

  mutable std::mutex mutex_;
  std::map<std::string, network_status> networks_;
  std::map<std::pair<std::string, std::string>, endpoint_status> endpoints_;
  std::map<std::string, sandbox_status> sandboxes_;
  unsigned last_id_ = 0;
  std::vector<held_request> held_;
  std::vector<std::thread> threads_;
  std::map<uint64_t, event_handler> subscribers_;
  uint64_t last_subscription_ = 0;
  uint64_t last_sequence_ = 0;
};

} // namespace troupe::test
