#include "troupe/actors/embedded/embedded.hpp"
#include "troupe/netns/simulated/kernel.hpp"

#include "scenarios.hpp"
#include "subject.hpp"
#include <filesystem>

namespace troupe::bench {

namespace {

constexpr auto deadline = std::chrono::seconds{10};

reply ask(backend& api, request what, const char* operation) {
  return must(api.call(std::move(what), deadline), operation);
}

create_sandbox sandbox_request(int number) {
  auto result = create_sandbox{};
  result.spec.name = "c" + std::to_string(number);
  return result;
}

attach_sandbox attach_request(int number) {
  auto result = attach_sandbox{};
  result.network = "bench";
  result.sandbox = "c" + std::to_string(number);
  return result;
}

} // namespace

void measure_overhead(const setting& how, report& out) {
  auto options = settings{};
  options.state_dir = how.state_base + "/simulated";
  options.run_dir = "/run/troupe-simulated";
  options.log_level = "warn";
  std::filesystem::create_directories(options.state_dir);
  std::filesystem::create_directories(options.run_dir);
  auto world
    = std::make_shared<netns::simulated_world>(options.run_dir + "/netns");
  auto parts = embedded_parts{};
  parts.open_kernel = netns::simulated_kernel_factory(world);
  parts.open_store = [&] {
    return persistence::open_lmdb(options.state_dir, options.run_dir);
  };
  auto api = must(open_backend(options, std::move(parts)), "open controller");
  auto wanted = create_network{};
  wanted.spec.name = "bench";
  auto pool = ipam_pool{};
  pool.subnet = must(prefix::parse("10.77.0.0/16"), "parse subnet");
  wanted.spec.pools.push_back(pool);
  ask(*api, wanted, "create network");

  auto attached = samples{};
  auto removed = samples{};
  constexpr auto per_round = 100;
  for (auto round = 0; round < how.rounds() * 4; ++round) {
    for (auto i = 0; i < per_round; ++i) {
      auto watch = stopwatch{};
      ask(*api, sandbox_request(i), "create sandbox");
      ask(*api, attach_request(i), "attach");
      attached.add(watch.elapsed());
    }
    for (auto i = 0; i < per_round; ++i) {
      auto watch = stopwatch{};
      ask(*api, remove_sandbox{"c" + std::to_string(i)}, "remove sandbox");
      removed.add(watch.elapsed());
    }
  }
  auto line = timed("actors and store, simulated kernel", "attach", attached);
  line.goal = "p50 <= 0.15 ms";
  line.reached = *line.p50_ms <= 0.15;
  out.add(line);
  out.add(
    timed("actors and store, simulated kernel", "sandbox removed", removed));
}

} // namespace troupe::bench
