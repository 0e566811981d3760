#include "troupe/persistence/origin.hpp"

#include <algorithm>

namespace troupe::persistence {

origin compare(const found_file& durable, const found_file& runtime,
               const std::string& boot_id) {
  const auto& disk = durable.found.state;
  const auto& memory = runtime.found.state;
  auto result = origin{};
  result.durable_is_new = durable.is_new;
  result.runtime_is_new = runtime.is_new;
  result.rebooted = runtime.is_new ? !durable.is_new && disk.boot_id != boot_id
                                   : memory.boot_id != boot_id;
  result.generation = std::max(disk.generation, memory.generation) + 1;
  // Every start writes the durable generation first, so in one boot it is
  // never the smaller one.
  if (!runtime.is_new && !result.rebooted
      && disk.generation < memory.generation)
    result.suspicious
      = durable.is_new
          ? "the durable records are gone although this host has been running "
            "with some (start "
              + std::to_string(memory.generation) + ")"
          : "the durable records are those of start "
              + std::to_string(disk.generation)
              + ", older than this host's start "
              + std::to_string(memory.generation) + ": a restored copy?";
  for (const auto* x : {&durable, &runtime})
    if (x->set_aside)
      result.quarantined.push_back(*x->set_aside);
  return result;
}

} // namespace troupe::persistence
