#include "troupe/actors/forwarding.hpp"

#include "troupe/actors/log.hpp"
#include "troupe/drivers/steps.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace troupe {

namespace {

using netns::sysctl;

constexpr auto families = {ip_family::v4, ip_family::v6};

sysctl key_of(ip_family family) {
  return family == ip_family::v4 ? sysctl::ipv4_forwarding
                                 : sysctl::ipv6_forwarding;
}

} // namespace

std::string forwarding_setting(ip_family family, const std::string& interface) {
  const auto v4 = family == ip_family::v4;
  if (v4 && interface == "all")
    return "net.ipv4.ip_forward";
  return fmt::format("net.{}.conf.{}.forwarding", v4 ? "ipv4" : "ipv6",
                     interface);
}

bool forwarding::is_needed(ip_family family) const {
  return std::ranges::any_of(needs_, [&](const auto& x) {
    return family == ip_family::v4 ? x.second.v4 : x.second.v6;
  });
}

void forwarding::note(const drivers::driver& driver,
                      const network_spec& network) {
  const auto v4 = driver.needs_forwarding(network, ip_family::v4);
  const auto v6 = driver.needs_forwarding(network, ip_family::v6);
  if (v4 || v6)
    needs_.insert_or_assign(network.id, need{v4, v6});
}

result<void>
forwarding::open(const drivers::driver& driver, const network_spec& network) {
  for (auto family : families)
    if (driver.needs_forwarding(network, family))
      if (auto done = open(family, network); !done)
        return done;
  note(driver, network);
  return {};
}

result<void> forwarding::open(ip_family family, const network_spec& network) {
  auto now = kernel_.read_sysctl(key_of(family), "all");
  if (!now)
    return fail(std::move(now.error()));
  if (*now != 0)
    return {};
  const auto name = forwarding_setting(family);
  if (!may_change_)
    return fail(ec::forbidden,
                fmt::format("network {}: the host does not forward {} packets",
                            quoted(network.name),
                            family == ip_family::v4 ? "IPv4" : "IPv6"),
                fmt::format("sysctl -w {}=1, or start with --ip-forward, or "
                            "make the network internal",
                            name));
  if (auto done = kernel_.set_sysctl(key_of(family), "all", 1); !done)
    return done;
  log().warn("network {}: switched {} on", quoted(network.name), name);
  notes_.push_back(fmt::format("{} was switched on for network {}", name,
                               quoted(network.name)));
  return {};
}

// IPv6 knows one switch for all links, and per link only whether it is a
// router's.
result<std::vector<finding>> forwarding::mend() {
  auto found = std::vector<finding>{};
  for (auto family : families)
    if (is_needed(family))
      if (auto done = mend_one(family, "all", found); !done)
        return fail(std::move(done.error()));
  if (!is_needed(ip_family::v4)
      || std::ranges::any_of(found, [](const finding& x) {
           return !x.repaired;
         }))
    return found;
  auto routes = kernel_.routes();
  if (!routes)
    return fail(std::move(routes.error()));
  auto uplinks = std::set<int>{};
  for (const auto& x : *routes)
    if (x.family == ip_family::v4 && !x.destination && x.index != 0)
      uplinks.insert(x.index);
  for (auto index : uplinks) {
    auto link = kernel_.link(index);
    if (!link && drivers::is_missing(link.error()))
      continue;
    if (!link)
      return fail(std::move(link.error()));
    if (auto done = mend_one(ip_family::v4, link->name, found); !done)
      return fail(std::move(done.error()));
  }
  return found;
}

result<void>
forwarding::mend_one(ip_family family, const std::string& interface,
                     std::vector<finding>& found) {
  auto now = kernel_.read_sysctl(key_of(family), interface);
  if (!now && drivers::is_missing(now.error()))
    return {}; // The link has gone, or never had that family.
  if (!now)
    return fail(std::move(now.error()));
  if (*now != 0)
    return {};
  const auto name = forwarding_setting(family, interface);
  auto result
    = finding{"host", name + " is off", "", false, "sysctl -w " + name + "=1"};
  if (may_change_) {
    result.repair = "switch it on";
    auto done = kernel_.set_sysctl(key_of(family), interface, 1);
    result.repaired = done.has_value();
    if (!done)
      result.failure = done.error().message;
  }
  found.push_back(std::move(result));
  return {};
}

} // namespace troupe
