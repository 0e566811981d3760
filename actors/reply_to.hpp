#pragma once

#include "troupe/actors/messages.hpp"

#include <type_traits>

namespace troupe {

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

} // namespace troupe
