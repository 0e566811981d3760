#pragma once

#include "troupe/actors/core/plumbing.hpp"

namespace troupe {

// What the NAMESPACES actor does with a kernel; blocking, without actors.

/// Name of a sandbox's pin: the first 12 digits of its id.
std::string pin_name(const sandbox_id& id);

/// Pins the namespace at `path`. Errors: those of `adopt_namespace`; `conflict`
/// if another pin holds that namespace: two sandboxes would fight over its
/// routes and interface names.
result<netns::namespace_ref>
adopt(netns::kernel& kernel, const std::string& name, const std::string& path);

/// Removes a pin; one that is gone is fine.
result<void> unpin(netns::kernel& kernel, const std::string& name);

/// Removes the pin of a sandbox that was removed. Where the namespace lives on,
/// rules that a failed request left there go first.
result<void> close_pin(netns::kernel& kernel, const close_namespace& msg);

/// Replaces our default routes by the given ones, family by family; a family
/// that is right already is not touched, nor are routes that others made.
result<void>
replace_default_routes(netns::kernel& host, const set_default_routes& wanted);

/// Compares all pins with the wanted sandboxes. Lost namespaces that Troupe
/// made are made anew, adopted ones are adopted again when their path still
/// leads to the same namespace. Errors: only when the pins cannot be listed.
result<reconciled_namespaces>
reconcile_pins(netns::kernel& kernel, const reconcile_namespaces& wanted);

} // namespace troupe
