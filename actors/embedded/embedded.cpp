#include "troupe/actors/embedded/embedded.hpp"

#include "troupe/actors/api/delete_backend.hpp"
#include "troupe/actors/api/log.hpp"
#include "troupe/actors/api/reply_once.hpp"
#include "troupe/actors/controller/controller.hpp"
#include "troupe/actors/embedded/door.hpp"

#include <atomic>
#include <cerrno>
#include <fstream>
#include <future>
#include <map>
#include <mutex>
#include <vector>

namespace troupe {

namespace {

/// Pooled actors never block and do little but hand on. With a second thread
/// each message between them would wake the other one.
constexpr size_t pool_threads = 1;

/// For everything that start-up has to do; each of its steps ends earlier.
constexpr auto start_deadline = std::chrono::minutes{10};

/// Between the end of an actor and the reason for it.
constexpr auto reason_delay = std::chrono::milliseconds{500};

struct embedded_config : system_config {
  embedded_config() {
    add_message_types<caf::id_block::troupe>();
    // A round trip costs 10 us with sharing, 32 to 88 us with work stealing.
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", pool_threads);
  }
};

/// The requests in work, for the day on which nobody works on them any more.
/// @thread_safety Everything.
class open_requests {
public:
  void add(const std::shared_ptr<reply_once>& x) {
    auto guard = std::lock_guard{mutex_};
    // Now and then what is answered goes, so that it costs nothing each time.
    if (open_.size() >= 2 * alive_ + 64) {
      std::erase_if(open_, [](const auto& y) {
        return y.expired();
      });
      alive_ = open_.size();
    }
    open_.push_back(x);
  }

  void answer_all(const error& why) {
    auto open = std::vector<std::weak_ptr<reply_once>>{};
    {
      auto guard = std::lock_guard{mutex_};
      open.swap(open_);
      alive_ = 0;
    }
    for (const auto& x : open)
      if (auto alive = x.lock())
        alive->deliver(fail(why));
  }

private:
  std::mutex mutex_;
  std::vector<std::weak_ptr<reply_once>> open_;
  size_t alive_ = 0;
};

/// One subscriber. What ends it works at once, also inside its own handler.
struct subscription {
  explicit subscription(event_handler what) : handler{std::move(what)} {
  }

  event_handler handler;
  std::atomic<bool> active = true;
};

/// Answers inquiries while all places for other requests are taken; such an
/// inquiry is what one makes just then.
constexpr size_t max_inquiries = 16;

/// The actors of one process, as a backend.
class embedded_backend : public backend {
public:
  explicit embedded_backend(context_ptr context)
    : context_{std::move(context)}, system_{config_} {
    controller_ = spawn_controller(system_, context_);
    door_ = spawn_door(system_, controller_);
    supervise(controller_, context_, "the controller");
    supervise(door_, context_, "the door");
    context_->failures->on_failure([open = open_](const error& why) {
      open->answer_all(unavailable(why));
    });
  }

  ~embedded_backend() override {
    stop();
  }

  /// Loads, rebuilds, reconciles. Ends with the first actor that ends by
  /// itself: nobody would answer then.
  result<void> start() {
    auto outcome = std::make_shared<std::promise<result<void>>>();
    auto once = std::make_shared<std::once_flag>();
    auto settle = [outcome, once](const result<void>& x) {
      std::call_once(*once, [&] {
        outcome->set_value(x);
      });
    };
    context_->failures->on_failure([settle](const error& why) {
      settle(fail(with_context(why, "start")));
    });
    auto starter = system_.spawn(
      [settle](caf::event_based_actor* self, const controller_actor& to) {
        ask<done>(
          self, to, start_deadline, start_up{},
          [settle](done&) {
            settle({});
          },
          [settle](error why) {
            settle(fail(std::move(why)));
          });
      },
      controller_);
    auto result = outcome->get_future().get();
    caf::anon_send_exit(starter, caf::exit_reason::user_shutdown);
    if (!result && result.error().code == ec::unavailable)
      if (auto why = context_->failures->wait(reason_delay))
        return fail(with_context(*why, "start"));
    return result;
  }

  void submit(request what, std::chrono::milliseconds deadline,
              reply_handler handler) override {
    if (auto why = context_->failures->failure())
      return refuse(std::move(handler), unavailable(*why));
    const auto inquires = is_inquiry(what);
    const auto& in_work = inquires ? inquiries_ : in_work_;
    const auto limit = inquires
                         ? max_inquiries
                         : static_cast<size_t>(context_->how.max_requests);
    if (in_work->fetch_add(1) >= limit) {
      in_work->fetch_sub(1);
      return refuse(
        std::move(handler),
        {ec::unavailable,
         "send request: " + std::to_string(limit) + " requests are in work",
         "try again later", 0});
    }
    auto once
      = std::make_shared<reply_once>(std::move(handler), &system_, in_work);
    open_->add(once);
    auto counted = [once](result<reply> x) {
      once->deliver(std::move(x));
    };
    tell(door_, submit_request{std::move(what), deadline, std::move(counted)});
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
    if (auto why = context_->failures->failure())
      return fail(unavailable(*why));
    const auto number = subscriptions_.fetch_add(1) + 1;
    auto added = std::make_shared<subscription>(std::move(handler));
    {
      auto guard = std::lock_guard{mutex_};
      subscribers_.emplace(number, added);
    }
    change_subscribers(add_subscriber{number, [added](const event& x) {
                                        if (added->active)
                                          added->handler(x);
                                      }});
    return number;
  }

  void unsubscribe(uint64_t number) override {
    {
      auto guard = std::lock_guard{mutex_};
      if (auto found = subscribers_.extract(number))
        found.mapped()->active = false;
    }
    change_subscribers(remove_subscriber{number});
  }

  void on_failure(std::function<void(const error&)> handler) override {
    auto guarded = [this, handler = std::move(handler)](const error& why) {
      call_handler(&system_, "handler of a failure", handler, why);
    };
    context_->failures->on_failure(std::move(guarded));
  }

  /// One that is calling a handler: it may be the actors' only one.
  bool is_own_thread() const {
    return is_in_handler(&system_);
  }

private:
  static error unavailable(error why) {
    why.code = ec::unavailable;
    why.hint = "the outcome is unknown; open the controller anew";
    return why;
  }

  void refuse(reply_handler handler, error why) {
    reply_once{std::move(handler), &system_}.deliver(fail(std::move(why)));
  }

  /// A handler runs on the thread that would have to answer; what it changes
  /// is in force at once, as nobody else calls handlers meanwhile. Others wait
  /// as long as a handler runs; only the end of the actor ends that earlier.
  template <class Message>
  void change_subscribers(Message message) {
    if (is_own_thread())
      return tell(context_->events, std::move(message));
    auto self = caf::scoped_actor{system_};
    self->request(context_->events, caf::infinite, std::move(message))
      .receive([](const done&) {}, [](const caf::error&) {});
  }

  /// Ends the actors in order and then lets go of every handle: one that
  /// outlives its actor would keep the actor system from ending.
  void stop() {
    context_->failures->close();
    {
      auto self = caf::scoped_actor{system_};
      // The door first: a request that came after the shut-down would make
      // objects that nobody ends. Those in work are answered `unavailable`.
      caf::anon_send_exit(door_, caf::exit_reason::user_shutdown);
      self->wait_for(door_);
      // Longer than its steps: when they have failed it still ends the others.
      self->request(controller_, context_->operation_deadline(), shut_down{})
        .receive([](const done&) {},
                 [](const caf::error& why) {
                   log().warn("stop: {}", from_caf(why).message);
                 });
      // No handler may be using the handles that are let go of now.
      if (context_->events) {
        caf::anon_send_exit(context_->events, caf::exit_reason::user_shutdown);
        self->wait_for(context_->events);
      }
    }
    caf::anon_send_exit(controller_, caf::exit_reason::user_shutdown);
    door_ = door_actor{};
    controller_ = controller_actor{};
    context_->release_services();
  }

  context_ptr context_;
  embedded_config config_; // Outlives the system.
  caf::actor_system system_;
  controller_actor controller_;
  door_actor door_;
  std::shared_ptr<open_requests> open_ = std::make_shared<open_requests>();
  reply_once::counter in_work_ = std::make_shared<std::atomic<size_t>>(0);
  reply_once::counter inquiries_ = std::make_shared<std::atomic<size_t>>(0);
  std::atomic<uint64_t> subscriptions_ = 0;
  std::mutex mutex_;
  std::map<uint64_t, std::shared_ptr<subscription>> subscribers_;
};

/// Hosts differ in their machine id, daemons of one host in their directory.
std::string host_seed(const settings& how) {
  auto id = std::string{};
  auto file = std::ifstream{"/etc/machine-id"};
  std::getline(file, id);
  return id + how.run_dir;
}

/// An actor system whose threads could not all be made waits for them when it
/// ends, for ever. Nobody can use it: it stays as it is.
void abandon(std::shared_ptr<embedded_backend> x) {
  static auto& abandoned = *new std::vector<std::shared_ptr<backend>>{};
  static auto mutex = std::mutex{};
  auto guard = std::lock_guard{mutex};
  abandoned.push_back(std::move(x));
}

result<std::shared_ptr<backend>> start_actors(const context_ptr& context) {
  try {
    auto made = std::shared_ptr<embedded_backend>{new embedded_backend{context},
                                                  delete_backend{}};
    auto started = made->start();
    if (started)
      return made;
    const auto why = context->failures->failure();
    if (why && (why->os_error == EAGAIN || why->os_error == ENOMEM))
      abandon(std::move(made));
    return fail(std::move(started.error()));
  } catch (const std::exception&) {
    return fail(with_context(describe_exception(), "start"));
  }
}

} // namespace

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
  return start_actors(std::move(context));
}

result<std::shared_ptr<backend>> open_backend(const settings& how) {
  auto checked = validated(how);
  if (!checked)
    return fail(std::move(checked.error()));
  return open_backend(*checked, real_parts(*checked));
}

} // namespace troupe
