#include "report.hpp"

#include "troupe/config/model/json.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <thread>
#include <type_traits>

#include <sys/utsname.h>
#include <unistd.h>

namespace troupe::bench {

namespace {

std::string
cell(const std::optional<double>& x, const char* unit, int decimals) {
  return x ? fmt::format("{:.{}f} {}", *x, decimals, unit) : std::string{};
}

/// Memory and rates share a column, no row has both.
std::string amount(const row& x) {
  return x.kib ? cell(x.kib, "KiB", 1) : cell(x.rate, "/s", 0);
}

std::string verdict(const row& x) {
  if (!x.reached)
    return {};
  return *x.reached ? "yes" : "NO";
}

std::string line(const row& x) {
  return fmt::format("  {:<28} {:>12} {:>12} {:>12} {:>8}  {:<24} {}\n", x.name,
                     cell(x.p50_ms, "ms", 3), cell(x.p99_ms, "ms", 3),
                     amount(x), cell(x.to_floor, "x", 2), x.goal, verdict(x));
}

json to_json(const row& x) {
  auto result = json{{"group", x.group}, {"name", x.name}};
  auto put = [&](const char* key, const std::optional<double>& value) {
    if (value)
      result[key] = *value;
  };
  put("p50_ms", x.p50_ms);
  put("p99_ms", x.p99_ms);
  put("rate_per_s", x.rate);
  put("memory_kib", x.kib);
  put("to_floor", x.to_floor);
  if (!x.goal.empty())
    result["goal"] = x.goal;
  if (x.reached)
    result["reached"] = *x.reached;
  return result;
}

row to_row(const json& x) {
  auto result = row{};
  auto get = [&](const char* key, auto& into) {
    if (auto found = x.find(key); found != x.end())
      into = found->get<std::decay_t<decltype(*into)>>();
  };
  result.group = x.at("group");
  result.name = x.at("name");
  get("p50_ms", result.p50_ms);
  get("p99_ms", result.p99_ms);
  get("rate_per_s", result.rate);
  get("memory_kib", result.kib);
  get("to_floor", result.to_floor);
  result.goal = x.value("goal", "");
  get("reached", result.reached);
  return result;
}

/// What one must know to compare two runs.
json machine() {
  auto name = utsname{};
  ::uname(&name);
  double load[1] = {0};
  ::getloadavg(load, 1);
  return {{"kernel", name.release},
          {"cpus", std::thread::hardware_concurrency()},
          {"load_at_end", load[0]},
          {"time", static_cast<int64_t>(std::time(nullptr))}};
}

} // namespace

double in_ms(microseconds x) {
  return x.count() / 1'000;
}

row timed(std::string group, std::string name, const samples& xs) {
  auto result = row{};
  result.group = std::move(group);
  result.name = std::move(name);
  result.p50_ms = in_ms(xs.p50());
  result.p99_ms = in_ms(xs.p99());
  return result;
}

report::report(bool quick, int to) : quick_{quick}, to_{to} {
}

void report::add(row x) {
  std::fprintf(stderr, "%s:%s", x.group.c_str(), line(x).c_str());
  if (to_ >= 0) {
    const auto text = to_json(x).dump() + "\n";
    if (::write(to_, text.data(), text.size()) < 0)
      std::perror("troupe_bench: hand row over");
  }
  rows_.push_back(std::move(x));
}

void report::take(const std::string& line) {
  rows_.push_back(to_row(troupe::json::parse(line)));
}

void report::miss(std::string scenario) {
  missed_.push_back(std::move(scenario));
}

std::string report::text() const {
  auto result
    = fmt::format("{:<30} {:>12} {:>12} {:>12} {:>8}  {:<24} {}\n", "", "p50",
                  "p99", "rate/memory", "to floor", "goal", "reached");
  auto group = std::string{};
  for (const auto& x : rows_) {
    if (x.group != group)
      result += x.group + "\n";
    group = x.group;
    result += line(x);
  }
  for (const auto& x : missed_)
    result += x + " FAILED: what it had measured until then is above\n";
  return result;
}

std::string report::json() const {
  auto rows = troupe::json::array();
  for (const auto& x : rows_)
    rows.push_back(to_json(x));
  auto result = troupe::json{{"quick", quick_},
                             {"machine", machine()},
                             {"rows", std::move(rows)},
                             {"failed", missed_}};
  return dump(result, 2) + "\n";
}

} // namespace troupe::bench
