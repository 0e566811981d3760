#include "troupe/tools/troupe-remote/desk.hpp"

#include "troupe/config/model/json.hpp"

#include <algorithm>
#include <thread>

namespace troupe::tools::remote {

namespace {

/// As `remote::longest_deadline_ms`, in a header that would bring CAF in.
constexpr int64_t longest_deadline_ms = 600'000;

/// Acknowledgements in one question; a client sends what has gathered since
/// its last one.
constexpr size_t max_answered = 4'096;

/// Memories of a quarter of an hour need not be looked through more often.
constexpr auto expiry_interval = std::chrono::minutes{1};

// FNV-1a, to tell requests apart; who deceives himself is not our concern.
uint64_t fingerprint_of(const question& q) {
  auto hash = uint64_t{14695981039346656037U};
  for (const auto* text : {&q.method, &q.target, &q.body})
    for (auto c : *text + '\n')
      hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return hash;
}

struct decoded_call {
  const api::route* where = nullptr;
  request what;
};

result<decoded_call> decode(const question& q) {
  if (q.deadline_ms < 1 || q.deadline_ms > longest_deadline_ms)
    return fail(ec::invalid_argument, "request: a deadline of "
                                        + std::to_string(q.deadline_ms)
                                        + " ms is not from 1 to "
                                        + std::to_string(longest_deadline_ms));
  if (q.sequence == 0 || q.answered.size() > max_answered)
    return fail(ec::invalid_argument, "request: its ticket cannot be");
  auto query = q.target.find('?');
  auto found = api::find_route(q.method, q.target.substr(0, query));
  if (!found)
    return fail(std::move(found.error()));
  if (found->found == nullptr || found->found->kind != api::route_kind::request)
    return fail(ec::invalid_argument, "request: not one of this interface");
  auto what = api::decode_request(
    *found->found, found->parameters,
    query == std::string::npos ? "" : q.target.substr(query + 1), q.body);
  if (!what)
    return fail(std::move(what.error()));
  return decoded_call{found->found, std::move(*what)};
}

std::string
audit_line(const std::string& peer, std::string_view method,
           std::string_view target, int status, steady_time::duration took) {
  auto us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
  return "audit: peer=\"" + peer + "\" " + std::string{method} + " "
         + std::string{target} + " -> " + std::to_string(status) + " in "
         + std::to_string(us) + " us";
}

} // namespace

desk::desk(std::shared_ptr<backend> daemon, peer_limits limits,
           desk_surroundings around)
  : daemon_{std::move(daemon)}, limits_{limits}, around_{std::move(around)} {
}

bool desk::has_waiting() const {
  return std::ranges::any_of(peers_, [](const auto& x) {
    return !x.second.waiting.empty();
  });
}

bool desk::enter(const std::string& peer, steady_time now) {
  auto& x = record_of(peer, now);
  if (x.connections >= limits_.connections || !x.arrivals.take(now))
    return false;
  ++x.connections;
  return true;
}

void desk::leave(const std::string& peer, uint64_t connection) {
  feed_.drop(connection);
  drop_early(connection);
  auto found = peers_.find(peer);
  if (found != peers_.end() && found->second.connections > 0)
    --found->second.connections;
}

void desk::ask(const std::string& peer, asker who, question q,
               steady_time now) {
  who.number = q.number;
  if (q.kind == "hello")
    return hello(record_of(peer, now), who, q, now);
  if (q.kind == "events")
    return events(who, q, now);
  if (q.kind == "call")
    return call(peer, who, q, now);
  refuse(who, {ec::invalid_argument, "question: unknown kind", {}, 0});
}

desk::peer_record& desk::record_of(const std::string& peer, steady_time now) {
  auto& x = peers_.try_emplace(peer, limits_, now).first->second;
  x.last_used = now;
  return x;
}

void desk::hello(peer_record& who, asker a, const question& q,
                 steady_time now) {
  auto session = who.memory.open(q.client, now);
  if (!session)
    return refuse(a, session.error());
  around_.reply(a, {a.number, 200, dump(to_json(opened_session{*session}))});
}

// -- requests -----------------------------------------------------------------

void desk::call(const std::string& peer, asker who, const question& q,
                steady_time now) {
  auto decoded = decode(q);
  if (!decoded)
    return refuse(who, decoded.error());
  auto& x = record_of(peer, now);
  x.memory.acknowledge(q.client, q.answered);
  auto next = job{peer,
                  q.client,
                  q.sequence,
                  who,
                  decoded->where,
                  q.target,
                  std::move(decoded->what),
                  now + std::chrono::milliseconds{q.deadline_ms}};
  if (!next.where->mutates)
    return admit(std::move(next), now);
  auto verdict
    = x.memory.begin(q.client, q.sequence, fingerprint_of(q), who, now);
  if (!verdict)
    return refuse(who, verdict.error());
  using kind = request_memory::verdict::kind;
  if (verdict->what == kind::answer)
    around_.reply(who,
                  {who.number, verdict->known.status, verdict->known.body});
  else if (verdict->what == kind::carry_out)
    admit(std::move(next), now);
}

void desk::admit(job x, steady_time now) {
  auto& peer = record_of(x.peer, now);
  if (peer.open >= limits_.open_requests) {
    auto why = error{ec::unavailable,
                     "request " + std::string{x.where->operation} + ": "
                       + std::to_string(limits_.open_requests)
                       + " requests of this certificate are open already",
                     "wait for some of them", 0};
    return settle(x, api::http_status(why.code), api::encode_error(why), false);
  }
  ++peer.open;
  if (peer.waiting.empty() && peer.requests.take(now))
    return start(std::move(x), now);
  peer.waiting.push_back(std::move(x));
}

void desk::start(job x, steady_time now) {
  auto left
    = std::chrono::duration_cast<std::chrono::milliseconds>(x.until - now);
  if (left.count() < 1) {
    auto found = peers_.find(x.peer);
    --found->second.open;
    auto why
      = error{ec::timeout,
              "request " + std::string{x.where->operation}
                + ": its turn did not come within the deadline",
              "it was not carried out; this certificate asks too much", 0};
    return settle(x, api::http_status(why.code), api::encode_error(why), false);
  }
  auto shared = std::make_shared<job>(std::move(x));
  auto what = std::move(shared->what);
  daemon_->submit(std::move(what), left,
                  [this, shared, now](result<reply> outcome) {
                    around_.post([this, shared, now, y = std::move(outcome)] {
                      finish(*shared, y, now);
                    });
                  });
}

void desk::finish(const job& x, const result<reply>& outcome,
                  steady_time started) {
  auto found = peers_.find(x.peer);
  if (found != peers_.end())
    --found->second.open;
  auto status
    = outcome ? x.where->success : api::http_status(outcome.error().code);
  auto body = outcome ? api::encode_reply(*outcome)
                      : api::encode_error(outcome.error());
  // As text within JSON it grows, typically by a seventh.
  if (body.size() > max_answer_bytes / 2) {
    auto why = error{ec::unsupported,
                     "request " + std::string{x.where->operation}
                       + ": the reply is too large for the remote interface",
                     "ask for one network's part", 0};
    status = api::http_status(why.code);
    body = api::encode_error(why);
  }
  if (x.where->mutates)
    around_.audit(audit_line(x.peer, x.where->method, x.target, status,
                             std::chrono::steady_clock::now() - started));
  settle(x, status, body, true);
}

// Everybody who waits for this request gets the same answer.
void desk::settle(const job& x, int status, const std::string& body,
                  bool carried) {
  auto waiting = std::vector<asker>{x.who};
  auto found = peers_.find(x.peer);
  if (x.where->mutates && found != peers_.end()) {
    auto& memory = found->second.memory;
    waiting = carried ? memory.finish(x.client, x.sequence, {status, body})
                      : memory.forget(x.client, x.sequence);
  }
  for (const auto& who : waiting)
    around_.reply(who, {who.number, status, body});
}

void desk::refuse(asker who, const error& why) {
  around_.reply(
    who, {who.number, api::http_status(why.code), api::encode_error(why)});
}

void desk::tick(steady_time now) {
  send(feed_.collect(now));
  for (auto& [name, x] : peers_)
    while (!x.waiting.empty()
           && (x.waiting.front().until <= now || x.requests.take(now))) {
      auto next = std::move(x.waiting.front());
      x.waiting.pop_front();
      start(std::move(next), now);
    }
  if (now < next_expiry_)
    return;
  next_expiry_ = now + expiry_interval;
  for (auto i = peers_.begin(); i != peers_.end();) {
    auto& x = i->second;
    auto is_empty = x.memory.expire(now);
    auto is_silent = now - x.last_used > request_memory::keep;
    if (is_empty && is_silent && x.connections == 0 && x.open == 0)
      i = peers_.erase(i);
    else
      ++i;
  }
}

// -- events -------------------------------------------------------------------

// Nobody is told that he listens before the daemon is heard.
void desk::events(asker who, const question& q, steady_time now) {
  if (watching_ == watching::yes)
    return send(feed_.ask(who, q, now));
  drop_early(who.connection);
  early_.emplace_back(who, q);
  if (watching_ == watching::no)
    watch_events();
}

void desk::drop_early(uint64_t connection) {
  std::erase_if(early_, [&](const auto& x) {
    return x.first.connection == connection;
  });
}

void desk::start_feed(const result<uint64_t>& subscribed) {
  watching_ = subscribed ? watching::yes : watching::no;
  for (auto& [who, q] : std::exchange(early_, {}))
    if (subscribed)
      send(feed_.ask(who, q, std::chrono::steady_clock::now()));
    else
      refuse(who, subscribed.error());
}

void desk::send(const std::vector<event_feed::due>& pages) {
  for (const auto& x : pages)
    around_.reply(x.who, {x.who.number, 200, dump(to_json(x.page))});
}

// Subscribing waits for the daemon, so not on the loop's thread. When it fails
// the next question tries again.
void desk::watch_events() {
  watching_ = watching::starting;
  if (subscriber_.joinable())
    subscriber_.join(); // Of an earlier attempt: it is at its end.
  subscriber_ = std::thread{[this, post = around_.post] {
    auto subscribed = daemon_->subscribe([this, post](const event& x) {
      post([this, x] {
        feed_.add(x);
        send(feed_.collect(std::chrono::steady_clock::now()));
      });
    });
    if (subscribed)
      subscription_ = *subscribed;
    post([this, subscribed] {
      start_feed(subscribed);
    });
  }};
}

desk::~desk() {
  if (subscriber_.joinable())
    subscriber_.join();
  if (subscription_ != 0)
    daemon_->unsubscribe(subscription_);
}

} // namespace troupe::tools::remote
