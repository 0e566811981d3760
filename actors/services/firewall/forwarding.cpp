#include "troupe/actors/services/firewall/forwarding.hpp"

#include "troupe/actors/api/log.hpp"
#include "troupe/drivers/steps.hpp"

#include <fmt/format.h>

#include <algorithm>

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
  if (*now != 0) {
    router_.insert(family);
    return {};
  }
  const auto name = forwarding_setting(family);
  if (!policy_.may_switch_on)
    return fail(ec::forbidden,
                fmt::format("network {}: the host does not forward {} packets",
                            quoted(network.name),
                            family == ip_family::v4 ? "IPv4" : "IPv6"),
                fmt::format("sysctl -w {}=1, or start with --ip-forward, or "
                            "make the network internal",
                            name));
  if (auto done = switch_on(family); !done)
    return done;
  log().warn("network {}: switched {} on", quoted(network.name), name);
  note(fmt::format("{} was switched on for network {}", name,
                   quoted(network.name)));
  return {};
}

void forwarding::note(std::string what) {
  if (std::ranges::find(notes_, what) == notes_.end())
    notes_.push_back(std::move(what));
}

// All of it or nothing.
result<void> forwarding::switch_on(ip_family family) {
  auto undo = netns::undo_stack{};
  // Where somebody only has switched it off meanwhile, the host is a router.
  if (policy_.drop_others && !router_.contains(family))
    if (auto done = drop_others(undo, family); !done)
      return done;
  auto kept = std::vector<std::string>{};
  if (family == ip_family::v6) {
    auto changed = keep_advertised_routes(undo);
    if (!changed)
      return fail(std::move(changed.error()));
    kept = std::move(*changed);
  }
  if (auto done
      = drivers::change_sysctl(kernel_, undo, key_of(family), "all", 1);
      !done)
    return done;
  if (auto done = switch_links_on(family); !done)
    return done;
  undo.commit();
  for (const auto& link : kept) {
    log().warn("set net.ipv6.conf.{}.accept_ra to 2: a host that forwards "
               "would lose its routes from router advertisements",
               link);
    note(fmt::format("net.ipv6.conf.{}.accept_ra was set to 2, so that routes "
                     "from router advertisements stay",
                     link));
  }
  return {};
}

// Of two that switch IPv4 on at the same time one may make the kernel believe
// that this is done: while it waits for a lock it takes back what it has
// written, or what the other has. Then the switch is on and all links are off,
// `default` as well.
result<void> forwarding::switch_links_on(ip_family family) {
  if (family != ip_family::v4)
    return {};
  auto spread = kernel_.read_sysctl(sysctl::ipv4_forwarding, "default");
  if (!spread)
    return fail(std::move(spread.error()));
  if (*spread != 0)
    return {};
  auto links = kernel_.links();
  if (!links)
    return fail(std::move(links.error()));
  auto names = std::vector<std::string>{"default"};
  for (const auto& x : *links)
    names.push_back(x.name);
  for (const auto& x : names)
    if (auto done = kernel_.set_sysctl(sysctl::ipv4_forwarding, x, 1);
        !done && !drivers::is_missing(done.error()))
      return done;
  return {};
}

result<void>
forwarding::drop_others(netns::undo_stack& undo, ip_family family) {
  auto closed = netns::firewall::make_element(
    netns::firewall::set_id::no_router, {family});
  if (!closed)
    return fail(std::move(closed.error()));
  if (is_closed(family))
    return {};
  undo.push([this, before = closed_] {
    closed_ = before;
    (void)close_(before, true);
  });
  auto wanted = closed_;
  wanted.push_back(std::move(*closed));
  if (auto done = close_(wanted, false); !done)
    return done;
  closed_ = std::move(wanted);
  undo.push([this, before = notes_] {
    notes_ = before;
  });
  note_closed(family);
  return {};
}

bool forwarding::is_closed(ip_family family) const {
  auto closed = netns::firewall::make_element(
    netns::firewall::set_id::no_router, {family});
  return closed && std::ranges::find(closed_, *closed) != closed_.end();
}

void forwarding::note_closed(ip_family family) {
  note(fmt::format("the host forwards {} for Troupe's networks alone: packets "
                   "between other links are dropped (ip-forward-no-drop lets "
                   "them pass)",
                   family == ip_family::v4 ? "IPv4" : "IPv6"));
}

// A host that forwards does not listen to router advertisements, and forgets
// the routes that it has from them, unless its links say 2.
result<std::vector<std::string>>
forwarding::keep_advertised_routes(netns::undo_stack& undo) {
  auto changed = std::vector<std::string>{};
  auto links = kernel_.links();
  if (!links)
    return fail(std::move(links.error()));
  auto names = std::vector<std::string>{"default"}; // Of links to come.
  for (const auto& x : *links)
    if ((x.group & ~1U) != group_ && x.name != "lo")
      names.push_back(x.name);
  for (const auto& x : names) {
    auto now = kernel_.read_sysctl(sysctl::ipv6_accept_ra, x);
    if (!now || *now != 1)
      continue; // A link without IPv6, or one that went.
    auto done
      = drivers::change_sysctl(kernel_, undo, sysctl::ipv6_accept_ra, x, 2);
    if (!done && !drivers::is_missing(done.error()))
      return fail(std::move(done.error()));
    if (done)
      changed.push_back(x);
  }
  return changed;
}

forwarding::elements
forwarding::recall(const persistence::forwarding_record& recorded) {
  if (!policy_.drop_others)
    return closed_;
  if (auto there = kernel_.list_elements(table_)) {
    std::erase_if(*there, [](const auto& x) {
      return x.set != netns::firewall::set_id::no_router;
    });
    closed_ = std::move(*there);
  }
  for (auto family : families) {
    const auto was_closed
      = family == ip_family::v4 ? recorded.ipv4 : recorded.ipv6;
    auto element = netns::firewall::make_element(
      netns::firewall::set_id::no_router, {family});
    if (was_closed && !is_closed(family) && element)
      closed_.push_back(std::move(*element));
    if (is_closed(family))
      note_closed(family);
  }
  return closed_;
}

// IPv6 knows one switch for all links, and per link only whether it is a
// router's.
result<std::vector<finding>> forwarding::compare(bool repair) {
  auto found = std::vector<finding>{};
  for (auto family : families)
    if (is_needed(family))
      if (auto done = compare_one(family, "all", repair, found); !done)
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
    if (auto done = compare_one(ip_family::v4, link->name, repair, found);
        !done)
      return fail(std::move(done.error()));
  }
  return found;
}

result<void>
forwarding::compare_one(ip_family family, const std::string& interface,
                        bool repair, std::vector<finding>& found) {
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
  if (repair) {
    result.repair = "switch it on";
    auto done = interface == "all"
                  ? switch_on(family)
                  : kernel_.set_sysctl(key_of(family), interface, 1);
    result.repaired = done.has_value();
    if (!done)
      result.failure = done.error().message;
  }
  found.push_back(std::move(result));
  return {};
}

} // namespace troupe
