// What publishing costs: 1 and 50 ports, with none and with 1 000 present, by
// the real sockets and the real proxy, in a network namespace of its own.
// Usage: bench_ports RUN_DIR PROXY_PROGRAM

#include "troupe/drivers/publish/port_book.hpp"
#include "troupe/netns/ports/proxy_client.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <sched.h>

namespace {

using namespace troupe;
using clock_type = std::chrono::steady_clock;

constexpr auto rounds = 100;
constexpr auto owners_present = 10;
constexpr auto ports_present = 50; // Each, in both families.

drivers::publisher endpoint(char digit) {
  return {endpoint_id{std::string(64, digit)}, std::string{"bench-"} + digit,
          *ip_address::parse("172.19.0.2"), std::nullopt};
}

std::vector<port_spec> wishes(int count) {
  auto result = std::vector<port_spec>(static_cast<size_t>(count));
  for (auto i = 0; i < count; ++i)
    result[static_cast<size_t>(i)].port = static_cast<uint16_t>(80 + i);
  return result;
}

double microseconds(clock_type::duration x) {
  return std::chrono::duration<double, std::micro>(x).count();
}

void print(const char* what, int ports, int present, std::vector<double> xs) {
  std::sort(xs.begin(), xs.end());
  std::printf("%-8s %2d ports, %4d present: p50 %7.0f us, p99 %7.0f us\n", what,
              ports, present, xs[xs.size() / 2], xs[xs.size() * 99 / 100]);
}

bool measure(drivers::port_book& book, int ports, int present) {
  auto published = std::vector<double>{};
  auto released = std::vector<double>{};
  auto owner = endpoint('a');
  for (auto i = 0; i < rounds; ++i) {
    auto wanted = wishes(ports);
    auto begin = clock_type::now();
    auto bindings = book.publish(owner, wanted, {});
    auto middle = clock_type::now();
    auto gone = book.release(owner.id);
    auto end = clock_type::now();
    if (!bindings || !gone) {
      std::fprintf(stderr, "%s\n",
                   bindings ? gone.error().message.c_str()
                            : bindings.error().message.c_str());
      return false;
    }
    published.push_back(microseconds(middle - begin));
    released.push_back(microseconds(end - middle));
  }
  print("publish", ports, present, std::move(published));
  print("release", ports, present, std::move(released));
  return true;
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 3 || ::unshare(CLONE_NEWNET) != 0
      || std::system("ip link set lo up") != 0) {
    std::fputs("usage, as root: bench_ports RUN_DIR PROXY_PROGRAM\n", stderr);
    return 2;
  }
  auto settings = netns::proxy_settings{};
  settings.run_dir = argv[1];
  settings.program = argv[2];
  settings.idle_s = 1;
  auto book = drivers::port_book{netns::make_port_sockets(),
                                 netns::make_proxy_client(settings)};
  auto ok = measure(book, 1, 0) && measure(book, 50, 0);
  for (auto i = 0; ok && i < owners_present; ++i)
    ok = book
           .publish(endpoint(static_cast<char>('0' + i)), wishes(ports_present),
                    {})
           .has_value();
  ok = ok && measure(book, 1, 1'000) && measure(book, 50, 1'000);
  for (auto i = 0; i < owners_present; ++i)
    ok = book.release(endpoint(static_cast<char>('0' + i)).id) && ok;
  return ok ? 0 : 1;
}
