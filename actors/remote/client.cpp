#include "troupe/actors/remote/client.hpp"

#include <algorithm>

namespace troupe::remote {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

/// For the greeting and the hello: the other side has its worker running by
/// then, and needs a moment.
constexpr auto greeting_time = 5s;

/// How late a deadline may be noticed.
constexpr auto expiry_interval = 20ms;

/// A reply may be this late compared with the deadline that the other side was
/// given: then its error, which says more, is the one that is reported.
constexpr auto reply_grace = 50ms;

/// Attempts while the other side hangs up; with the link's pauses some 2 s.
constexpr int max_busy = 6;

/// A long wait keeps the connection visibly alive.
constexpr auto event_wait = 20s;

std::chrono::milliseconds until(call_table::time_point x) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(x
                                                               - clock::now());
}

// An error of the actor system is not the other side's answer: the connection
// is of no use.
bool is_answer(const error& x) {
  return !x.message.starts_with("actor system:")
         && !x.message.starts_with("send the request:")
         && !x.message.starts_with("wait for the reply:");
}

} // namespace

// -- connection ---------------------------------------------------------------

void client::begin(client_actor::pointer self, std::string name,
                   link& connection) {
  self_ = self;
  name_ = std::move(name);
  link_ = &connection;
}

void client::want_connection() {
  if (is_connecting_ || stage_ != stage::down)
    return;
  is_connecting_ = true;
  link_->connect();
}

void client::on_up(netns::unique_fd plain, uint64_t attempt) {
  stage_ = stage::greeting;
  is_connecting_ = false;
  attempt_ = attempt;
  auto generation = ++generation_;
  greet_peer(
    self_, std::move(plain), greeting_time,
    [this, generation](const found_peer& x) {
      if (generation == generation_)
        say_hello(x);
    },
    [this, generation](error why) {
      if (generation == generation_)
        fail_greeting(std::move(why));
    });
}

void client::say_hello(const found_peer& x) {
  auto ours
    = self_->system().message_types(caf::detail::type_list<door_actor>{});
  if (!x.published || !self_->system().assignable(x.interface, ours))
    return fail_greeting({ec::unsupported,
                          "the other side offers another interface",
                          "use the same version of troupe on both sides", 0});
  auto generation = generation_;
  auto h = hello{protocol, schema(), TROUPE_VERSION, name_};
  ask<welcome>(
    self_, caf::actor_cast<door_actor>(x.published), greeting_time, h,
    [this, generation](welcome& y) {
      if (generation == generation_)
        on_welcome(y);
    },
    [this, generation](error why) {
      if (generation == generation_)
        fail_greeting(std::move(why));
    });
}

void client::fail_greeting(error why) {
  if (!is_answer(why))
    why = {ec::unavailable, "connect: the other side does not answer",
           "its log may say more", ETIMEDOUT};
  on_down(why, false);
  link_->disconnect(attempt_);
}

void client::on_welcome(const welcome& x) {
  stage_ = stage::up;
  busy_attempts_ = 0;
  there_ = x;
  for (auto sequence : calls_.connected(x.session))
    send(sequence);
  if (!subscribers_.empty())
    ask_events();
}

void client::on_down(const error& why, bool was_up) {
  // The greeting's failure has been reported; this is the link's own word.
  if (stage_ == stage::down && was_up)
    return;
  is_connecting_ = false;
  is_asking_ = false;
  auto had_greeted = stage_ == stage::up;
  stage_ = stage::down;
  ++generation_;
  there_ = {};
  // Before handlers run: one that subscribes waits for the next connection.
  settle(fail(why));
  if (subscribers_.empty())
    forget_stream();
  else if (is_stream_open_ && !std::exchange(was_lost_, true))
    report("disconnect", why.message);
  // A break before the welcome is a failed attempt, unless it is worth another.
  auto is_patient = why.os_error == is_busy && ++busy_attempts_ < max_busy;
  auto is_wanted
    = calls_.disconnected(why, (was_up && had_greeted) || is_patient);
  if (is_wanted || !subscribers_.empty())
    want_connection();
}

void client::stop() {
  calls_.abandon({ec::unavailable,
                  "request: the connection was closed by this program",
                  "the outcome is unknown", 0});
  subscribers_.clear();
  there_ = {};
  self_->quit();
}

// -- requests -----------------------------------------------------------------

void client::submit(request what, std::chrono::milliseconds allowed,
                    reply_handler handler) {
  allowed = std::clamp<std::chrono::milliseconds>(
    allowed, 1ms, std::chrono::milliseconds{longest_deadline_ms});
  auto sequence
    = calls_.add(std::move(what), allowed, std::move(handler), clock::now());
  if (sequence == 0)
    return;
  schedule_expiry();
  if (stage_ != stage::up)
    return want_connection();
  calls_.find(sequence)->session = there_.session;
  send(sequence);
}

template <class Reply, class Handle, class Request>
void client::send_to(const Handle& to, uint64_t sequence, ticket x,
                     Request what) {
  auto allowed = std::chrono::milliseconds{x.deadline_ms} + greeting_time;
  auto generation = generation_;
  self_->request(to, allowed, std::move(x), std::move(what))
    .then(
      [this, sequence](Reply& y) {
        calls_.finish(sequence, reply{std::move(y)});
      },
      [this, sequence, generation](const caf::error& y) {
        auto why = from_caf(y);
        if (is_answer(why))
          calls_.finish(sequence, fail(std::move(why)));
        else if (generation == generation_)
          link_->disconnect(attempt_); // It is sent again, or expires.
      });
}

void client::send(uint64_t sequence) {
  const auto* x = calls_.find(sequence);
  if (x == nullptr)
    return;
  auto left = std::max(until(x->deadline) - reply_grace, 1ms);
  auto t = ticket{sequence, calls_.take_answered(sequence), left.count()};
  const auto& there = there_;
  auto visitor = [&]<class T>(const T& what) {
    auto to = [&](const auto& handle) {
      send_to<typename T::reply>(handle, sequence, std::move(t), what);
    };
    if constexpr (network_requests::has<T>)
      to(there.network);
    else if constexpr (endpoint_requests::has<T>)
      to(there.endpoint);
    else if constexpr (sandbox_requests::has<T>)
      to(there.sandbox);
    else {
      static_assert(controller_requests::has<T>, "who answers this request?");
      to(there.controller);
    }
  };
  std::visit(visitor, x->what);
}

void client::schedule_expiry() {
  if (is_expiry_scheduled_)
    return;
  is_expiry_scheduled_ = true;
  auto what = std::make_shared<std::function<void()>>([this] {
    expire();
  });
  tell_after(client_actor{self_}, expiry_interval, run_now{std::move(what)});
}

void client::expire() {
  is_expiry_scheduled_ = false;
  calls_.expire(clock::now());
  if (!calls_.is_empty())
    schedule_expiry();
}

// -- events -------------------------------------------------------------------

void client::subscribe(uint64_t number, event_handler handler,
                       std::function<void(result<void>)> opened) {
  subscribers_.emplace(number, std::move(handler));
  if (is_stream_open_)
    return opened({});
  opening_.push_back(std::move(opened));
  if (stage_ == stage::up)
    ask_events();
  else
    want_connection();
}

void client::unsubscribe(uint64_t number) {
  subscribers_.erase(number);
  if (subscribers_.empty() && !is_asking_)
    forget_stream();
}

// The next subscriber begins where he comes in.
void client::forget_stream() {
  is_stream_open_ = false;
  was_lost_ = false;
  feed_ = 0;
}

// The other side drops a question when the connection asks the next one. So
// one that is open when the last subscriber goes serves those who come after.
void client::ask_events() {
  if (std::exchange(is_asking_, true))
    return;
  auto generation = generation_;
  auto what = next_events{feed_, next_event_, event_wait / 1ms};
  ask<event_batch>(
    self_, there_.events, event_wait + greeting_time, what,
    [this, generation](const event_batch& x) {
      if (generation == generation_)
        on_events(x);
    },
    [this, generation](const error& why) {
      if (generation != generation_)
        return;
      is_asking_ = false;
      settle(fail(why));
      link_->disconnect(attempt_);
    });
}

void client::on_events(const event_batch& x) {
  if (was_lost_)
    report("connect", x.feed == feed_ ? "" : "the other side has started anew");
  was_lost_ = false;
  feed_ = x.feed;
  next_event_ = x.next;
  is_stream_open_ = true;
  settle({});
  for (const auto& y : x.events)
    publish(y);
  // Not earlier: a handler that unsubscribes and subscribes changes nothing.
  is_asking_ = false;
  if (!subscribers_.empty())
    ask_events();
  else
    forget_stream();
}

// A handler may unsubscribe itself or others.
void client::publish(const event& x) {
  auto numbers = std::vector<uint64_t>{};
  for (const auto& [number, handler] : subscribers_)
    numbers.push_back(number);
  for (auto number : numbers)
    if (auto found = subscribers_.find(number); found != subscribers_.end()) {
      auto handler = found->second;
      handler(x);
    }
}

void client::report(const char* action, const std::string& reason) {
  auto x = event{};
  x.time_ms = std::chrono::system_clock::now().time_since_epoch() / 1ms;
  x.type = "daemon";
  x.action = action;
  if (!reason.empty())
    x.attributes.emplace("reason", reason);
  publish(x);
}

void client::settle(const result<void>& outcome) {
  for (auto& opened : std::exchange(opening_, {}))
    opened(outcome);
}

// -- the actor ----------------------------------------------------------------

void post(const client_actor& to, std::function<void()> what) {
  tell(to, run_now{std::make_shared<std::function<void()>>(std::move(what))});
}

namespace {

client_actor::behavior_type
run_client(client_actor::stateful_pointer<client> self, client** state) {
  *state = &state_of(self);
  return {
    [](const run_now& x) -> caf::result<done> {
      (*x.what)();
      return done{};
    },
  };
}

} // namespace

client_actor spawn_client(caf::actor_system& system, client*& state) {
  return system.spawn(run_client, &state);
}

} // namespace troupe::remote
