#include "troupe/persistence/migrate.hpp"

#include <algorithm>

namespace troupe::persistence {

std::span<const migration> migrations() {
  return {};
}

result<void>
migrate(contents& what, std::span<const migration> steps, int target) {
  auto& version = what.state.schema;
  if (version > target)
    return fail(ec::unsupported,
                "open store: it has schema version " + std::to_string(version)
                  + ", this program knows up to " + std::to_string(target),
                "it was written by " + what.state.program
                  + ": run that version or a newer one");
  while (version < target) {
    auto step = std::find_if(steps.begin(), steps.end(), [&](const auto& x) {
      return x.from == version;
    });
    if (step == steps.end())
      return fail(ec::unsupported,
                  "open store: no way leads from schema version "
                    + std::to_string(version) + " to " + std::to_string(target),
                  "it was written by " + what.state.program);
    if (auto done = step->run(what); !done)
      return fail(with_context(std::move(done.error()),
                               "migrate store from schema version "
                                 + std::to_string(version)));
    ++version;
  }
  return {};
}

} // namespace troupe::persistence
