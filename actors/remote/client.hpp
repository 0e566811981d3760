#pragma once

// The client's side of the remote interface: one actor that has the open
// requests and the subscribers, and sends them over whatever connection there
// is.

#include "troupe/actors/remote.hpp"
#include "troupe/actors/remote/basp.hpp"
#include "troupe/actors/remote/call_table.hpp"
#include "troupe/actors/remote/link.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace troupe::remote {

/// What is to be done on the actor's thread.
struct run_now {
  std::shared_ptr<std::function<void()>> what;
};

/// The CLIENT actor: runs what the backend and the link post.
using client_actor = actor_if<caf::result<done>(run_now)>;

/// Its state, and all it does.
/// @thread_safety The actor's thread only; `post` from anywhere.
class client {
public:
  static inline const char* name = "remote client";

  void begin(client_actor::pointer self, std::string name, link& connection);

  void submit(request what, std::chrono::milliseconds allowed,
              reply_handler handler);

  /// @param opened called once: when the stream runs, or cannot be opened now.
  /// In that case too the handler stays until `unsubscribe`.
  void subscribe(uint64_t number, event_handler handler,
                 std::function<void(result<void>)> opened);
  void unsubscribe(uint64_t number);

  /// @param attempt the link's number of this connection.
  void on_up(netns::unique_fd plain, uint64_t attempt);
  void on_down(const error& why, bool was_up);
  void stop();

private:
  enum class stage : uint8_t { down, greeting, up };

  void want_connection();
  void say_hello(const found_peer& x);
  void on_welcome(const welcome& x);
  void fail_greeting(error why);
  void send(uint64_t sequence);
  void expire();
  void schedule_expiry();
  void ask_events();
  void forget_stream();
  void on_events(const event_batch& x);
  void publish(const event& x);
  void report(const char* action, const std::string& reason);
  void settle(const result<void>& outcome);
  template <class Reply, class Handle, class Request>
  void send_to(const Handle& to, uint64_t sequence, ticket x, Request what);

  client_actor::pointer self_ = nullptr;
  link* link_ = nullptr;
  std::string name_; ///< As in `hello`.
  stage stage_ = stage::down;
  bool is_connecting_ = false; ///< The link has been asked and not answered.
  uint64_t attempt_ = 0;       ///< Of this connection.
  int busy_attempts_ = 0;      ///< In a row.
  uint64_t generation_
    = 0; ///< Counts connections; replies of old ones are late.
  welcome there_;
  call_table calls_;
  bool is_expiry_scheduled_ = false;

  std::map<uint64_t, event_handler> subscribers_;
  std::vector<std::function<void(result<void>)>> opening_;
  uint64_t feed_ = 0;
  uint64_t next_event_ = 0;
  bool is_asking_ = false;      ///< For events, or handing an answer out.
  bool is_stream_open_ = false; ///< Its position is known.
  bool was_lost_ = false;       ///< Subscribers were told `disconnect`.
};

/// Runs something on the client's thread.
void post(const client_actor& to, std::function<void()> what);

/// Spawns the actor. @returns it and its state, which lives as long.
client_actor spawn_client(caf::actor_system& system, client*& state);

} // namespace troupe::remote

// clang-format off
CAF_BEGIN_TYPE_ID_BLOCK(troupe_remote_client, caf::first_custom_type_id + 460)
  CAF_ADD_TYPE_ID(troupe_remote_client, (troupe::remote::run_now))
CAF_END_TYPE_ID_BLOCK(troupe_remote_client)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::remote::run_now)
// clang-format on
