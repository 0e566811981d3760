#include "troupe/tools/trouped/server.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/tools/trouped/openapi.hpp"
#include "troupe/tools/trouped/server_callbacks.hpp"

#include <microhttpd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include <sys/un.h>

namespace troupe::tools {

namespace {

/// How often dead readers of events are looked for.
constexpr int ping_seconds = 15;

/// After the last reply is queued it still has to be written.
constexpr auto flush_grace = std::chrono::milliseconds{500};

} // namespace

result<std::unique_ptr<server>>
server::start(std::shared_ptr<backend> where, netns::unique_fd listening,
              server_options options) {
  auto result
    = std::unique_ptr<server>{new server{std::move(where), std::move(options)}};
  if (auto opened = result->open(std::move(listening)); !opened)
    return fail(std::move(opened.error()));
  return result;
}

server::server(std::shared_ptr<backend> where, server_options options)
  : backend_{std::move(where)}, options_{std::move(options)},
    pending_{std::make_shared<pending_requests>()},
    inquiries_{std::make_shared<pending_requests>()},
    connections_{options_.max_connections_per_user}, hub_{options_.max_streams,
                                                          options_.max_events} {
}

server::~server() {
  stop(std::chrono::milliseconds{0});
}

result<void> server::open(netns::unique_fd listening) {
  auto subscribed = backend_->subscribe([this](const event& x) {
    hub_.publish(x);
  });
  if (!subscribed)
    return fail(
      with_context(std::move(subscribed.error()), "subscribe to events"));
  subscription_ = *subscribed;
  listening_ = std::move(listening);
  daemon_ = server_callbacks::start_daemon(*this, listening_.get());
  if (daemon_ == nullptr)
    return fail(os_failure(errno, "start the HTTP server"));
  housekeeper_ = std::thread{[this] {
    keep_house();
  }};
  return {};
}

void server::stop(std::chrono::milliseconds grace) {
  {
    auto guard = std::lock_guard{mutex_};
    if (std::exchange(stopping_, true))
      return;
  }
  wake_.notify_all();
  if (housekeeper_.joinable())
    housekeeper_.join();
  if (subscription_ != 0)
    backend_->unsubscribe(subscription_);
  if (daemon_ == nullptr)
    return;
  (void)MHD_quiesce_daemon(daemon_);
  const auto end = std::chrono::steady_clock::now() + grace;
  for (const auto& open : {pending_, inquiries_})
    for (const auto& late :
         open->drain(std::chrono::duration_cast<std::chrono::milliseconds>(
           end - std::chrono::steady_clock::now())))
      (void)late->settle(
        fail(ec::unavailable, "the daemon is shutting down",
             "the outcome is unknown; look after its restart"));
  hub_.close();
  // libmicrohttpd would drop what is not written yet.
  constexpr auto step = std::chrono::milliseconds{5};
  for (auto waited = step; waited < flush_grace && open_exchanges_ > 0;
       waited += step)
    std::this_thread::sleep_for(step);
  MHD_stop_daemon(std::exchange(daemon_, nullptr));
}

void server::note_company() {
  {
    auto guard = std::lock_guard{mutex_};
    has_company_ = true;
  }
  wake_.notify_all();
}

void server::take_connection(netns::unique_fd connection) {
  auto address = sockaddr_un{};
  address.sun_family = AF_UNIX;
  // It closes the descriptor when it has too many.
  (void)MHD_add_connection(daemon_, connection.release(),
                           reinterpret_cast<sockaddr*>(&address),
                           sizeof address.sun_family);
}

void server::keep_house() {
  auto guard = std::unique_lock{mutex_};
  auto stopped = [this] {
    return stopping_;
  };
  for (auto second = 1;; ++second) {
    // Nothing to look after: nobody wakes this thread.
    if (connections_.size() == 0)
      wake_.wait(guard, [this] {
        return stopping_ || has_company_;
      });
    has_company_ = false;
    if (wake_.wait_for(guard, std::chrono::seconds{1}, stopped))
      return;
    guard.unlock();
    (void)connections_.hang_up_slow(options_.receive_timeout);
    if (second % ping_seconds == 0)
      hub_.ping();
    guard.lock();
  }
}

int server::begin(const exchange_ptr& x) {
  x->now = exchange::stage::receiving;
  x->started = connection_registry::clock::now();
  if (server_callbacks::handle_of(*x)->refused)
    return send_error(
      x,
      {ec::unavailable, "connect: your user has too many connections", {}, 0});
  auto length = server_callbacks::header(*x, MHD_HTTP_HEADER_CONTENT_LENGTH);
  auto announced = length ? std::strtoull(length->c_str(), nullptr, 10) : 0;
  if (announced <= options_.max_body_bytes)
    return MHD_YES;
  x->too_large = true;
  return dispatch(x);
}

int server::receive(const exchange_ptr& x, const char* data, size_t* bytes) {
  // A reply can only be queued after the body, so what is too much is read
  // and dropped, up to a point.
  constexpr auto patience = size_t{16};
  auto size = std::exchange(*bytes, 0);
  x->received_bytes += size;
  if (x->received_bytes > patience * options_.max_body_bytes)
    return MHD_NO;
  x->too_large |= x->received_bytes > options_.max_body_bytes;
  if (x->too_large)
    x->body.clear();
  else
    x->body.append(data, size);
  return MHD_YES;
}

int server::dispatch(const exchange_ptr& x) {
  connections_.end_reading(server_callbacks::handle_of(*x));
  x->started = connection_registry::clock::now();
  if (x->too_large)
    return send_error(x,
                      {ec::invalid_argument,
                       "request body: more than "
                         + std::to_string(options_.max_body_bytes) + " bytes",
                       {},
                       0},
                      MHD_HTTP_CONTENT_TOO_LARGE);
  auto target = std::string_view{x->target};
  auto path = target.substr(0, target.find('?'));
  auto query = target.substr(std::min(target.size(), path.size() + 1));
  auto found = api::find_route(x->method, path);
  if (!found)
    return send_error(x, found.error());
  x->where = found->found;
  if (x->where == nullptr)
    return send_error(
      x,
      {ec::invalid_argument,
       "method " + quoted(x->method) + ": this path does not have it",
       "it has " + found->allow, 0},
      MHD_HTTP_METHOD_NOT_ALLOWED, found->allow);
  switch (x->where->kind) {
  case api::route_kind::events:
    return stream_events(x);
  case api::route_kind::metrics:
    return submit(x, get_status{});
  case api::route_kind::openapi:
    return send_text(x, MHD_HTTP_OK, openapi_text(), "application/json");
  case api::route_kind::faults:
    return answer_about_faults(x, found->parameters, query);
  case api::route_kind::request:
    break;
  }
  auto what = api::decode_request(*x->where, found->parameters, query, x->body);
  if (!what)
    return send_error(x, what.error());
  return submit(x, std::move(*what));
}

int server::submit(const exchange_ptr& x, request what) {
  // What a DELETE is about stands in its path.
  if (x->method == "POST")
    x->audit_object = audit_name(what);
  if (options_.faults)
    options_.faults->on_request(x->where->operation, x->where->mutates);
  // How the daemon is must be told just when it is busy.
  const auto inquires = is_inquiry(what);
  const auto& pending = inquires ? inquiries_ : pending_;
  const auto limit = inquires ? options_.max_inquiries : options_.max_requests;
  if (!pending->add(x, limit))
    return send_error(
      x, {ec::unavailable,
          "the daemon is busy with " + std::to_string(limit) + " requests",
          "try again a little later", 0});
  x->now = exchange::stage::waiting;
  // First suspend: the answer, and with it the call to resume, may come before
  // `submit` returns.
  MHD_suspend_connection(x->connection);
  backend_->submit(std::move(what), deadline_of(*x),
                   [x, pending](result<reply> outcome) {
                     // In this order: a server that stops waits for the
                     // removal, and no connection may be suspended then.
                     x->settle(std::move(outcome));
                     pending->remove(x);
                   });
  return MHD_YES;
}

std::chrono::milliseconds server::deadline_of(const exchange& x) const {
  auto wish = server_callbacks::header(x, "Troupe-Deadline-Ms");
  auto wanted = std::chrono::milliseconds{
    wish ? std::strtol(wish->c_str(), nullptr, 10) : 0};
  return wanted.count() > 0 ? std::min(wanted, options_.request_timeout)
                            : options_.request_timeout;
}

} // namespace troupe::tools
