#include "troupe/drivers/null/null.hpp"

#include "troupe/drivers/objectless.hpp"

namespace troupe::drivers {

std::unique_ptr<driver> make_null(const instance&) {
  return make_objectless(
    "null",
    {.uses_addresses = false, .single_network = true, .host_namespace = false});
}

} // namespace troupe::drivers
