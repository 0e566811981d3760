#include "troupe/drivers/host/host.hpp"

#include "troupe/drivers/objectless.hpp"

namespace troupe::drivers {

std::unique_ptr<driver> make_host(const instance&) {
  return make_objectless(
    "host",
    {.uses_addresses = false, .single_network = true, .host_namespace = true});
}

} // namespace troupe::drivers
