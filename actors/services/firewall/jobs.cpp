#include "troupe/actors/services/firewall/jobs.hpp"

#include "troupe/actors/api/log.hpp"
#include "troupe/drivers/publish/runs.hpp"
#include "troupe/drivers/registry.hpp"

#include <algorithm>
#include <utility>

namespace troupe {

namespace {

/// The elements of a network.
result<firewall_job>
job_of(const drivers::driver& driver, const network_spec& network) {
  auto wanted = driver.network_elements(network);
  if (!wanted)
    return fail(std::move(wanted.error()));
  return firewall_job{network.id.value, std::move(*wanted), false};
}

} // namespace

std::unique_ptr<drivers::driver>
driver_of(const system_context& context, const network_spec& network) {
  return drivers::make(network.driver, context.owner);
}

result<firewall_job>
job_of(const drivers::driver& driver, const network_spec& network,
       const endpoint_spec& endpoint,
       const std::vector<port_binding>& bindings) {
  auto wanted = driver.endpoint_elements(network, endpoint, bindings);
  if (!wanted)
    return fail(std::move(wanted.error()));
  return firewall_job{endpoint.id.value, std::move(*wanted), false};
}

result<firewall_job> prepare(firewall_work& work, const drivers::driver& driver,
                             const network_spec& network) {
  auto job = job_of(driver, network);
  work.know(driver, network);
  if (job)
    if (auto open = work.forwarding().open(driver, network); !open)
      return fail(std::move(open.error()));
  return job;
}

result<prepared_endpoint>
prepare(firewall_work& work, const drivers::driver& driver,
        const protect_endpoint& msg) {
  if (auto free = work.admit(msg.endpoint); !free)
    return fail(std::move(free.error()));
  auto fresh = work.publish(driver, msg);
  if (!fresh)
    return fail(std::move(fresh.error()));
  auto all = msg.kept;
  all.insert(all.end(), fresh->begin(), fresh->end());
  sort_bindings(all);
  auto job = job_of(driver, msg.network, msg.endpoint, all);
  if (!job) {
    work.release_but(msg.endpoint, msg.kept);
    return fail(std::move(job.error()));
  }
  return prepared_endpoint{std::move(*job), std::move(all)};
}

// -- restore ------------------------------------------------------------------

namespace {

/// What a recorded network wants. A problem is told.
void restore(firewall_work& work, const drivers::driver& driver,
             const network_spec& network, std::vector<firewall_job>& jobs,
             std::vector<std::string>& problems) {
  work.know(driver, network);
  if (auto job = job_of(driver, network))
    jobs.push_back(std::move(*job));
  else
    problems.push_back(job.error().message);
}

std::vector<port_binding>
without(std::vector<port_binding> all,
        const std::vector<drivers::refused_port>& missing) {
  std::erase_if(all, [&](const auto& x) {
    return std::ranges::find(missing, x, &drivers::refused_port::binding)
           != missing.end();
  });
  return all;
}

/// The same for a recorded endpoint: without its ports is not without guard,
/// and without one of them not without the others.
void restore(firewall_work& work, const drivers::driver& driver,
             const protect_endpoint& msg, std::vector<firewall_job>& jobs,
             unrestored_map& unrestored, std::vector<std::string>& problems) {
  const auto& recorded = *msg.restored;
  work.know(msg.endpoint);
  auto x = unrestored_endpoint{msg.network, msg.endpoint, {}};
  x.missing = work.restore(msg.endpoint, recorded);
  auto job
    = job_of(driver, msg.network, msg.endpoint, without(recorded, x.missing));
  if (!job) {
    problems.push_back(job.error().message);
    work.release_all(msg.endpoint);
    job = job_of(driver, msg.network, msg.endpoint, {});
  }
  if (job)
    jobs.push_back(std::move(*job));
  if (!x.missing.empty())
    unrestored.emplace(msg.endpoint.id, std::move(x));
}

/// What can be had by now; the rest says why not.
void restore_more(firewall_work& work, const system_context& context,
                  unrestored_endpoint& x) {
  const auto& id = x.endpoint.id;
  auto wanted = std::vector<port_binding>{};
  for (const auto& missing : x.missing)
    wanted.push_back(missing.binding);
  const auto before = work.published(id);
  auto refused = work.restore(x.endpoint, wanted);
  auto fresh = without(wanted, refused);
  if (!fresh.empty()) {
    auto job = job_of(*driver_of(context, x.network), x.network, x.endpoint,
                      work.published(id));
    if (!job || !work.apply({std::move(*job)}))
      return work.release_but(x.endpoint, before);
  }
  x.missing = std::move(refused);
  for (const auto& binding : fresh)
    log().info("endpoint {}: {} is published again", quoted(x.endpoint.name),
               to_string(binding));
}

} // namespace

std::vector<std::string> describe(const unrestored_map& x) {
  auto lines = std::vector<std::string>{};
  for (const auto& [id, endpoint] : x) {
    auto told = std::vector<drivers::told_port>{};
    for (const auto& missing : endpoint.missing)
      told.push_back(
        {missing.binding, drivers::reason_of(missing.why.message)});
    for (const auto& run : drivers::in_runs(std::move(told)))
      lines.push_back("endpoint " + quoted(endpoint.endpoint.name) + ": "
                      + to_string(run.binding)
                      + " is not published: " + run.reason + "; tried again");
  }
  return lines;
}

void restore_ports(firewall_work& work, const system_context& context,
                   unrestored_map& unrestored) {
  for (auto& [id, x] : unrestored)
    restore_more(work, context, x);
  std::erase_if(unrestored, [](const auto& x) {
    return x.second.missing.empty();
  });
}

restored_firewall
restore(firewall_work& work, const system_context& context,
        const restore_firewall& msg, unrestored_map& unrestored) {
  auto jobs = std::vector<firewall_job>{};
  auto problems = std::vector<std::string>{};
  auto note = [&](const result<void>& x) {
    if (!x)
      problems.push_back(x.error().message);
  };
  work.recall_forwarding(msg.forwarding);
  for (const auto& x : msg.networks)
    restore(work, *driver_of(context, x), x, jobs, problems);
  for (const auto& x : msg.endpoints)
    restore(work, *driver_of(context, x.network), x, jobs, unrestored,
            problems);
  if (work.ports() != nullptr)
    note(work.ports()->finish_restore());
  for (auto& x : jobs)
    x.is_final = true; // The records say so.
  note(jobs.empty() ? work.load() : work.apply(std::move(jobs)));
  // With the rules in place; without forwarding is not without isolation.
  for (const auto& x : msg.networks) {
    const auto driver = driver_of(context, x);
    work.forwarding().note(*driver, x); // Tried again, whatever happens now.
    note(work.forwarding().open(*driver, x));
  }
  if (!msg.networks.empty())
    note(work.review_connections());
  if (work.missing())
    problems.push_back(work.missing()->message);
  return {std::move(problems)};
}

} // namespace troupe
