#include "troupe/tests/lab/simulated_system.hpp"

#include "troupe/actors/embedded/embedded.hpp"
#include "troupe/config/model/json.hpp"
#include "troupe/tests/lab/simulated_audit.hpp"
#include "troupe/tests/lab/simulated_daemon.hpp"

#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <set>

namespace troupe::testing {

namespace {

/// Longer than any deadline of the daemon.
constexpr auto patience = std::chrono::seconds{600};

settings simulated_settings() {
  auto how = settings{};
  how.state_dir = "/var/lib/troupe";
  how.run_dir = "/run/troupe";
  return how;
}

template <class T>
void add_lines(std::multiset<std::string>& lines, const std::string& kind,
               const std::vector<T>& records) {
  for (const auto& x : records)
    lines.insert(kind + " " + dump(to_json(x)));
}

} // namespace

// -- the facade ---------------------------------------------------------------

/// A backend over a system that may end before it.
class simulated_system::facade final : public backend {
public:
  explicit facade(simulated_system* system) : system_{system} {
  }

  /// The system ends.
  void let_go() {
    system_ = nullptr;
  }

  void submit(request what, std::chrono::milliseconds /*deadline*/,
              reply_handler handler) override {
    if (system_ == nullptr)
      return handler(gone());
    system_->submit(std::move(what), std::move(handler));
  }

  result<reply>
  call(request what, std::chrono::milliseconds /*deadline*/) override {
    if (system_ == nullptr)
      return gone();
    return system_->call(std::move(what));
  }

  result<uint64_t> subscribe(event_handler handler) override {
    if (system_ == nullptr || !system_->daemon_)
      return gone();
    system_->daemon_->subscribe(++last_, std::move(handler));
    system_->run();
    return last_;
  }

  void unsubscribe(uint64_t subscription) override {
    if (system_ == nullptr || !system_->daemon_)
      return;
    system_->daemon_->unsubscribe(subscription);
    system_->run();
  }

private:
  static tl::unexpected<error> gone() {
    return fail(ec::unavailable, "send request: no simulated daemon runs",
                "start the simulated system");
  }

  simulated_system* system_;
  uint64_t last_ = 0;
};

// -- the machine --------------------------------------------------------------

simulated_system::simulated_system()
  : world{std::make_shared<netns::simulated_world>()},
    disk{std::make_shared<persistence::memory_disk>()},
    ports{std::make_shared<netns::simulated_ports>()},
    kernel_faults{std::make_shared<netns::fault_plan>()},
    store_faults{std::make_shared<persistence::store_fault_plan>()},
    owner_{instance::of(simulated_settings().run_dir)},
    facade_{std::make_shared<facade>(this)} {
  // Thousands of injected faults would be logged.
  if (!spdlog::get("troupe"))
    spdlog::create<spdlog::sinks::null_sink_mt>("troupe");
  store_faults->on_crash = [plan = kernel_faults] {
    plan->crash();
  };
  store_faults->is_dead = [plan = kernel_faults] {
    return plan->crashed();
  };
  furnish();
}

simulated_system::~simulated_system() {
  facade_->let_go();
  crash();
  stop();
}

/// Things of somebody else, which must stay as they are.
void simulated_system::furnish() {
  world->add_hardware("eth0");
  auto host = netns::open_simulated_kernel(world);
  (void)host->set_sysctl(netns::sysctl::ipv4_forwarding, "all", 1);
  (void)host->set_sysctl(netns::sysctl::ipv6_forwarding, "all", 1);
  auto bridge = netns::bridge_request{};
  bridge.name = "docker0";
  if (auto index = host->add_bridge(bridge)) {
    auto up = netns::link_change{};
    up.up = true;
    (void)host->set_link(*index, up);
    (void)host->add_address(*index, *interface_address::parse("172.17.0.1/16"));
  }
  // Of another daemon on this host.
  bridge.name = "other0";
  if (auto index = host->add_bridge(bridge)) {
    auto tag = netns::link_change{};
    tag.alias = instance::of("/run/other").alias(std::string(64, 'e'));
    tag.group = instance::of("/run/other").link_group();
    (void)host->set_link(*index, tag);
  }
  for (const auto* path : {"/proc/7/ns/net", "/proc/8/ns/net"})
    world->make_external_namespace(path);
}

embedded_parts simulated_system::make_parts() const {
  auto parts = embedded_parts{};
  parts.open_kernel = netns::faulty_kernel_factory(
    netns::simulated_kernel_factory(world), kernel_faults);
  parts.open_store
    = [store_disk = disk,
       plan = store_faults]() -> result<std::unique_ptr<persistence::store>> {
    return persistence::make_faulty(persistence::open_memory(store_disk), plan);
  };
  parts.read_audit
    = [seen = world](auto networks) -> result<netns::audit_view> {
    return audit_of(*seen, networks);
  };
  parts.read_obstructions
    = [seen = world](auto networks) -> result<std::vector<netns::obstruction>> {
    return audit_of(*seen, networks).obstructions;
  };
  // The simulated machine has no packets: every way is open.
  parts.send_path_probes = [](std::span<const netns::path_probe> ways) {
    return result<std::vector<std::string>>{
      std::vector<std::string>(ways.size())};
  };
  parts.make_ports = [taken = ports] {
    return std::make_unique<drivers::port_book>(taken->make_sockets(),
                                                taken->make_proxy());
  };
  return parts;
}

void simulated_system::arm_power_loss() {
  loses_power_ = true;
}

/// Of the two environments of the store one is on the disk.
bool simulated_system::boot() {
  if (!loses_power_ || !crashed())
    return false;
  loses_power_ = false;
  stop();
  auto& content = disk->content;
  content.sandboxes.clear();
  content.joins.clear();
  content.forwarding = {};
  std::erase_if(content.endpoints, [](const auto& x) {
    return x.ephemeral;
  });
  ports->kill_proxy();
  world = std::make_shared<netns::simulated_world>();
  furnish();
  return true;
}

result<void> simulated_system::start() {
  boot();
  stop();
  store_faults->crashed = false;
  kernel_faults->restart();
  daemon_ = std::make_unique<simulated_daemon>(simulated_settings(), owner_,
                                               make_parts());
  auto started = daemon_->start_up();
  if (!started || crashed())
    stop();
  return started;
}

void simulated_system::stop() {
  daemon_.reset();
}

void simulated_system::crash() {
  kernel_faults->crash();
}

bool simulated_system::crashed() const {
  return kernel_faults->crashed();
}

controller simulated_system::controller() {
  return troupe::controller::over(facade_);
}

void simulated_system::submit(request what, reply_handler handler) {
  if (!daemon_)
    return handler(fail(ec::unavailable, "send request: no daemon runs",
                        "start the simulated system"));
  auto replies = std::make_shared<size_t>(0);
  daemon_->submit(std::move(what), patience, [=, this](result<reply> x) {
    if (++*replies > 1)
      ++surplus_;
    handler(std::move(x));
  });
}

result<reply> simulated_system::call(request what) {
  took_ = {};
  auto outcome = std::make_shared<std::optional<result<reply>>>();
  submit(std::move(what), [outcome](result<reply> x) {
    *outcome = std::move(x);
  });
  run();
  while (!*outcome && took_ < 2 * patience) {
    took_ += std::chrono::milliseconds{100};
    advance(std::chrono::milliseconds{100});
  }
  if (!*outcome)
    return fail(ec::timeout, "no reply came");
  return std::move(**outcome);
}

void simulated_system::run() {
  if (daemon_)
    daemon_->run();
}

bool simulated_system::run_one(std::mt19937_64& rng) {
  return daemon_ && daemon_->run_one(rng);
}

void simulated_system::run_shuffled(std::mt19937_64& rng, size_t steps) {
  while (steps > 0 && run_one(rng))
    --steps;
}

void simulated_system::lose_events() {
  if (daemon_)
    daemon_->lose_events();
}

void simulated_system::report(std::vector<netns::kernel_event> events) {
  if (daemon_)
    daemon_->report(std::move(events));
}

void simulated_system::advance(std::chrono::milliseconds x) {
  now_ += x;
  if (daemon_)
    daemon_->advance(x);
}

void simulated_system::stall(std::chrono::milliseconds x) {
  now_ += x;
  if (daemon_)
    daemon_->stall(x);
}

void simulated_system::add(message_rule rule) {
  if (daemon_)
    daemon_->add(std::move(rule));
}

void simulated_system::heal() {
  kernel_faults->clear();
  store_faults->what = persistence::store_fault_plan::effect::none;
  if (daemon_)
    daemon_->clear_rules();
}

std::string simulated_system::records() const {
  auto lines = std::multiset<std::string>{};
  add_lines(lines, "network", disk->content.networks);
  add_lines(lines, "endpoint", disk->content.endpoints);
  add_lines(lines, "sandbox", disk->content.sandboxes);
  add_lines(lines, "join", disk->content.joins);
  auto text = std::string{};
  for (const auto& line : lines)
    text += line + "\n";
  return text;
}

} // namespace troupe::testing
