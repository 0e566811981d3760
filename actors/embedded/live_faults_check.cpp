#include "troupe/actors/api/routes.hpp"
#include "troupe/actors/embedded/live_faults.hpp"
#include "troupe/config/model/id.hpp"
#include "troupe/config/model/nearest.hpp"

#include <algorithm>
#include <array>

namespace troupe {

namespace {

using effect = live_faults::effect;

constexpr int longest_delay_ms = 600'000;
constexpr int largest_nth = 100'000;

/// Faults of troupe-sim that a real process cannot have, by how they begin.
constexpr std::string_view simulated_only[]
  = {"message-", "actor-", "process-", "recovery-", "host-", "client-"};

std::vector<std::string_view> operation_names() {
  auto names = std::vector<std::string_view>{};
  for (const auto& x : api::routes())
    if (x.kind == api::route_kind::request
        && std::ranges::find(names, x.operation) == names.end())
      names.push_back(x.operation);
  return names;
}

std::vector<std::string_view> places_of(fault_seam seam) {
  switch (seam) {
  case fault_seam::kernel:
    return netns::call_names();
  case fault_seam::store:
    return {"commit"};
  case fault_seam::request:
    return operation_names();
  }
  return {};
}

tl::unexpected<error> unknown(std::string_view what, const std::string& value,
                              const std::vector<std::string_view>& known) {
  return fail(ec::invalid_argument,
              std::string{what} + ": unknown " + quoted(value),
              nearest_hint(value, known));
}

result<void>
check_range(std::string_view field, std::optional<int> x, int least, int most) {
  if (!x || (*x >= least && *x <= most))
    return {};
  return fail(ec::invalid_argument, std::string{field} + ": must be from "
                                      + std::to_string(least) + " to "
                                      + std::to_string(most) + ", not "
                                      + std::to_string(*x));
}

} // namespace

std::span<const live_faults::row> live_faults::rows() {
  using enum fault_seam;
  static constexpr auto table = std::array{
    row{"kernel-fail", kernel, effect::fail},
    row{"kernel-lose-reply", kernel, effect::lose_reply},
    row{"kernel-delay", kernel, effect::run},
    row{"kernel-crash-before", kernel, effect::crash_before},
    row{"kernel-crash-after", kernel, effect::crash_after},
    row{"store-full", store, effect::fail},
    row{"store-io-error", store, effect::fail},
    row{"store-lose-reply", store, effect::lose_reply},
    row{"store-delay", store, effect::run},
    row{"store-crash-before", store, effect::crash_before},
    row{"store-crash-after", store, effect::crash_after},
    row{"request-lose-reply", request, effect::lose_reply},
    row{"request-crash-before", request, effect::crash_before},
    row{"request-crash-after", request, effect::crash_after},
  };
  return table;
}

const live_faults::row* live_faults::row_named(std::string_view name) {
  for (const auto& x : rows())
    if (x.name == name)
      return &x;
  return nullptr;
}

fault_points live_faults::points() {
  auto result = fault_points{};
  for (auto seam : {fault_seam::kernel, fault_seam::store, fault_seam::request})
    for (auto place : places_of(seam)) {
      auto& point = result.points.emplace_back();
      point.name = place;
      for (const auto& x : rows())
        if (x.seam == seam)
          point.faults.emplace_back(x.name);
    }
  for (auto x : netns::injected_error_names())
    result.errors.emplace_back(x);
  return result;
}

result<void> live_faults::check_place(const fault_spec& x, const row& kind) {
  if (x.on.empty())
    return {};
  auto known = places_of(kind.seam);
  if (std::ranges::find(known, x.on) != known.end())
    return {};
  return unknown("on", x.on, known);
}

result<const live_faults::row*> live_faults::check(const fault_spec& x) {
  const auto* kind = row_named(x.fault);
  if (kind == nullptr) {
    for (auto start : simulated_only)
      if (x.fault.starts_with(start))
        return fail(ec::unsupported,
                    "fault: " + quoted(x.fault)
                      + " exists in the simulator only",
                    "run the plan with troupe-sim");
    auto names = std::vector<std::string_view>{};
    for (const auto& y : rows())
      names.push_back(y.name);
    return unknown("fault", x.fault, names);
  }
  if (!x.error.empty() && !kind->has_errno())
    return fail(ec::invalid_argument,
                "error: " + x.fault + " has no error of the kernel",
                "leave it out");
  if (!x.error.empty() && netns::error_named(x.error) == 0)
    return unknown("error", x.error, netns::injected_error_names());
  if (x.delay_ms && kind->what != effect::run)
    return fail(ec::invalid_argument, "delay-ms: " + x.fault + " has no delay",
                "leave it out");
  if (x.per_mille && (x.nth.value_or(-1) >= 0 || x.for_ever))
    return fail(ec::invalid_argument,
                "per-mille: not together with nth or for-ever",
                "per-mille strikes by chance until it is cleared");
  for (auto good :
       {check_range("nth", x.nth, -1, largest_nth),
        check_range("delay-ms", x.delay_ms, 0, longest_delay_ms),
        check_range("per-mille", x.per_mille, 0, 1'000), check_place(x, *kind)})
    if (!good)
      return fail(std::move(good.error()));
  return kind;
}

} // namespace troupe
