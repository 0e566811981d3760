#include <fmt/format.h>

#include "raw_netlink.hpp"
#include "scenarios.hpp"
#include "subject.hpp"
#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

// What others cost: many networks beside the one that is used, and programs
// that change addresses of the host which are no business of ours.

namespace troupe::bench {

namespace {

constexpr auto fill_threads = 8;
constexpr auto step = 100;

std::string named(const char* what, int present) {
  return fmt::format("{}, {} networks", what, present);
}

/// Adds or deletes an address of the host's loopback device.
void change_address(const scratch_host& host, bool add, int number) {
  auto command = fmt::format("ip address {} 192.0.2.{}/32 dev lo",
                             add ? "add" : "del", 1 + number % 200);
  host.run([&] {
    if (std::system(command.c_str()) != 0)
      die(command + ": failed");
  });
}

void add_foreign_cost(const setting& how, const subject& daemon, int present,
                      report& out) {
  const auto events = how.quick ? 20 : 100;
  auto before = use_of(daemon.pid());
  for (auto i = 0; i < events; ++i) {
    change_address(daemon.host(), true, i);
    change_address(daemon.host(), false, i);
  }
  std::this_thread::sleep_for(std::chrono::seconds{1});
  auto after = use_of(daemon.pid());
  auto line = row{};
  line.group = "foreign address added and deleted: processor time";
  line.name = fmt::format("daemon, {} endpoints", present);
  line.p50_ms = (after.cpu_ms - before.cpu_ms) / events;
  if (present > 0) {
    line.goal = "<= 1 ms";
    line.reached = *line.p50_ms <= 1;
  }
  out.add(line);
}

} // namespace

void measure_networks(const setting& how, report& out) {
  if (how.trouped.empty())
    return;
  const auto most = how.quick ? 200 : 1'000;
  auto daemon = subject::behind_daemon(how.state_base, how.trouped);
  auto made = std::vector<network>{};
  auto first_created = samples{};
  auto first_attached = samples{};
  for (auto present = 0; present < most; present += step) {
    auto sandboxes = std::vector<sandbox>{};
    auto attached = daemon->attach(how.round_size(), sandboxes);
    daemon->remove(sandboxes);
    auto created = daemon->create_networks(step, made);
    auto attach_line = timed("attach beside other networks",
                             named("daemon", present), attached);
    auto create_line
      = timed("network created", named("daemon", present), created);
    if (present == 0) {
      first_created = created;
      first_attached = attached;
    }
    auto compare = [](row& line, const samples& now, const samples& first) {
      line.to_floor = now.p50() / first.p50();
      line.goal = "flat (<= 1.2 x)";
      line.reached = *line.to_floor <= 1.2;
    };
    compare(attach_line, attached, first_attached);
    compare(create_line, created, first_created);
    out.add(attach_line);
    out.add(create_line);
  }
  auto removed = samples{};
  for (auto& x : made) {
    auto watch = stopwatch{};
    must(x.remove(), "remove network");
    removed.add(watch.elapsed());
  }
  out.add(timed("network removed", named("daemon", most), removed));
}

void measure_foreign(const setting& how, report& out) {
  if (how.trouped.empty())
    return;
  constexpr auto endpoints = 400;
  auto daemon = subject::behind_daemon(how.state_base, how.trouped);
  add_foreign_cost(how, *daemon, 0, out);
  auto crowd = std::vector<sandbox>{};
  daemon->attach_at_once(endpoints, fill_threads, crowd);
  add_foreign_cost(how, *daemon, endpoints, out);

  constexpr auto group = "attach beside 400 endpoints";
  auto sandboxes = std::vector<sandbox>{};
  auto calm = daemon->attach(how.round_size(), sandboxes);
  daemon->remove(sandboxes);
  auto stop = std::atomic<bool>{false};
  auto other = std::thread{[&] {
    for (auto i = 0; !stop; ++i) {
      change_address(daemon->host(), i % 2 == 0, i / 2);
      std::this_thread::sleep_for(std::chrono::milliseconds{50});
    }
  }};
  auto disturbed = daemon->attach(how.round_size(), sandboxes);
  stop = true;
  other.join();
  daemon->remove(sandboxes);
  out.add(timed(group, "daemon, nobody else", calm));
  auto line = timed(group, "20 foreign changes a second", disturbed);
  line.to_floor = disturbed.p50() / calm.p50();
  line.goal = "<= 1.3 x";
  line.reached = *line.to_floor <= 1.3;
  out.add(line);
  daemon->remove(crowd);
  daemon->settle();
}

} // namespace troupe::bench
