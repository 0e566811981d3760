#include "troupe/actors/door.hpp"

#include "troupe/actors/reply_to.hpp"

namespace troupe {

namespace {

door_actor::behavior_type
door(door_actor::pointer self, controller_actor controller) {
  return {
    [=](submit_request& msg) -> caf::result<done> {
      std::visit(
        [&]<class Request>(Request& what) {
          using reply_type = typename reply_to<Request>::type;
          ask<reply_type>(
            self, controller, msg.deadline, std::move(what),
            [handler = msg.handler](reply_type& x) {
              handler(reply{std::move(x)});
            },
            [handler = msg.handler](error why) {
              handler(fail(std::move(why)));
            });
        },
        msg.what);
      return done{};
    },
  };
}

} // namespace

door_actor spawn_door(caf::actor_system& system, controller_actor controller) {
  return system.spawn(door, std::move(controller));
}

} // namespace troupe
