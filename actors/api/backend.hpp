#pragma once

#include "troupe/actors/api/messages.hpp"
#include "troupe/config/model/error.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>
#include <variant>

namespace troupe {

/// Every request of the public API: the one list of them.
using request
  = std::variant<create_network, list_networks, inspect_network, remove_network,
                 create_endpoint, list_endpoints, inspect_endpoint,
                 remove_endpoint, create_sandbox, list_sandboxes,
                 inspect_sandbox, remove_sandbox, join_endpoint, leave_endpoint,
                 attach_sandbox, detach_sandbox, publish_ports, unpublish_ports,
                 get_status, run_doctor>;

namespace detail {

/// A variant of the replies of all requests, each type once.
template <class Found, class... Requests>
struct replies_of {
  using type = Found;
};

template <class... Found, class Request, class... Rest>
struct replies_of<std::variant<Found...>, Request, Rest...>
  : replies_of<std::conditional_t<
                 (std::is_same_v<typename Request::reply, Found> || ...),
                 std::variant<Found...>,
                 std::variant<Found..., typename Request::reply>>,
               Rest...> {};

template <class... Requests>
auto replies_of_all(const std::variant<Requests...>*) ->
  typename replies_of<std::variant<done>, Requests...>::type;

} // namespace detail

/// Every reply of the public API; `done` comes first.
using reply = decltype(detail::replies_of_all(static_cast<request*>(nullptr)));

/// Does the request only ask how things are? Such a one is answered while all
/// places for other requests are taken: it is then that people ask.
bool is_inquiry(const request& what);

/// Called exactly once, on a thread of the backend, or inside `submit` when the
/// request is refused at once. Must not block. What it throws is logged and
/// harms nobody.
using reply_handler = std::function<void(result<reply>)>;

/// Called for each event, in order, on a thread of the backend. Must not
/// block. What it throws is logged and harms nobody.
using event_handler = std::function<void(const event&)>;

/// Carries requests to a controller: the actors of this process, or a daemon.
/// @thread_safety All methods may be called from any thread.
class backend {
public:
  /// Answers what is open with `unavailable` and waits until no handler runs.
  /// A handler may let go of the last reference to what `open_backend` or
  /// `connect_backend` returned: then another thread does it.
  virtual ~backend() = default;

  /// Sends a request. After `deadline` the handler gets `timeout`; the outcome
  /// is then unknown. Over the limit of requests in work it gets `unavailable`
  /// at once.
  virtual void submit(request what, std::chrono::milliseconds deadline,
                      reply_handler handler)
    = 0;

  /// Starts a subscription. @returns a number for `unsubscribe`.
  virtual result<uint64_t> subscribe(event_handler handler) = 0;

  /// After it returns, the handler is not called any more. It waits for a call
  /// that is running, unless a handler of this backend calls it: one may end
  /// its own subscription, and others, and waits for nobody.
  virtual void unsubscribe(uint64_t subscription) = 0;

  /// Calls the handler once, on any thread, when this backend can work no more:
  /// an actor has ended by itself, and every request is answered `unavailable`
  /// from then on. One of another process never says so.
  virtual void on_failure(std::function<void(const error&)> handler) {
    static_cast<void>(handler);
  }

  /// Sends a request and waits. Not to be called from a handler, which may be
  /// what the reply waits for.
  /// Virtual, so that a backend can do it on the calling thread.
  virtual result<reply> call(request what, std::chrono::milliseconds deadline);
};

/// Opens an embedded controller: actors, store and kernel in this process.
/// Returns once start-up is done (or has failed). The destructor stops the
/// actors and leaves the networks up.
struct settings;
result<std::shared_ptr<backend>> open_backend(const settings& how);

/// Speaks the local API to a daemon. @param uri `unix:///path/of/the.sock`.
/// Errors: `invalid_argument` for another scheme. Whether the daemon is there
/// shows with the first request (`unavailable`).
result<std::shared_ptr<backend>> connect_backend(const std::string& uri);

/// Who this program is for a remote daemon, and whom it trusts; PEM files. They
/// are read once, when the connection is made.
struct credentials {
  std::string certificate; ///< Ours, followed by intermediates if any.
  std::string key;         ///< Of the certificate; not readable by others.
  std::string authority;   ///< Certificates of the private CA.
};

/// Speaks to a daemon's `troupe-remote`, docs/remote.md.
/// @param uri `caf+tls://host[:port]`; another scheme goes to the function
/// above. @note In the library `troupe::remote`.
/// Errors: `invalid_argument` for a bad address or credentials that cannot be
/// used (unreadable, expired, not a pair). Whether the other side is there
/// shows with the first request.
result<std::shared_ptr<backend>>
connect_backend(const std::string& uri, const credentials& who);

} // namespace troupe
