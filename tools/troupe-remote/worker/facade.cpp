#include "troupe/tools/troupe-remote/worker/facade.hpp"

#include "troupe/actors/api/routes.hpp"
#include "troupe/actors/remote/schema.hpp"
#include "troupe/tools/troupe-remote/worker/completion.hpp"
#include "troupe/tools/version.hpp"

#include <unistd.h>

namespace troupe::tools::remote {

namespace wire = troupe::remote;

namespace {

struct facade_state {
  static inline const char* name = "facade";
  std::shared_ptr<channel> front;
};

// A facade answers the published messages and its own completions.
template <class Published>
using facade_of = typename Published::template extend_with<
  actor_if<caf::result<done>(completion)>>;

using controller_facade = facade_of<wire::controller_actor>;
using network_facade = facade_of<wire::network_actor>;
using endpoint_facade = facade_of<wire::endpoint_actor>;
using sandbox_facade = facade_of<wire::sandbox_actor>;
using events_facade = facade_of<wire::events_actor>;
using door_facade = facade_of<wire::door_actor>;

template <class Facade>
using self_of = typename Facade::template stateful_pointer<facade_state>;

using front_ptr = std::shared_ptr<channel>;

// Runs a handler of an answer on the actor's thread.
template <class Self, class Handler>
answer_handler in_actor(Self* self, Handler handler) {
  auto me = caf::actor_cast<caf::actor>(caf::strong_actor_ptr{self->ctrl()});
  return [me, handler](answer x) {
    auto run = std::make_shared<std::function<void()>>(
      [handler, x = std::move(x)]() mutable {
        handler(x);
      });
    caf::anon_send(me, completion{std::move(run)});
  };
}

result<json> body_of(const answer& x) {
  if (x.status >= 300)
    return fail(api::decode_error(x.status, x.body));
  auto limits = json_limits{};
  limits.max_bytes = max_answer_bytes;
  return parse_json(x.body, limits);
}

template <class Reply>
result<Reply> reply_of(const answer& x) {
  auto body = body_of(x);
  if (!body)
    return fail(std::move(body.error()));
  return from_json<Reply>(*body, unknown_fields::ignore, "reply");
}

// Passes one request on and answers with what comes back.
template <class Self, class Request>
caf::result<typename Request::reply>
forward(Self* self, wire::ticket& x, Request& what) {
  auto into = promise<typename Request::reply>{self};
  auto& front = *state_of(self).front;
  auto encoded = api::encode_request(request{std::move(what)});
  if (!encoded) {
    into.deliver(std::move(encoded.error()));
    return into;
  }
  auto q = question{};
  q.kind = "call";
  q.client = front.client();
  q.sequence = x.sequence;
  q.answered = std::move(x.answered);
  q.deadline_ms = x.deadline_ms;
  q.method = encoded->where->method;
  q.target = std::move(encoded->target);
  q.body = std::move(encoded->body);
  front.ask(std::move(q), in_actor(self, [into](const answer& y) mutable {
              into.deliver(reply_of<typename Request::reply>(y));
            }));
  return into;
}

auto runs_completions() {
  return [](const completion& x) -> caf::result<done> {
    (*x.run)();
    return done{};
  };
}

// Passes all requests of a group on.
template <class Facade, class... Requests>
typename Facade::behavior_type
passes_on(self_of<Facade> self, wire::request_group<Requests...>) {
  return {
    [self](wire::ticket& x,
           Requests& what) -> caf::result<typename Requests::reply> {
      return forward(self, x, what);
    }...,
    runs_completions(),
  };
}

controller_facade::behavior_type
controller(self_of<controller_facade> self, const front_ptr& front) {
  state_of(self).front = front;
  return passes_on<controller_facade>(self, wire::controller_requests{});
}

network_facade::behavior_type
network(self_of<network_facade> self, const front_ptr& front) {
  state_of(self).front = front;
  return passes_on<network_facade>(self, wire::network_requests{});
}

endpoint_facade::behavior_type
endpoint(self_of<endpoint_facade> self, const front_ptr& front) {
  state_of(self).front = front;
  return passes_on<endpoint_facade>(self, wire::endpoint_requests{});
}

sandbox_facade::behavior_type
sandbox(self_of<sandbox_facade> self, const front_ptr& front) {
  state_of(self).front = front;
  return passes_on<sandbox_facade>(self, wire::sandbox_requests{});
}

events_facade::behavior_type
events(self_of<events_facade> self, const front_ptr& front) {
  state_of(self).front = front;
  return {
    [self](const wire::next_events& x) -> caf::result<wire::event_batch> {
      auto into = promise<wire::event_batch>{self};
      auto q = question{};
      q.kind = "events";
      q.feed = x.feed;
      q.next = x.next;
      q.wait_ms = x.wait_ms;
      auto handler = in_actor(self, [into](const answer& y) mutable {
        auto page = reply_of<events_page>(y);
        if (page)
          into.deliver(wire::event_batch{page->feed, page->next, page->lost,
                                         std::move(page->events)});
        else
          into.deliver(std::move(page.error()));
      });
      state_of(self).front->ask(std::move(q), std::move(handler));
      return into;
    },
    runs_completions(),
  };
}

result<void> check_hello(const wire::hello& x) {
  auto theirs = x.version.empty() ? "unknown" : x.version.substr(0, 32);
  if (x.protocol != wire::protocol)
    return fail(ec::unsupported,
                "connect: this side (troupe " + std::string{version}
                  + ") speaks protocol " + std::to_string(wire::protocol)
                  + ", the other (troupe " + theirs + ") protocol "
                  + std::to_string(x.protocol),
                "use the same version of troupe on both sides");
  if (x.schema != wire::schema())
    return fail(ec::unsupported,
                "connect: troupe " + theirs + " has other messages than troupe "
                  + version + " on this side",
                "use the same version of troupe on both sides");
  return {};
}

// The actors behind the door.
struct facade_handles {
  wire::controller_actor controller;
  wire::network_actor network;
  wire::endpoint_actor endpoint;
  wire::sandbox_actor sandbox;
  wire::events_actor events;
};

wire::welcome
welcome_with(const facade_handles& x, const opened_session& opened) {
  return {version,    opened.session, x.controller, x.network,
          x.endpoint, x.sandbox,      x.events};
}

door_facade::behavior_type
door(self_of<door_facade> self, const front_ptr& front,
     const facade_handles& behind) {
  state_of(self).front = front;
  return {
    [self, behind](wire::hello& x) -> caf::result<wire::welcome> {
      if (auto ok = check_hello(x); !ok)
        return to_caf(std::move(ok.error()));
      auto into = promise<wire::welcome>{self};
      auto q = question{};
      q.kind = "hello";
      q.client = x.client;
      auto handler = in_actor(
        self, [self, into, behind, client = x.client](const answer& y) mutable {
          auto opened = reply_of<opened_session>(y);
          if (!opened)
            return into.deliver(std::move(opened.error()));
          state_of(self).front->set_client(client);
          into.deliver(welcome_with(behind, *opened));
        });
      state_of(self).front->ask(std::move(q), std::move(handler));
      return into;
    },
    runs_completions(),
  };
}

} // namespace

// A peer can end an actor by a message that no handler sees. With one missing
// the others are of no use: the peer may connect again and gets new ones.
template <class Handle>
Handle vital(Handle x) {
  caf::actor_cast<caf::abstract_actor*>(x)->attach_functor([] {
    ::_exit(1);
  });
  return x;
}

wire::door_actor
spawn_facade(caf::actor_system& system, const front_ptr& front) {
  auto behind = facade_handles{
    vital(system.spawn(controller, front)), vital(system.spawn(network, front)),
    vital(system.spawn(endpoint, front)), vital(system.spawn(sandbox, front)),
    vital(system.spawn(events, front))};
  return vital(system.spawn(door, front, behind));
}

void add_remote_messages(caf::actor_system_config& config) {
  config.add_message_types<caf::id_block::troupe>();
  config.add_message_types<caf::id_block::troupe_remote>();
}

} // namespace troupe::tools::remote
