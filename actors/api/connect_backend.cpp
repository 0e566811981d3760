#include "troupe/actors/api/backend.hpp"
#include "troupe/actors/api/delete_backend.hpp"
#include "troupe/actors/api/event_reader.hpp"
#include "troupe/actors/api/failure_board.hpp"
#include "troupe/actors/api/http_worker.hpp"
#include "troupe/actors/api/reply_once.hpp"
#include "troupe/actors/api/routes.hpp"
#include "troupe/config/model/id.hpp"

#include <map>
#include <utility>
#include <vector>

namespace troupe {

namespace {

constexpr auto scheme = std::string_view{"unix://"};

result<reply>
reply_of(const api::route& where, const result<http_response>& response) {
  if (!response)
    return fail(response.error());
  if (response->status != where.success)
    return fail(api::decode_error(response->status, response->body));
  return api::decode_reply(where, response->body);
}

http_request
http_request_of(api::outgoing x, std::chrono::milliseconds deadline) {
  return {std::string{x.where->method},
          std::move(x.target),
          std::move(x.body),
          deadline,
          std::string{x.where->operation},
          {}};
}

// Talks to a daemon. `call` runs on the caller's thread, `submit` on the
// worker's, which is started by its first use.
class daemon_backend : public backend {
public:
  explicit daemon_backend(std::string socket_path)
    : client_{std::move(socket_path)} {
  }

  /// What handlers start while they are waited for is refused.
  ~daemon_backend() override {
    auto readers = std::map<uint64_t, std::unique_ptr<event_reader>>{};
    auto worker = std::unique_ptr<http_worker>{};
    {
      auto guard = std::lock_guard{mutex_};
      closing_ = true;
      readers.swap(readers_);
      worker.swap(worker_);
    }
    for (const auto& [number, reader] : readers)
      reader->stop();
    readers.clear(); // Before the worker, which their handlers may be using.
  }

  void submit(request what, std::chrono::milliseconds deadline,
              reply_handler handler) override {
    auto once = std::make_shared<reply_once>(std::move(handler), this);
    auto encoded = api::encode_request(what);
    if (!encoded)
      return once->deliver(fail(std::move(encoded.error())));
    const auto& where = *encoded->where;
    auto* to = worker();
    if (to == nullptr)
      return once->deliver(fail(closed("send request")));
    to->submit(http_request_of(std::move(*encoded), deadline),
               [&where, once](const result<http_response>& response) {
                 once->deliver(reply_of(where, response));
               });
  }

  result<reply>
  call(request what, std::chrono::milliseconds deadline) override {
    auto encoded = api::encode_request(what);
    if (!encoded)
      return fail(std::move(encoded.error()));
    const auto& where = *encoded->where;
    return reply_of(
      where, client_.perform(http_request_of(std::move(*encoded), deadline)));
  }

  result<uint64_t> subscribe(event_handler handler) override {
    auto scoped = [this, handler = std::move(handler)](const event& x) {
      auto scope = handler_scope{this};
      handler(x);
    };
    auto reader = std::make_unique<event_reader>(client_.socket_path(),
                                                 std::move(scoped));
    if (auto opened = reader->wait_until_open(); !opened)
      return fail(std::move(opened.error()));
    auto ended = take_ended();
    auto guard = std::lock_guard{mutex_};
    if (closing_)
      return fail(closed("subscribe"));
    auto number = ++last_subscription_;
    readers_.emplace(number, std::move(reader));
    return number;
  }

  void unsubscribe(uint64_t subscription) override {
    auto reader = std::unique_ptr<event_reader>{};
    auto guard = std::unique_lock{mutex_};
    auto found = readers_.find(subscription);
    if (found == readers_.end())
      return;
    // A handler cannot wait for its own end, nor for another handler, which
    // may be ending this one. The reader's thread is joined later.
    if (is_own_thread())
      return found->second->stop();
    reader = std::move(found->second);
    readers_.erase(found);
    guard.unlock();
    reader.reset();
  }

  /// One that is calling a handler.
  bool is_own_thread() const {
    return is_in_handler(this);
  }

private:
  static error closed(const std::string& operation) {
    return {ec::unavailable,
            operation + ": the connection was closed by this program",
            {},
            0};
  }

  /// Null: everything is being closed.
  http_worker* worker() {
    auto guard = std::lock_guard{mutex_};
    if (!worker_ && !closing_)
      worker_ = std::make_unique<http_worker>(client_);
    return worker_.get();
  }

  /// Readers that a handler has stopped; to be destroyed without the lock.
  std::vector<std::unique_ptr<event_reader>> take_ended() {
    auto result = std::vector<std::unique_ptr<event_reader>>{};
    auto guard = std::lock_guard{mutex_};
    for (auto i = readers_.begin(); i != readers_.end();) {
      auto next = std::next(i);
      if (i->second->has_ended())
        result.push_back(std::move(readers_.extract(i).mapped()));
      i = next;
    }
    return result;
  }

  http_client client_;
  std::mutex mutex_;
  bool closing_ = false;
  std::unique_ptr<http_worker> worker_;
  uint64_t last_subscription_ = 0;
  std::map<uint64_t, std::unique_ptr<event_reader>> readers_;
};

} // namespace

result<std::shared_ptr<backend>> connect_backend(const std::string& uri) {
  auto path = std::string_view{uri};
  if (!path.starts_with(scheme))
    return fail(ec::invalid_argument,
                "connect to " + quoted(uri) + ": not a unix:// address",
                "for example unix:///run/troupe/troupe.sock");
  path.remove_prefix(scheme.size());
  if (!path.starts_with('/') || path.find('\0') != path.npos)
    return fail(ec::invalid_argument,
                "connect to " + quoted(uri) + ": the path is not absolute",
                "for example unix:///run/troupe/troupe.sock");
  return std::shared_ptr<daemon_backend>{new daemon_backend{std::string{path}},
                                         delete_backend{}};
}

} // namespace troupe
