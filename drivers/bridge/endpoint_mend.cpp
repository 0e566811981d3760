#include "troupe/drivers/bridge/endpoint_job.hpp"
#include "troupe/drivers/bridge/host_end.hpp"
#include "troupe/drivers/bridge/names.hpp"
#include "troupe/drivers/steps.hpp"

#include <fmt/format.h>

#include <cerrno>

namespace troupe::drivers {

using netns::link_info;
using netns::sysctl;

namespace {

tl::unexpected<error>
name_taken(const std::string& interface, const error& why) {
  return fail(ec::conflict,
              fmt::format("interface {} exists in the sandbox ({})", interface,
                          why.message),
              "choose another interface name with -o ifname=NAME");
}

} // namespace

result<void> endpoint_job::mend(const error& taken) {
  auto host_end = find_host_end(host_, owner_, wanted_.name, wanted_.id);
  if (!host_end)
    return fail(std::move(host_end.error()));
  if (!*host_end)
    return name_taken(wanted_.interface, taken);
  // Without an alias it is from a moment ago: nobody has used it yet.
  if ((*host_end)->alias.empty())
    undo_.push([this, index = (*host_end)->index] {
      (void)host_.del_link(index);
    });
  if (auto done = enter(); !done)
    return done;
  auto peer = find_peer();
  if (!peer)
    return fail(std::move(peer.error()));
  if (!*peer)
    return replace(**host_end);
  if (auto done = mend_host_end(**host_end); !done)
    return done;
  return mend_peer(**peer);
}

result<std::optional<link_info>> endpoint_job::find_peer() {
  auto links = inside_->links();
  if (!links)
    return fail(std::move(links.error()));
  auto best = std::optional<link_info>{};
  for (auto& link : *links) {
    if (link.kind != "veth")
      continue;
    auto has_name = link.name == wanted_.interface;
    auto has_mac = link.mac == wanted_.mac;
    if (has_name && has_mac)
      return std::optional{std::move(link)};
    if (has_mac || (has_name && !best))
      best = std::move(link);
  }
  return best;
}

result<void> endpoint_job::mend_host_end(const link_info& link) {
  auto change = netns::link_change{};
  change.name = wanted_.name;
  change.alias = wanted_.alias;
  change.group = wanted_.group;
  change.master = bridge_;
  change.mtu_bytes = wanted_.mtu_bytes;
  change.up = true;
  change.arp = true;
  change.port_blocked = false;
  if (auto done = change_link(host_, undo_, link, change); !done)
    return done;
  // A port that has just joined has the default flags.
  auto is_old_port = link.master == bridge_ && link.port;
  return change_port(host_, undo_, link.index,
                     is_old_port ? *link.port : netns::port_flags{},
                     wanted_.flags);
}

result<void> endpoint_job::mend_peer(const link_info& link) {
  auto change = netns::link_change{};
  change.name = wanted_.interface;
  change.mac = wanted_.mac;
  change.mtu_bytes = wanted_.mtu_bytes;
  change.arp = true;
  if (auto done = change_link(*inside_, undo_, link, change); !done)
    return done;
  if (wanted_.has_ipv6) {
    if (auto done = open_loopback(); !done)
      return done;
    for (auto key : {sysctl::ipv6_accept_ra, sysctl::ipv6_accept_redirects,
                     sysctl::ipv6_disable})
      if (auto done = change_sysctl(*inside_, undo_, key, wanted_.interface, 0);
          !done)
        return done;
  }
  auto raise = netns::link_change{};
  raise.up = true;
  if (auto done = change_link(*inside_, undo_, link, raise); !done)
    return done;
  if (auto done
      = add_missing_addresses(*inside_, undo_, link.index, wanted_.addresses);
      !done)
    return done;
  for (const auto& gateway : wanted_.gateways)
    if (auto done = change_default_route(*inside_, undo_, link.index, gateway);
        !done)
      return done;
  return {};
}

result<void> endpoint_job::replace(const link_info& old) {
  auto aside = netns::link_change{};
  aside.name = std::string{spare_lead} + wanted_.id.substr(0, 12);
  aside.group = owner_.trash_group();
  aside.master = 0;
  if (auto done = change_link(host_, undo_, old, aside); !done)
    return done;
  if (auto done = build(); !done) {
    if (done.error().os_error != EEXIST)
      return done;
    remove_half_made();
    return name_taken(wanted_.interface, done.error());
  }
  // The endpoint is as wanted. Should the old pair survive this, its group
  // says that it is to be deleted.
  (void)host_.del_link(old.index);
  return {};
}

} // namespace troupe::drivers
