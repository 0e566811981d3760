#include "troupe/tools/troupe/fault_file.hpp"

#include "troupe/config/model/json.hpp"
#include "troupe/config/model/json_place.hpp"

namespace troupe::tools {

namespace {

/// What a scenario says besides.
constexpr const char* other_keys[]
  = {"name", "clients", "operations", "objects", "duration-ms", "swarm", "mix"};

} // namespace

result<add_faults>
parse_fault_file(std::string_view name, std::string_view text) {
  auto places = json_places{};
  auto limits = json_limits{};
  limits.allow_comments = true;
  auto document = parse_json_file(name, text, limits, &places);
  if (!document)
    return fail(std::move(document.error()));
  auto reader = json_reader{unknown_fields::refuse};
  auto result = add_faults{};
  auto good = false;
  if (document->is_array()) {
    good = reader.read(*document, result.faults);
  } else if (document->is_object() && document->contains("fault")) {
    good = reader.read(*document, result.faults.emplace_back());
  } else {
    if (document->is_object())
      for (const auto* key : other_keys)
        document->erase(key);
    good = reader.read(*document, result);
  }
  if (good)
    return result;
  return fail(with_context(reader.failure(),
                           place_in_file(name, reader.culprit(), places)));
}

} // namespace troupe::tools
