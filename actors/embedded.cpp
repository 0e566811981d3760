#include "troupe/actors/embedded.hpp"

#include "troupe/actors/controller.hpp"
#include "troupe/actors/door.hpp"
#include "troupe/actors/log.hpp"

#include <atomic>
#include <fstream>
#include <future>

namespace troupe {

namespace {

/// Pooled actors never block and do little but hand on. With a second thread
/// each message between them would wake the other one.
constexpr size_t pool_threads = 1;

struct embedded_config : system_config {
  embedded_config() {
    add_message_types<caf::id_block::troupe>();
    // A round trip costs 10 us with sharing, 32 to 88 us with work stealing.
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", pool_threads);
  }
};

/// Calls a handler once: with the reply, or, when the request is dropped
/// because its actor ended, with the reason for that.
class reply_once {
public:
  reply_once(reply_handler handler,
             std::shared_ptr<std::atomic<size_t>> in_work)
    : handler_{std::move(handler)}, in_work_{std::move(in_work)} {
  }
  reply_once(const reply_once&) = delete;
  reply_once& operator=(const reply_once&) = delete;

  ~reply_once() {
    if (handler_)
      deliver(fail(ec::unavailable, "send request: the controller is closing",
                   "the outcome is unknown; inspect the object"));
  }

  void deliver(result<reply> x) {
    in_work_->fetch_sub(1);
    std::exchange(handler_, nullptr)(std::move(x));
  }

private:
  reply_handler handler_;
  std::shared_ptr<std::atomic<size_t>> in_work_;
};

/// The actors of one process, as a backend.
class embedded_backend : public backend {
public:
  explicit embedded_backend(context_ptr context)
    : context_{std::move(context)}, system_{config_} {
    controller_ = spawn_controller(system_, context_);
    door_ = spawn_door(system_, controller_);
  }

  ~embedded_backend() override {
    stop();
  }

  /// Loads, rebuilds, reconciles.
  result<void> start() {
    auto outcome = std::promise<result<void>>{};
    auto future = outcome.get_future();
    auto starter = caf::scoped_actor{system_};
    starter->request(controller_, std::chrono::minutes{10}, start_up{})
      .receive(
        [&](const done&) {
          outcome.set_value({});
        },
        [&](const caf::error& why) {
          outcome.set_value(fail(from_caf(why)));
        });
    return future.get();
  }

  void submit(request what, std::chrono::milliseconds deadline,
              reply_handler handler) override {
    const auto limit = static_cast<size_t>(context_->how.max_requests);
    if (in_work_->fetch_add(1) >= limit) {
      in_work_->fetch_sub(1);
      handler(
        fail(ec::unavailable,
             "send request: " + std::to_string(limit) + " requests are in work",
             "try again later"));
      return;
    }
    auto counted = [once = std::make_shared<reply_once>(
                      std::move(handler), in_work_)](result<reply> x) {
      once->deliver(std::move(x));
    };
    tell(door_, submit_request{std::move(what), deadline, std::move(counted)});
  }

  result<uint64_t> subscribe(event_handler handler) override {
    const auto number = subscriptions_.fetch_add(1) + 1;
    change_subscribers(add_subscriber{number, std::move(handler)});
    return number;
  }

  void unsubscribe(uint64_t subscription) override {
    change_subscribers(remove_subscriber{subscription});
  }

private:
  template <class Message>
  void change_subscribers(Message message) {
    auto self = caf::scoped_actor{system_};
    self
      ->request(context_->events, std::chrono::seconds{30}, std::move(message))
      .receive([](const done&) {}, [](const caf::error&) {});
  }

  /// Ends the actors in order and then lets go of every handle: one that
  /// outlives its actor would keep the actor system from ending.
  void stop() {
    {
      auto self = caf::scoped_actor{system_};
      // The door first: a request that came after the shut-down would make
      // objects that nobody ends. Those in work are answered `unavailable`.
      caf::anon_send_exit(door_, caf::exit_reason::user_shutdown);
      self->wait_for(door_);
      self->request(controller_, std::chrono::seconds{30}, shut_down{})
        .receive([](const done&) {},
                 [](const caf::error& why) {
                   log().warn("stop: {}", from_caf(why).message);
                 });
    }
    caf::anon_send_exit(controller_, caf::exit_reason::user_shutdown);
    door_ = door_actor{};
    controller_ = controller_actor{};
    context_->store = store_actor{};
    context_->namespaces = namespaces_actor{};
    context_->ipam = ipam_actor{};
    context_->events = events_actor{};
    context_->firewall = firewall_actor{};
  }

  context_ptr context_;
  embedded_config config_; // Outlives the system.
  caf::actor_system system_;
  controller_actor controller_;
  door_actor door_;
  std::shared_ptr<std::atomic<size_t>> in_work_
    = std::make_shared<std::atomic<size_t>>(0);
  std::atomic<uint64_t> subscriptions_ = 0;
};

/// Hosts differ in their machine id, daemons of one host in their directory.
std::string host_seed(const settings& how) {
  auto id = std::string{};
  auto file = std::ifstream{"/etc/machine-id"};
  std::getline(file, id);
  return id + how.run_dir;
}

} // namespace

result<reply> backend::call(request what, std::chrono::milliseconds deadline) {
  auto outcome = std::make_shared<std::promise<result<reply>>>();
  auto future = outcome->get_future();
  submit(std::move(what), deadline, [outcome](result<reply> x) {
    outcome->set_value(std::move(x));
  });
  return future.get();
}

result<std::shared_ptr<backend>>
open_backend(const settings& how, embedded_parts parts) {
  auto checked = validated(how);
  if (!checked)
    return fail(std::move(checked.error()));
  if (const auto& mark = checked->accept_mark; !mark.empty())
    if (auto good = netns::firewall::accept_mark::parse(mark); !good)
      return fail(
        with_context(std::move(good.error()), "settings: accept-mark"));
  if (parts.check_rights)
    if (auto allowed = parts.check_rights(); !allowed)
      return fail(std::move(allowed.error()));
  log().set_level(spdlog::level::from_str(checked->log_level));
  auto context = std::make_shared<system_context>();
  context->owner = instance::of(checked->run_dir);
  context->host_seed = host_seed(*checked);
  context->how = std::move(*checked);
  context->parts = std::move(parts);
  auto made = std::make_shared<embedded_backend>(std::move(context));
  if (auto started = made->start(); !started)
    return fail(std::move(started.error()));
  return made;
}

result<std::shared_ptr<backend>> open_backend(const settings& how) {
  auto checked = validated(how);
  if (!checked)
    return fail(std::move(checked.error()));
  return open_backend(*checked, real_parts(*checked));
}

} // namespace troupe
