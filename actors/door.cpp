#include "troupe/actors/door.hpp"

namespace troupe {

namespace {

/// Reply type of each request, as the controller's interface has it.
template <class Request>
struct reply_to;

template <>
struct reply_to<create_network> : std::type_identity<network_status> {};
template <>
struct reply_to<remove_network> : std::type_identity<done> {};
template <>
struct reply_to<inspect_network> : std::type_identity<network_status> {};
template <>
struct reply_to<list_networks> : std::type_identity<network_list> {};
template <>
struct reply_to<create_endpoint> : std::type_identity<endpoint_status> {};
template <>
struct reply_to<remove_endpoint> : std::type_identity<done> {};
template <>
struct reply_to<inspect_endpoint> : std::type_identity<endpoint_status> {};
template <>
struct reply_to<list_endpoints> : std::type_identity<endpoint_list> {};
template <>
struct reply_to<create_sandbox> : std::type_identity<sandbox_status> {};
template <>
struct reply_to<remove_sandbox> : std::type_identity<done> {};
template <>
struct reply_to<inspect_sandbox> : std::type_identity<sandbox_status> {};
template <>
struct reply_to<list_sandboxes> : std::type_identity<sandbox_list> {};
template <>
struct reply_to<join_endpoint> : std::type_identity<endpoint_status> {};
template <>
struct reply_to<leave_endpoint> : std::type_identity<done> {};
template <>
struct reply_to<attach_sandbox> : std::type_identity<endpoint_status> {};
template <>
struct reply_to<publish_ports> : std::type_identity<endpoint_status> {};
template <>
struct reply_to<unpublish_ports> : std::type_identity<endpoint_status> {};
template <>
struct reply_to<detach_sandbox> : std::type_identity<done> {};
template <>
struct reply_to<get_status> : std::type_identity<daemon_status> {};
template <>
struct reply_to<run_doctor> : std::type_identity<doctor_report> {};

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
