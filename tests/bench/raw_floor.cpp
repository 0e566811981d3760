#include "raw_floor.hpp"

#include "raw_netlink.hpp"
#include <array>
#include <cerrno>
#include <filesystem>
#include <thread>

#include <fcntl.h>
#include <net/if.h>
#include <sys/mount.h>
#include <unistd.h>

namespace troupe::bench {

namespace {

constexpr auto gateway = uint32_t{10} << 24 | uint32_t{88} << 16 | 1;
constexpr uint8_t subnet_length = 16;
constexpr auto group_size = 50;

std::string veth_name(int number) {
  return "fl" + std::to_string(number);
}

uint32_t group_of(int number) {
  return 1'000U + static_cast<uint32_t>(number / group_size);
}

/// Runs on a thread of its own, which may change its namespace as it likes.
template <class F>
void on_own_thread(const scratch_host& host, F f) {
  std::thread{[&] {
    host.run(f);
  }}.join();
}

} // namespace

raw_floor::raw_floor(std::string directory) : directory_{std::move(directory)} {
  std::filesystem::create_directories(directory_);
  on_own_thread(host_, [this] {
    // Ports without IPv6 send nothing by themselves.
    write_text("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
    auto socket = raw_socket{};
    auto requests = request_batch{};
    add_bridge(requests, "br0");
    socket.must(requests, "add bridge");
    bridge_ = static_cast<int>(::if_nametoindex("br0"));
    auto more = request_batch{};
    raise_link(more, bridge_);
    add_ipv4(more, bridge_, gateway, subnet_length);
    socket.must(more, "set up bridge");
  });
  idle_links_ = host_.links();
}

raw_floor::~raw_floor() {
  drop_pins(directory_);
}

std::string raw_floor::pin(int number) const {
  return directory_ + "/" + std::to_string(number);
}

void raw_floor::unpin(int number) const {
  auto path = pin(number);
  if (::umount2(path.c_str(), MNT_DETACH) != 0 || ::unlink(path.c_str()) != 0)
    die_errno("remove pin");
}

void raw_floor::attach_one(raw_socket& host, int number) {
  auto inside = enter_new_namespace();
  auto path = pin(number);
  auto file = netns::unique_fd{
    ::open(path.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
  if (!file
      || ::mount("/proc/thread-self/ns/net", path.c_str(), nullptr, MS_BIND,
                 nullptr)
           != 0)
    die_errno("pin namespace");
  write_text("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");

  auto address = gateway + 1 + static_cast<uint32_t>(number);
  auto mac = std::array<uint8_t, 6>{0x02,
                                    0x42,
                                    10,
                                    88,
                                    static_cast<uint8_t>(address >> 8),
                                    static_cast<uint8_t>(address)};
  auto link = request_batch{};
  add_veth(link, {.name = veth_name(number),
                  .peer_name = "eth0",
                  .peer_mac = mac.data(),
                  .peer_namespace = inside.get(),
                  .master = bridge_,
                  .group = group_of(number)});
  host.must(link, "add veth");

  auto peer = static_cast<int>(::if_nametoindex("eth0"));
  auto rest = request_batch{};
  raise_link(rest, 1);
  raise_link(rest, peer);
  add_ipv4(rest, peer, address, subnet_length);
  add_default_route(rest, gateway);
  raw_socket{}.must(rest, "set up inside");
}

samples raw_floor::attach(int first, int count) {
  auto result = samples{};
  on_own_thread(host_, [&] {
    auto host = raw_socket{};
    for (auto i = first; i < first + count; ++i) {
      auto watch = stopwatch{};
      attach_one(host, i);
      result.add(watch.elapsed());
    }
  });
  return result;
}

clock::duration raw_floor::detach_in_groups(int first, int count) {
  auto result = clock::duration{};
  on_own_thread(host_, [&] {
    auto host = raw_socket{};
    auto watch = stopwatch{};
    for (auto i = first; i < first + count; ++i) {
      if (i != first && group_of(i) == group_of(i - 1))
        continue;
      auto request = request_batch{};
      delete_group(request, group_of(i));
      host.must(request, "delete group");
    }
    result = watch.elapsed();
  });
  for (auto i = first; i < first + count; ++i)
    unpin(i);
  return result;
}

samples raw_floor::detach_singly(int first, int count) {
  auto result = samples{};
  on_own_thread(host_, [&] {
    auto host = raw_socket{};
    for (auto i = first; i < first + count; ++i) {
      auto request = request_batch{};
      delete_link(request, veth_name(i));
      auto watch = stopwatch{};
      host.must(request, "delete link");
      result.add(watch.elapsed());
    }
  });
  for (auto i = first; i < first + count; ++i)
    unpin(i);
  return result;
}

samples raw_floor::drop_namespaces(int first, int count) {
  auto result = samples{};
  for (auto i = first; i < first + count; ++i) {
    auto watch = stopwatch{};
    unpin(i);
    result.add(watch.elapsed());
  }
  return result;
}

void raw_floor::settle() {
  host_.settle(idle_links_);
}

} // namespace troupe::bench
