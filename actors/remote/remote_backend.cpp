#include "troupe/actors/api/delete_backend.hpp"
#include "troupe/actors/api/failure_board.hpp"
#include "troupe/actors/api/reply_once.hpp"
#include "troupe/actors/remote/client.hpp"
#include "troupe/actors/remote/uri.hpp"
#include "troupe/actors/troupe.hpp"

#include <array>
#include <atomic>
#include <future>
#include <random>
#include <thread>

namespace troupe {

namespace {

struct client_config : caf::actor_system_config {
  client_config() {
    load<caf::io::middleman>();
    add_message_types<caf::id_block::troupe>();
    add_message_types<caf::id_block::troupe_remote>();
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", size_t{1});
    set("middleman.workers", size_t{1});
  }
};

// Not a secret, but different from everybody else's.
std::string new_client_name() {
  constexpr auto digits = std::string_view{"0123456789abcdef"};
  auto source = std::random_device{};
  auto result = std::string(32, '0');
  for (auto& c : result)
    c = digits[source() % digits.size()];
  return result;
}

class remote_backend final : public backend {
public:
  remote_backend(remote::host_port where, remote::tls_identity identity)
    : actor_{remote::spawn_client(system_, client_)},
      link_{std::move(where), std::move(identity), remote::basp_header_bytes,
            remote::check_greeting, callbacks()} {
    run([this] {
      thread_ = std::this_thread::get_id();
      client_->begin(caf::actor_cast<remote::client_actor::pointer>(actor_),
                     new_client_name(), link_);
    });
  }

  // Nothing that was posted may run any more when the link goes.
  // @pre not on the actor's thread.
  ~remote_backend() override {
    auto stopped = std::promise<void>{};
    run([&] {
      client_->stop();
      stopped.set_value();
    });
    stopped.get_future().wait();
  }

  void submit(request what, std::chrono::milliseconds deadline,
              reply_handler handler) override {
    // Posted by a handler while the backend ends, this never runs.
    auto once = std::make_shared<reply_once>(std::move(handler), this);
    run([this, deadline, what = std::move(what), once]() mutable {
      client_->submit(std::move(what), deadline, [once](result<reply> x) {
        once->deliver(std::move(x));
      });
    });
  }

  result<reply>
  call(request what, std::chrono::milliseconds deadline) override {
    if (is_own_thread())
      return fail(ec::invalid_argument,
                  "send request: a handler must not wait for the reply",
                  "use submit, or another thread");
    return backend::call(std::move(what), deadline);
  }

  result<uint64_t> subscribe(event_handler handler) override {
    auto number = ++last_subscription_;
    auto guarded = [this, handler = std::move(handler)](const event& x) {
      call_handler(this, "handler of an event", handler, x);
    };
    // The answer comes on this very thread. When it is a bad one the handler
    // hears of the next connection.
    if (is_own_thread()) {
      client_->subscribe(number, std::move(guarded), [](const auto&) {});
      return number;
    }
    auto opened = std::make_shared<std::promise<result<void>>>();
    run([this, number, opened, guarded = std::move(guarded)]() mutable {
      auto settle = [this, number, opened](result<void> x) {
        if (!x)
          client_->unsubscribe(number);
        opened->set_value(std::move(x));
      };
      client_->subscribe(number, std::move(guarded), std::move(settle));
    });
    if (auto outcome = opened->get_future().get(); !outcome)
      return fail(std::move(outcome.error()));
    return number;
  }

  void unsubscribe(uint64_t subscription) override {
    if (is_own_thread())
      return client_->unsubscribe(subscription);
    auto gone = std::promise<void>{};
    run([&] {
      client_->unsubscribe(subscription);
      gone.set_value();
    });
    gone.get_future().wait();
  }

  /// The one that carries the actor, with all handlers.
  bool is_own_thread() const {
    return std::this_thread::get_id() == thread_.load();
  }

private:
  void run(std::function<void()> what) {
    remote::post(actor_, std::move(what));
  }

  // A descriptor cannot be copied, as what is posted must be.
  remote::link_events callbacks() {
    return {[this](netns::unique_fd plain, uint64_t attempt) {
              auto shared
                = std::make_shared<netns::unique_fd>(std::move(plain));
              run([this, shared, attempt] {
                client_->on_up(std::move(*shared), attempt);
              });
            },
            [this](const error& why, bool was_up) {
              run([this, why, was_up] {
                client_->on_down(why, was_up);
              });
            }};
  }

  // In this order: the actor uses the link, the link posts to the actor, and
  // both need the system.
  client_config config_;
  caf::actor_system system_{config_};
  remote::client* client_ = nullptr;
  remote::client_actor actor_;
  std::atomic<std::thread::id> thread_;
  std::atomic<uint64_t> last_subscription_ = 0;
  remote::link link_;
};

} // namespace

result<std::shared_ptr<backend>>
connect_backend(const std::string& uri, const credentials& who) {
  if (!remote::is_remote_uri(uri))
    return connect_backend(uri);
  auto where = remote::parse_uri(uri);
  if (!where)
    return fail(std::move(where.error()));
  auto identity = remote::tls_identity::load(who, remote::tls_role::client);
  if (!identity)
    return fail(std::move(identity.error()));
  return std::shared_ptr<remote_backend>{
    new remote_backend{std::move(*where), std::move(*identity)},
    delete_backend{}};
}

result<controller>
controller::connect(const std::string& uri, const credentials& who) {
  auto link = connect_backend(uri, who);
  if (!link)
    return fail(std::move(link.error()));
  return over(std::move(*link));
}

} // namespace troupe
