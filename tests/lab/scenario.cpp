#include "troupe/tests/lab/scenario.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/config/model/json.hpp"
#include "troupe/config/model/json_place.hpp"
#include "troupe/config/model/nearest.hpp"
#include "troupe/netns/faulty/kernel.hpp"

#include <algorithm>

namespace troupe::testing {

namespace {

/// The actors that messages can be kept from, by name.
constexpr std::string_view actor_names[]
  = {"controller", "driver",     "endpoint", "events",  "firewall",
     "ipam",       "namespaces", "network",  "sandbox", "store"};

/// A wrong value: where in the document, and why.
struct refusal {
  std::string path;
  error why;
};

using verdict = std::optional<refusal>;

verdict check_range(const std::string& path, int value, int least, int most) {
  if (value >= least && value <= most)
    return std::nullopt;
  return refusal{path,
                 {ec::invalid_argument,
                  "must be from " + std::to_string(least) + " to "
                    + std::to_string(most) + ", not " + std::to_string(value),
                  {},
                  0}};
}

template <class Names>
verdict check_name(const std::string& path, const std::string& value,
                   const Names& names) {
  if (value.empty() || std::ranges::find(names, value) != std::end(names))
    return std::nullopt;
  return refusal{path,
                 {ec::invalid_argument, "unknown " + quoted(value),
                  nearest_hint(value, names), 0}};
}

verdict check_fault(const std::string& path, const fault_setting& x) {
  const auto kind = to_string(x.fault);
  const auto in_kernel = kind.starts_with("kernel-");
  const auto in_mailbox
    = kind.starts_with("message-") || kind.starts_with("actor-");
  if (!x.on.empty() && !in_kernel && !in_mailbox)
    return refusal{path + ".on",
                   {ec::invalid_argument, kind + " strikes no call or actor",
                    "leave it out", 0}};
  if (!x.error.empty() && !in_kernel)
    return refusal{path + ".error",
                   {ec::invalid_argument, kind + " has no error of the kernel",
                    "leave it out", 0}};
  auto wrong = check_range(path + ".per-mille", x.per_mille, 0, 1'000);
  if (!wrong)
    wrong = check_range(path + ".nth", x.nth, -1, 100'000);
  if (!wrong)
    wrong = check_range(path + ".delay-ms", x.delay_ms, 0, 600'000);
  if (!wrong && in_kernel)
    wrong = check_name(path + ".on", x.on, netns::call_names());
  if (!wrong && in_mailbox)
    wrong = check_name(path + ".on", x.on, actor_names);
  if (!wrong)
    wrong = check_name(path + ".error", x.error, netns::injected_error_names());
  return wrong;
}

verdict check_mix(const operation_mix& mix) {
  auto wrong = verdict{};
  auto sum = 0;
  for_each_field(mix, [&](std::string_view name, int weight) {
    if (!wrong)
      wrong = check_range("mix." + std::string{name}, weight, 0, 1'000);
    sum += weight;
  });
  if (!wrong && sum == 0)
    return refusal{"mix",
                   {ec::invalid_argument, "all operations are 0", {}, 0}};
  return wrong;
}

verdict check(const scenario& x) {
  auto wrong = check_range("clients", x.clients, 1, 16);
  if (!wrong)
    wrong = check_range("operations", x.operations, 1, 100'000);
  if (!wrong)
    wrong = check_range("objects", x.objects, 1, 16);
  if (!wrong)
    wrong = check_range("duration-ms", x.duration_ms, 0, 86'400'000);
  if (!wrong)
    wrong = check_mix(x.mix);
  for (size_t i = 0; !wrong && i < x.faults.size(); ++i)
    wrong = check_fault("faults[" + std::to_string(i) + "]", x.faults[i]);
  return wrong;
}

} // namespace

result<scenario>
load_scenario(std::string_view file_name, std::string_view text) {
  auto places = json_places{};
  auto limits = json_limits{};
  limits.allow_comments = true;
  auto document = parse_json_file(file_name, text, limits, &places);
  if (!document)
    return fail(std::move(document.error()));
  auto result = scenario{};
  auto reader = json_reader{unknown_fields::refuse};
  if (!reader.read(*document, result))
    return fail(with_context(
      reader.failure(), place_in_file(file_name, reader.culprit(), places)));
  if (auto wrong = check(result))
    return fail(with_context(std::move(wrong->why),
                             place_in_file(file_name, wrong->path, places)
                               + ": " + wrong->path));
  return result;
}

scenario swarm_scenario() {
  auto result = scenario{};
  result.name = "swarm";
  result.swarm = true;
  for (size_t i = 0; i < enum_names<fault_kind>.size(); ++i) {
    auto x = fault_setting{};
    x.fault = static_cast<fault_kind>(i);
    result.faults.push_back(x);
  }
  return result;
}

} // namespace troupe::testing
