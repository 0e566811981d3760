#include "troupe/tools/trouped/fault_door.hpp"

#include "troupe/config/model/id.hpp"

#include <fmt/format.h>

#include <unistd.h>

namespace troupe::tools {

namespace {

result<std::string> add(live_faults& faults, std::string_view body) {
  auto parsed = parse_json(body.empty() ? "{}" : body);
  if (!parsed)
    return fail(with_context(std::move(parsed.error()), "request body"));
  auto what = from_json<add_faults>(*parsed, unknown_fields::refuse, "request");
  if (!what)
    return fail(std::move(what.error()));
  auto added = faults.add(*what);
  if (!added)
    return fail(std::move(added.error()));
  return dump(to_json(*added));
}

result<std::string> remove(live_faults& faults, std::string_view id) {
  if (auto gone = faults.remove(id); !gone)
    return fail(std::move(gone.error()));
  return dump(to_json(done{}));
}

result<void> check(const live_faults* faults, const fault_request& what) {
  const auto operation = std::string{what.where.operation};
  if (what.who.uid != 0 && what.who.uid != ::geteuid())
    return fail(ec::forbidden, operation + ": only root may",
                "faults make the daemon fail on purpose");
  if (faults == nullptr)
    return fail(ec::forbidden, operation + ": fault injection is off",
                "start trouped with --enable-fault-injection");
  if (!what.query.empty())
    return fail(ec::invalid_argument, "query " + quoted(what.query)
                                        + ": this request has no parameters");
  return {};
}

} // namespace

result<std::string>
ask_about_faults(live_faults* faults, const fault_request& what) {
  if (auto good = check(faults, what); !good)
    return fail(std::move(good.error()));
  const auto& operation = what.where.operation;
  if (operation == "add_faults")
    return add(*faults, what.body);
  if (operation == "remove_fault")
    return remove(*faults, what.path.front().value);
  if (operation == "list_faults")
    return dump(to_json(faults->list()));
  if (operation == "fault_log")
    return dump(to_json(faults->log()));
  if (operation == "fault_points")
    return dump(to_json(live_faults::points()));
  faults->clear();
  return dump(to_json(done{}));
}

daemon_status with_faults(daemon_status x, const live_faults& faults) {
  const auto [armed, hits] = faults.count();
  x.warnings.push_back(fmt::format(
    "fault injection is enabled: {} armed, {} injected", armed, hits));
  return x;
}

} // namespace troupe::tools
