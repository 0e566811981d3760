#include "troupe/netns/firewall/element.hpp"
#include "troupe/netns/real/kernel.hpp"

#include <fmt/format.h>

#include "scenarios.hpp"
#include "subject.hpp"
#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include <sys/resource.h>

namespace troupe::bench {

namespace {

constexpr auto many = 50;

void measure_attach(const setting& how, subject& ours, report& out) {
  constexpr auto group = "attach with published ports, embedded";
  const auto counts = std::array{0, 1, many};
  auto attached = std::array<samples, 3>{};
  auto removed = std::array<samples, 3>{};
  // In turn, so that a busy machine is busy for all.
  for (auto round = 0; round < how.rounds(); ++round)
    for (size_t i = 0; i < counts.size(); ++i) {
      auto sandboxes = std::vector<sandbox>{};
      attached[i].add(ours.attach(how.round_size() / 2, sandboxes, counts[i]));
      removed[i].add(ours.remove(sandboxes));
      ours.settle();
    }
  const auto goals = std::array{0.0, 1.05, 1.3};
  for (size_t i = 0; i < counts.size(); ++i) {
    auto line = timed(group, fmt::format("{} ports", counts[i]), attached[i]);
    line.to_floor = attached[i].p50() / attached[0].p50();
    if (i > 0) {
      line.goal = fmt::format("<= {} x without", goals[i]);
      line.reached = *line.to_floor <= goals[i];
    }
    out.add(line);
  }
  for (size_t i = 0; i < counts.size(); ++i)
    out.add(timed("sandbox removed with its ports, embedded",
                  fmt::format("{} ports", counts[i]), removed[i]));
}

constexpr auto ports_each = 500; ///< Of an endpoint that only fills.

/// How many ports the proxy can hold: a descriptor each. It may raise the limit
/// only where it has CAP_SYS_RESOURCE.
int most_ports() {
  constexpr auto others = 500;
  constexpr auto most = rlim_t{262'144}; // What the proxy asks for.
  const auto wanted = rlimit{most, most};
  auto limit = rlimit{};
  if (::setrlimit(RLIMIT_NOFILE, &wanted) == 0)
    limit = wanted;
  else if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return others;
  return static_cast<int>(std::min(limit.rlim_max, most)) - others;
}

std::vector<int> fill_levels(const setting& how, std::vector<int> all) {
  if (how.quick)
    all.resize(2);
  const auto most = most_ports();
  for (auto x : all)
    if (x > most)
      fmt::print(stderr, "{} ports are left out: at most {} open files\n", x,
                 most);
  std::erase_if(all, [&](int x) {
    return x > most;
  });
  return all;
}

using netns::firewall::element;
using netns::firewall::make_element;
using netns::firewall::set_id;

/// What one port of a container with both families is in the firewall.
std::vector<element> elements_of(uint32_t number, protocol proto) {
  const auto port = static_cast<uint16_t>(number);
  const auto v4 = must(ip_address::parse("10.1.0.2"), "parse address");
  const auto v6 = must(ip_address::parse("fd00::2"), "parse address");
  return {must(make_element(set_id::publish4_any, {proto, port}, {v4, port}),
               "make element"),
          must(make_element(set_id::publish6_any, {proto, port}, {v6, port}),
               "make element")};
}

/// The floor of one more port: its elements in one transaction, with so many
/// others present.
samples raw_port(netns::kernel& kernel, int present, int count) {
  const auto rules = netns::firewall::settings_of(instance{1});
  auto all = std::vector<element>{};
  for (auto i = 0; i < present; ++i)
    for (auto& x : elements_of(static_cast<uint32_t>(1 + i % 65'000),
                               i < 65'000 ? protocol::tcp : protocol::sctp))
      all.push_back(std::move(x));
  must(kernel.load_firewall(rules, all), "load rules");
  auto steps = std::vector<netns::firewall::element_change>{};
  for (auto& x : elements_of(80, protocol::udp))
    steps.push_back({true, std::move(x)});
  auto took = samples{};
  for (auto i = 0; i < count; ++i) {
    for (auto& x : steps)
      x.add = true;
    auto watch = stopwatch{};
    must(kernel.change_elements(rules.table, steps), "add elements");
    took.add(watch.elapsed());
    for (auto& x : steps)
      x.add = false;
    must(kernel.change_elements(rules.table, steps), "remove elements");
  }
  must(kernel.remove_firewall(rules.table), "remove rules");
  return took;
}

/// @returns the median beside 1 000 others.
double measure_raw_ports(const setting& how, const subject& ours, report& out) {
  auto floor = double{0};
  ours.host().run([&] {
    auto kernel = must(netns::open_netlink_kernel("/run/troupe-floor"),
                       "open the kernel");
    for (auto present : {0, 1'000, 10'000, 50'000}) {
      auto took = raw_port(*kernel, present, 10 * how.round_size());
      out.add(timed("one port, elements alone",
                    fmt::format("{} present", present), took));
      if (present == 1'000)
        floor = in_ms(took.p50());
    }
  });
  return floor;
}

void measure_publish(const setting& how, subject& ours, report& out) {
  const auto floor_ms = measure_raw_ports(how, ours, out);
  auto sandboxes = std::vector<sandbox>{};
  ours.attach(1, sandboxes, 1);
  auto first = samples{};
  auto present = 0;
  for (auto wanted : fill_levels(how, {0, 1'000, 10'000, 50'000})) {
    for (; present < wanted; present += ports_each)
      ours.attach(1, sandboxes, ports_each);
    auto took = ours.publish(how.round_size(), sandboxes.front());
    auto line = timed("publish one port, embedded",
                      fmt::format("{} present", present), took);
    if (wanted == 0)
      first = took;
    line.to_floor = *line.p50_ms / floor_ms;
    line.goal = "flat (<= 1.2 x), <= 3 x the elements";
    line.reached = took.p50() <= 1.2 * first.p50() && *line.to_floor <= 3;
    out.add(line);
  }
  ours.remove(sandboxes);
}

void measure_restore(const setting& how, report& out) {
  if (how.trouped.empty())
    return;
  auto daemon = subject::behind_daemon(how.state_base, how.trouped);
  auto sandboxes = std::vector<sandbox>{};
  auto present = 0;
  for (auto wanted : fill_levels(how, {0, 1'000, 10'000})) {
    for (; present < wanted; present += ports_each)
      daemon->attach(1, sandboxes, ports_each);
    auto took = samples{};
    for (auto i = 0; i < 3; ++i)
      took.add(daemon->restart());
    auto line = timed("restart to ready with published ports",
                      fmt::format("{} ports", present), took);
    line.p99_ms.reset(); // Too few for that.
    out.add(line);
  }
  daemon->remove(sandboxes);
  daemon->settle();
}

} // namespace

void measure_ports(const setting& how, report& out) {
  auto ours = subject::embedded(how.state_base);
  measure_attach(how, *ours, out);
  measure_publish(how, *ours, out);
  ours.reset();
  measure_restore(how, out);
}

} // namespace troupe::bench
