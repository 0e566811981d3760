#include "troupe/tools/cni/inspection.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/tools/cni/config.hpp"
#include "troupe/tools/cni/result.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <exception>
#include <fstream>
#include <ifaddrs.h>
#include <iterator>
#include <memory>
#include <set>
#include <sstream>

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>

namespace troupe::cni {

namespace {

// What the interface has, with lengths.
std::set<std::string> addresses_of(const std::string& interface, bool& is_up) {
  auto result = std::set<std::string>{};
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0)
    return result;
  auto all
    = std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)>{first, &::freeifaddrs};
  for (const auto* x = first; x != nullptr; x = x->ifa_next) {
    if (interface != x->ifa_name)
      continue;
    is_up = (x->ifa_flags & IFF_UP) != 0;
    if (x->ifa_addr == nullptr || x->ifa_netmask == nullptr)
      continue;
    auto bytes = [family = x->ifa_addr->sa_family](const sockaddr* from) {
      return family == AF_INET
               ? reinterpret_cast<const uint8_t*>(
                 &reinterpret_cast<const sockaddr_in*>(from)->sin_addr)
               : reinterpret_cast<const uint8_t*>(
                 &reinterpret_cast<const sockaddr_in6*>(from)->sin6_addr);
    };
    if (x->ifa_addr->sa_family != AF_INET && x->ifa_addr->sa_family != AF_INET6)
      continue;
    auto family
      = x->ifa_addr->sa_family == AF_INET ? ip_family::v4 : ip_family::v6;
    auto length = 0;
    for (auto i = 0; i < (family == ip_family::v4 ? 4 : 16); ++i)
      length += std::popcount(bytes(x->ifa_netmask)[i]);
    result.insert(to_string(
      interface_address{ip_address::from_bytes(family, bytes(x->ifa_addr)),
                        static_cast<uint8_t>(length)}));
  }
  return result;
}

// The kernel's table for people: destination and mask are zero.
bool has_default_v4() {
  auto in = std::ifstream{"/proc/thread-self/net/route"};
  auto line = std::string{};
  std::getline(in, line);
  while (std::getline(in, line)) {
    auto words = std::istringstream{line};
    auto all
      = std::vector<std::string>{std::istream_iterator<std::string>{words}, {}};
    if (all.size() > 7 && all[1] == "00000000" && all[7] == "00000000")
      return true;
  }
  return false;
}

// `::/0` through a gateway; the kernel's own of `lo` has none.
bool has_default_v6() {
  auto in = std::ifstream{"/proc/thread-self/net/ipv6_route"};
  for (auto line = std::string{}; std::getline(in, line);) {
    auto words = std::istringstream{line};
    auto all
      = std::vector<std::string>{std::istream_iterator<std::string>{words}, {}};
    const auto none = std::string(32, '0');
    if (all.size() > 9 && all[0] == none && all[1] == "00" && all[4] != none)
      return true;
  }
  return false;
}

// Seen from inside.
std::string difference_here(const promised& what) {
  auto is_up = false;
  const auto quoted_name = quoted(what.interface);
  if (::if_nametoindex(what.interface.c_str()) == 0)
    return "interface " + quoted_name + " is gone";
  auto addresses = addresses_of(what.interface, is_up);
  if (!is_up)
    return "interface " + quoted_name + " is down";
  if (auto link = link_on_host(what.interface);
      !what.mac.empty() && link.mac != what.mac)
    return "interface " + quoted_name + " has MAC address " + link.mac
           + ", not " + what.mac;
  for (const auto& x : what.addresses)
    if (!addresses.contains(x))
      return "interface " + quoted_name + " has no address " + x;
  if (what.default_v4 && !has_default_v4())
    return "there is no IPv4 default route";
  if (what.default_v6 && !has_default_v6())
    return "there is no IPv6 default route";
  return {};
}

std::string text(const json& x, const char* key) {
  const auto& found = member(x, key);
  return found.is_string() ? found.get<std::string>() : std::string{};
}

} // namespace

outcome<promised> read_promise(const json& document, const environment& env) {
  const auto& previous = member(document, "prevResult");
  if (!previous.is_object())
    return fails(code::bad_config, "CHECK: \"prevResult\" is missing");
  auto result = promised{env.ifname, {}, {}, false, false};
  const auto& interfaces = member(previous, "interfaces");
  auto index = size_t{0};
  auto found = false;
  for (size_t i = 0; interfaces.is_array() && i < interfaces.size(); ++i)
    if (text(interfaces[i], "name") == env.ifname
        && !text(interfaces[i], "sandbox").empty()) {
      index = i;
      found = true;
      result.mac = text(interfaces[i], "mac");
    }
  if (!found)
    return fails(code::bad_config, "CHECK: interface " + quoted(env.ifname)
                                     + " is not in \"prevResult\"");
  const auto& ips = member(previous, "ips");
  for (size_t i = 0; ips.is_array() && i < ips.size(); ++i)
    if (member(ips[i], "interface") == index) {
      auto parsed = interface_address::parse(text(ips[i], "address"));
      if (!parsed)
        return fails(code::bad_config,
                     "CHECK: \"prevResult\": " + parsed.error().message);
      result.addresses.push_back(to_string(*parsed));
    }
  const auto& routes = member(previous, "routes");
  for (size_t i = 0; routes.is_array() && i < routes.size(); ++i) {
    result.default_v4 |= text(routes[i], "dst") == "0.0.0.0/0";
    result.default_v6 |= text(routes[i], "dst") == "::/0";
  }
  return result;
}

std::string
difference(const adapter::open_namespace& where, const promised& what) {
  auto own = netns::unique_fd{
    ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
  if (!own || ::setns(where.fd.get(), CLONE_NEWNET) != 0)
    return os_failure(errno, "enter namespace " + quoted(where.path)).message;
  auto result = difference_here(what);
  // What follows would look for the daemon's links in a container.
  if (::setns(own.get(), CLONE_NEWNET) != 0)
    std::terminate();
  return result;
}

} // namespace troupe::cni
