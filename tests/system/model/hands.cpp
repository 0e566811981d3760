// What somebody else does on the host.

#include "troupe/tests/system/harness/command.hpp"
#include "troupe/tests/system/model/world.hpp"

#include <fstream>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::test::reach {

namespace {

std::string forwarding(const std::string& entry, bool v6, int value) {
  auto path = std::string{"/proc/sys/net/ipv"} + (v6 ? "6" : "4") + "/conf/"
              + entry + "/forwarding";
  return std::ofstream{path} << value << std::flush ? ""
                                                    : "cannot write " + path;
}

} // namespace

std::string world::interfere(const step& x) {
  auto name = [](char letter, int number) {
    return letter + std::to_string(number);
  };
  auto network = get("/v1/networks/" + name('n', x.network));
  auto endpoint = get("/v1/networks/" + name('n', x.network) + "/endpoints/"
                      + name('s', x.sandbox));
  auto key
    = get("/v1/sandboxes/" + name('s', x.sandbox)).value("key", std::string{});
  auto bridge = network.value("interface", "");
  auto end = endpoint.value("host_interface", "");
  auto v6 = x.v6 && now_.networks[static_cast<size_t>(x.network)].v6;
  auto* ip = v6 ? "-6" : "-4";
  auto ns = "--net=" + key;
  switch (x.by) {
  case hand::delete_route:
    return must(
      {"ip", ip, "route", "del", subnet_of(x.network, v6), "dev", bridge});
  case hand::flush_address:
    return must(
      {"ip", ip, "address", "flush", "dev", bridge, "scope", "global"});
  case hand::link_down:
    return must({"ip", "link", "set", end, "down"});
  case hand::link_renamed:
    return must({"ip", "link", "set", end, "name", "renamed"});
  case hand::link_moved:
    return must({"ip", "link", "set", end, "netns", "street"});
  case hand::link_deleted:
    return must({"ip", "link", "del", end});
  case hand::bridge_down:
    return must({"ip", "link", "set", bridge, "down"});
  case hand::bridge_deleted:
    return must({"ip", "link", "del", bridge});
  case hand::inside_route:
    return must({"nsenter", ns, "ip", ip, "route", "flush", "dev",
                 endpoint.value("interface", "")});
  case hand::inside_down:
    return must({"nsenter", ns, "ip", "link", "set",
                 endpoint.value("interface", ""), "down"});
  case hand::wrong_neighbour: {
    const auto* who = now_.find(x.sandbox, x.network);
    return must({"ip", "neighbour", "replace",
                 address_of(x.network, who->address, v6), "dev", bridge,
                 "lladdr", "02:00:00:00:00:cc", "nud", "permanent"});
  }
  case hand::pin_unmounted:
    return must({"umount", "-l", key});
  case hand::rules_flushed:
    return must({"nft", "flush", "ruleset"});
  case hand::proxy_killed:
    test::run({"pkill", "-KILL", "-x", "troupe-proxy"});
    return {};
  case hand::forwarding_off:
    return forwarding("all", x.v6, 0);
  case hand::bridge_forwarding_off:
    return forwarding(bridge, v6, 0);
  case hand::foreign_drop:
    return must({"nft", "add table inet site; add chain inet site forward { "
                        "type filter hook forward priority 10; policy drop; "
                        "}"});
  case hand::port_taken:
    return take_port();
  }
  return {};
}

std::string world::take_port() {
  test::run({"pkill", "-KILL", "-x", "troupe-proxy"});
  for (auto type : {SOCK_STREAM, SOCK_DGRAM}) {
    auto fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);
    auto at = sockaddr_in6{};
    at.sin6_family = AF_INET6;
    at.sin6_port = htons(8080);
    // If somebody else is as quick, he has it; that is fine.
    if (bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0
        && (type == SOCK_DGRAM || listen(fd, 8) == 0))
      taken_.push_back(fd);
    else
      ::close(fd);
  }
  return {};
}

// Takes back what was only to be told. What was mended needs nothing.
std::string world::undo(const step& x) {
  auto bridge = get("/v1/networks/n" + std::to_string(x.network))
                  .value("interface", std::string{});
  auto v6 = x.v6 && now_.networks[static_cast<size_t>(x.network)].v6;
  switch (x.by) {
  case hand::forwarding_off: {
    auto wrong = forwarding("all", x.v6, 1);
    return wrong;
  }
  case hand::bridge_forwarding_off:
    return forwarding(bridge, v6, 1);
  case hand::foreign_drop:
    return must({"nft", "delete table inet site"});
  case hand::port_taken:
    for (auto fd : taken_)
      ::close(fd);
    taken_.clear();
    return {};
  default:
    return {};
  }
}

} // namespace troupe::test::reach
