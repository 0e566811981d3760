// How long changes of the firewall take, by how much is there already. Prints a
// table for docs/firewall.md. Needs root; touches only a namespace of its own.

#include "troupe/netns/real/kernel.hpp"
#include "troupe/tests/fixtures/scratch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

namespace {

using namespace troupe;
using namespace netns::firewall;
using changes = std::vector<element_change>;

constexpr auto table = "troupe_0a1b2c";

// Beyond the ports that are there already.
constexpr auto first_free = uint16_t{60000};

element port(uint16_t number) {
  auto target = ip_address::from_number(ip_family::v4, 0x0a010002);
  return make_element(set_id::publish4_any, {protocol::tcp, number},
                      {target, uint16_t{80}})
    .value();
}

changes ports(uint16_t from, size_t count, bool add) {
  auto result = changes{};
  for (size_t i = 0; i < count; ++i)
    result.push_back({add, port(static_cast<uint16_t>(from + i))});
  return result;
}

void must(const result<void>& done) {
  if (done)
    return;
  std::fprintf(stderr, "%s\n", done.error().message.c_str());
  std::exit(1);
}

// Microseconds of one run.
double time_of(const std::function<void()>& run) {
  auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double, std::micro>{
    std::chrono::steady_clock::now() - start}
    .count();
}

std::string show(std::vector<double>& xs) {
  std::ranges::sort(xs);
  return fmt::format("{:.1f} / {:.1f}", xs[xs.size() / 2],
                     xs[xs.size() * 99 / 100]);
}

// A row: adding and deleting transactions of `count` elements.
std::pair<std::string, std::string>
measure(netns::kernel& kernel, size_t count, int runs) {
  auto adds = std::vector<double>{};
  auto deletes = std::vector<double>{};
  auto add = ports(first_free, count, true);
  auto del = ports(first_free, count, false);
  for (int i = 0; i < runs; ++i) {
    adds.push_back(time_of([&] {
      must(kernel.change_elements(table, add));
    }));
    deletes.push_back(time_of([&] {
      must(kernel.change_elements(table, del));
    }));
  }
  return {show(adds), show(deletes)};
}

void measure_all(netns::kernel& kernel) {
  fmt::print("| present | add 1, p50 / p99 µs | delete 1 | add 50 | delete 50 "
             "| list all, ms | load all, ms | load again, ms |\n"
             "|---|---|---|---|---|---|---|---|\n");
  for (auto present : {0U, 1000U, 10000U, 50000U}) {
    auto wanted = std::vector<element>{};
    for (auto i = 0U; i < present; ++i)
      wanted.push_back(port(static_cast<uint16_t>(i + 1)));
    auto load = [&] {
      must(kernel.load_firewall({table, {}, instance{}.link_group()}, wanted));
    };
    must(kernel.remove_firewall(table));
    auto load_us = time_of(load);
    auto [add, del] = measure(kernel, 1, 2000);
    auto [add_many, del_many] = measure(kernel, 50, 300);
    auto list_us = time_of([&] {
      if (kernel.list_elements(table).value().size() != present)
        std::exit(1);
    });
    auto again_us = time_of(load);
    fmt::print("| {} | {} | {} | {} | {} | {:.1f} | {:.0f} | {:.0f} |\n",
               present, add, del, add_many, del_many, list_us / 1000,
               load_us / 1000, again_us / 1000);
  }
}

} // namespace

int main() {
  auto run_dir = std::string{};
  if (auto why = test::enter_scratch(run_dir); !why.empty()) {
    std::fprintf(stderr, "%s\n", why.c_str());
    return 77;
  }
  auto kernel = netns::open_netlink_kernel(run_dir + "/netns");
  if (!kernel)
    return 1;
  measure_all(**kernel);
  return 0;
}
