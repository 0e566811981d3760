#include "troupe/actors/embedded/door.hpp"

#include "troupe/actors/api/failure_board.hpp"

namespace troupe {

namespace {

constexpr auto in_handler = "handler of a reply";

door_actor::behavior_type
door_behavior(door_actor::pointer self, controller_actor controller) {
  explain_exceptions(self);
  return {
    [=](submit_request& msg) -> caf::result<done> {
      std::visit(
        [&]<class Request>(Request& what) {
          using reply_type = typename Request::reply;
          ask<reply_type>(
            self, controller, msg.deadline, std::move(what),
            [self, handler = msg.handler](reply_type& x) {
              call_handler(&self->system(), in_handler, handler,
                           result<reply>{reply{std::move(x)}});
            },
            [self, handler = msg.handler](error why) {
              call_handler(&self->system(), in_handler, handler,
                           result<reply>{fail(std::move(why))});
            });
        },
        msg.what);
      return done{};
    },
  };
}

} // namespace

door_actor spawn_door(caf::actor_system& system, controller_actor controller) {
  return system.spawn(door_behavior, std::move(controller));
}

} // namespace troupe
