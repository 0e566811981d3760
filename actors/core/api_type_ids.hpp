#pragma once

// Type ids of the public API's messages: what actors of one process and peers
// of the remote interface both send. New types go to the end.

#include "troupe/actors/api/messages.hpp"
#include "troupe/actors/core/caf.hpp"

// clang-format off

// Messages of the public API: serialised by their field tables.
CAF_BEGIN_TYPE_ID_BLOCK(troupe, caf::first_custom_type_id)
  CAF_ADD_TYPE_ID(troupe, (troupe::ec))
  CAF_ADD_TYPE_ID(troupe, (troupe::create_network))
  CAF_ADD_TYPE_ID(troupe, (troupe::remove_network))
  CAF_ADD_TYPE_ID(troupe, (troupe::inspect_network))
  CAF_ADD_TYPE_ID(troupe, (troupe::list_networks))
  CAF_ADD_TYPE_ID(troupe, (troupe::network_list))
  CAF_ADD_TYPE_ID(troupe, (troupe::network_status))
  CAF_ADD_TYPE_ID(troupe, (troupe::create_endpoint))
  CAF_ADD_TYPE_ID(troupe, (troupe::remove_endpoint))
  CAF_ADD_TYPE_ID(troupe, (troupe::inspect_endpoint))
  CAF_ADD_TYPE_ID(troupe, (troupe::list_endpoints))
  CAF_ADD_TYPE_ID(troupe, (troupe::endpoint_list))
  CAF_ADD_TYPE_ID(troupe, (troupe::endpoint_status))
  CAF_ADD_TYPE_ID(troupe, (troupe::create_sandbox))
  CAF_ADD_TYPE_ID(troupe, (troupe::remove_sandbox))
  CAF_ADD_TYPE_ID(troupe, (troupe::inspect_sandbox))
  CAF_ADD_TYPE_ID(troupe, (troupe::list_sandboxes))
  CAF_ADD_TYPE_ID(troupe, (troupe::sandbox_list))
  CAF_ADD_TYPE_ID(troupe, (troupe::sandbox_status))
  CAF_ADD_TYPE_ID(troupe, (troupe::join_endpoint))
  CAF_ADD_TYPE_ID(troupe, (troupe::leave_endpoint))
  CAF_ADD_TYPE_ID(troupe, (troupe::attach_sandbox))
  CAF_ADD_TYPE_ID(troupe, (troupe::detach_sandbox))
  CAF_ADD_TYPE_ID(troupe, (troupe::done))
  CAF_ADD_TYPE_ID(troupe, (troupe::get_status))
  CAF_ADD_TYPE_ID(troupe, (troupe::daemon_status))
  CAF_ADD_TYPE_ID(troupe, (troupe::run_doctor))
  CAF_ADD_TYPE_ID(troupe, (troupe::doctor_report))
  CAF_ADD_TYPE_ID(troupe, (troupe::publish_ports))
  CAF_ADD_TYPE_ID(troupe, (troupe::unpublish_ports))
CAF_END_TYPE_ID_BLOCK(troupe)

#if TROUPE_CAF_1
CAF_ERROR_CODE_ENUM(troupe::ec)
#else
CAF_ERROR_CODE_ENUM(troupe::ec, "troupe")
#endif

// clang-format on
