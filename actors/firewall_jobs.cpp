#include "troupe/actors/firewall_jobs.hpp"

#include "troupe/actors/log.hpp"
#include "troupe/drivers/registry.hpp"

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

result<std::unique_ptr<drivers::driver>>
driver_of(const system_context& context, const network_spec& network) {
  if (auto driver = drivers::make(network.driver, context.owner))
    return driver;
  return fail(ec::invalid_argument, "unknown driver " + network.driver);
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
  if (job)
    if (auto open = work.forwarding().open(driver, network); !open)
      return fail(std::move(open.error()));
  return job;
}

result<prepared_endpoint>
prepare(firewall_work& work, const drivers::driver& driver,
        const protect_endpoint& msg) {
  auto fresh = work.publish(driver, msg);
  if (!fresh)
    return fail(std::move(fresh.error()));
  auto all = msg.kept;
  all.insert(all.end(), fresh->begin(), fresh->end());
  drivers::sort_bindings(all);
  auto job = job_of(driver, msg.network, msg.endpoint, all);
  if (!job) {
    work.release_but(msg.endpoint, msg.kept);
    return fail(std::move(job.error()));
  }
  return prepared_endpoint{std::move(*job), std::move(all)};
}

// -- restore ------------------------------------------------------------------

namespace {

/// What a recorded network wants. A problem is told; without forwarding is not
/// without isolation.
void restore(firewall_work& work, const drivers::driver& driver,
             const network_spec& network, std::vector<firewall_job>& jobs,
             std::vector<std::string>& problems) {
  auto job = prepare(work, driver, network);
  if (!job) {
    problems.push_back(job.error().message);
    work.forwarding().note(driver, network);
    job = job_of(driver, network);
  }
  if (job)
    jobs.push_back(std::move(*job));
}

/// The same for a recorded endpoint: without its ports is not without guard.
/// @returns false if its ports could not be had.
bool restore(firewall_work& work, const drivers::driver& driver,
             const protect_endpoint& msg, std::vector<firewall_job>& jobs,
             std::vector<std::string>& problems) {
  auto prepared = prepare(work, driver, msg);
  if (prepared) {
    jobs.push_back(std::move(prepared->job));
    return true;
  }
  problems.push_back(prepared.error().message);
  if (auto bare = job_of(driver, msg.network, msg.endpoint, {}))
    jobs.push_back(std::move(*bare));
  return false;
}

} // namespace

void restore_ports(firewall_work& work, const system_context& context,
                   std::vector<protect_endpoint>& unrestored) {
  std::erase_if(unrestored, [&](const protect_endpoint& x) {
    auto driver = driver_of(context, x.network);
    if (!driver)
      return false;
    auto prepared = prepare(work, **driver, x);
    if (!prepared)
      return false;
    if (!work.apply({std::move(prepared->job)})) {
      work.release_all(x.endpoint);
      return false;
    }
    log().info("endpoint {}: its ports are published again",
               quoted(x.endpoint.name));
    return true;
  });
}

restored_firewall restore(firewall_work& work, const system_context& context,
                          const restore_firewall& msg,
                          std::vector<protect_endpoint>& unrestored) {
  auto jobs = std::vector<firewall_job>{};
  auto problems = std::vector<std::string>{};
  auto note = [&](const result<void>& x) {
    if (!x)
      problems.push_back(x.error().message);
  };
  for (const auto& x : msg.networks)
    if (auto driver = driver_of(context, x))
      restore(work, **driver, x, jobs, problems);
    else
      problems.push_back(driver.error().message);
  for (const auto& x : msg.endpoints)
    if (auto driver = driver_of(context, x.network); !driver)
      problems.push_back(driver.error().message);
    else if (!restore(work, **driver, x, jobs, problems))
      unrestored.push_back(x);
  if (work.ports() != nullptr)
    note(work.ports()->finish_restore());
  for (auto& x : jobs)
    x.is_final = true; // The records say so.
  note(jobs.empty() ? work.load() : work.apply(std::move(jobs)));
  if (work.missing())
    problems.push_back(work.missing()->message);
  return {std::move(problems)};
}

} // namespace troupe
