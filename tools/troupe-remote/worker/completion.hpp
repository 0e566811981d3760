#pragma once

#include "troupe/actors/core/caf.hpp"

#include <functional>
#include <memory>

namespace troupe::tools::remote {

/// What is to be done on an actor's own thread. Not a message of the interface:
/// it cannot be sent from outside, as it has no form on the wire.
struct completion {
  std::shared_ptr<std::function<void()>> run;
};

} // namespace troupe::tools::remote

// clang-format off
CAF_BEGIN_TYPE_ID_BLOCK(troupe_remote_worker, caf::first_custom_type_id + 450)
  CAF_ADD_TYPE_ID(troupe_remote_worker, (troupe::tools::remote::completion))
CAF_END_TYPE_ID_BLOCK(troupe_remote_worker)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::tools::remote::completion)
// clang-format on
