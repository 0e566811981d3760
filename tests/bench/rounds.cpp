#include <fmt/format.h>

#include "raw_floor.hpp"
#include "scenarios.hpp"
#include "subject.hpp"
#include <algorithm>

namespace troupe::bench {

namespace {

constexpr auto client_count = 8;
constexpr auto at_once = 100;

/// A lone deletion waits for 20 to 35 ms; a few tell enough.
constexpr auto single_deletes = 20;

/// Everything that was measured of one contestant.
struct measured {
  samples attach;
  samples detach;
  samples remove;
  samples attach_clients; ///< Each as its client saw it.
  clock::duration clients_took{};
  clock::duration at_once_took{};
  size_t clients_count = 0;
  size_t at_once_count = 0;

  double clients_rate() const {
    return per_second(clients_count, clients_took);
  }
  double at_once_rate() const {
    return per_second(at_once_count, at_once_took);
  }
};

void floor_round(raw_floor& floor, int count, measured& into) {
  // One thread: more of them only wait for the kernel's one lock.
  auto watch = stopwatch{};
  into.attach.add(floor.attach(0, count));
  into.clients_took += watch.elapsed();
  into.clients_count += static_cast<size_t>(count);
  into.remove.add(floor.drop_namespaces(0, count));
  floor.settle();

  floor.attach(0, single_deletes);
  into.detach.add(floor.detach_singly(0, single_deletes));
  floor.settle();

  floor.attach(0, at_once);
  into.at_once_took += floor.detach_in_groups(0, at_once);
  into.at_once_count += at_once;
  floor.settle();
}

void subject_round(subject& x, int count, measured& into) {
  auto sandboxes = std::vector<sandbox>{};
  into.attach.add(x.attach(count, sandboxes));
  into.remove.add(x.remove(sandboxes));
  x.settle();

  x.attach(single_deletes, sandboxes);
  into.detach.add(x.detach(sandboxes));
  x.remove(sandboxes);
  x.settle();

  auto watch = stopwatch{};
  into.attach_clients.add(x.attach_at_once(count, client_count, sandboxes));
  into.clients_took += watch.elapsed();
  into.clients_count += static_cast<size_t>(count);
  x.remove(sandboxes);
  x.settle();

  x.attach(at_once, sandboxes);
  into.at_once_took += x.detach_at_once(sandboxes);
  into.at_once_count += at_once;
  x.remove(sandboxes);
  x.settle();
}

/// A contestant by name; the floor's comes first.
struct contestant {
  std::string name;
  measured what;
  bool remote = false; ///< Behind the daemon's API.
};

double ratio(microseconds x, microseconds floor) {
  return floor.count() > 0 ? x / floor : 0;
}

void report_attach(const measured& floor, const contestant& x, report& out) {
  auto line = timed("attach, one client", x.name, x.what.attach);
  line.to_floor = ratio(x.what.attach.p50(), floor.attach.p50());
  if (x.remote) {
    line.goal = "p50 <= floor + 0.5 ms";
    line.reached
      = in_ms(x.what.attach.p50()) <= in_ms(floor.attach.p50()) + 0.5;
    out.add(line);
    return;
  }
  line.goal = "p50 <= 1.3 x";
  line.reached = *line.to_floor <= 1.3;
  out.add(line);
  auto tail = line;
  tail.name += ", p99";
  tail.p50_ms.reset();
  tail.to_floor = ratio(x.what.attach.p99(), floor.attach.p99());
  tail.goal = "p99 <= 2 x";
  tail.reached = *tail.to_floor <= 2;
  out.add(tail);
}

void report_clients(const measured& floor, const contestant& x, report& out) {
  auto line = timed("attach, eight clients", x.name, x.what.attach_clients);
  line.rate = x.what.clients_rate();
  line.to_floor = floor.clients_rate() / *line.rate;
  line.goal = "rate >= 0.85 x";
  line.reached = *line.rate >= 0.85 * floor.clients_rate();
  out.add(line);
}

void report_detach(const measured& floor, const contestant& x, report& out) {
  auto line
    = timed("detach from a live sandbox, one by one", x.name, x.what.detach);
  line.to_floor = ratio(x.what.detach.p50(), floor.detach.p50());
  line.goal = "<= a single delete";
  // The same deletion twice does not take the same time twice.
  line.reached = *line.to_floor <= 1.05;
  out.add(line);
}

void report_at_once(const measured& floor, const contestant& x, report& out) {
  auto line = row{};
  line.group = "detach of 100 live sandboxes at once";
  line.name = x.name;
  line.rate = x.what.at_once_rate();
  line.to_floor = floor.at_once_rate() / *line.rate;
  line.goal = "rate >= 0.7 x";
  line.reached = *line.rate >= 0.7 * floor.at_once_rate();
  out.add(line);
}

void report_remove(const measured& floor, const contestant& x, report& out) {
  auto line = timed("sandbox removed with its endpoint", x.name, x.what.remove);
  line.to_floor = ratio(x.what.remove.p50(), floor.remove.p50());
  line.goal = "p50 <= 0.5 ms";
  line.reached = in_ms(x.what.remove.p50()) <= 0.5;
  out.add(line);
}

row rate_row(std::string group, double rate) {
  auto result = row{};
  result.group = std::move(group);
  result.name = "floor";
  result.rate = rate;
  return result;
}

void report_all(const measured& floor, const std::vector<contestant>& xs,
                report& out) {
  auto each = [&](auto f) {
    for (const auto& x : xs)
      f(floor, x, out);
  };
  out.add(timed("attach, one client", "floor", floor.attach));
  each(report_attach);
  out.add(rate_row("attach, eight clients", floor.clients_rate()));
  each(report_clients);
  out.add(
    timed("detach from a live sandbox, one by one", "floor", floor.detach));
  each(report_detach);
  out.add(
    rate_row("detach of 100 live sandboxes at once", floor.at_once_rate()));
  each(report_at_once);
  out.add(timed("sandbox removed with its endpoint", "floor", floor.remove));
  each(report_remove);
}

} // namespace

void measure_rounds(const setting& how, report& out) {
  auto floor = raw_floor{"/run/floor"};
  auto floor_measured = measured{};
  auto subjects = std::vector<std::unique_ptr<subject>>{};
  auto results = std::vector<contestant>{};
  subjects.push_back(subject::embedded(how.state_base));
  results.push_back({"embedded", {}, false});
  if (!how.trouped.empty()) {
    subjects.push_back(subject::behind_daemon(how.state_base, how.trouped));
    results.push_back({"daemon", {}, true});
  }
  // The first round warms caches and thread pools and is thrown away.
  for (auto round = 0; round <= how.rounds(); ++round) {
    auto scratch = measured{};
    floor_round(floor, how.round_size(), round == 0 ? scratch : floor_measured);
    for (size_t i = 0; i < subjects.size(); ++i)
      subject_round(*subjects[i], how.round_size(),
                    round == 0 ? scratch : results[i].what);
  }
  report_all(floor_measured, results, out);
}

} // namespace troupe::bench
