// Apart from the rest of the facade: this is what brings in the actors.

#include "troupe/actors/troupe.hpp"

#include <chrono>
#include <utility>

namespace troupe {

result<controller> controller::open(const settings& how) {
  auto link = open_backend(how);
  if (!link)
    return fail(std::move(link.error()));
  auto result = over(std::move(*link));
  result.set_deadline(std::chrono::milliseconds{how.request_timeout_ms});
  return result;
}

} // namespace troupe
