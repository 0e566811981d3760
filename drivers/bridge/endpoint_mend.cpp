#include "troupe/drivers/address_routes.hpp"
#include "troupe/drivers/bridge/endpoint_job.hpp"
#include "troupe/drivers/bridge/host_end.hpp"
#include "troupe/drivers/bridge/names.hpp"
#include "troupe/drivers/bridge/neighbours.hpp"
#include "troupe/drivers/steps.hpp"
#include "troupe/drivers/tags.hpp"
#include "troupe/netns/link_local.hpp"

#include <fmt/format.h>

#include <cerrno>

namespace troupe::drivers {

using netns::link_info;

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
    return replace_orphan(taken);
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
  return mend_peer(**peer, (*host_end)->index);
}

result<void> endpoint_job::replace_orphan(const error& taken) {
  if (auto done = enter(); !done)
    return done;
  auto peer = find_peer();
  if (!peer)
    return fail(std::move(peer.error()));
  auto is_ours
    = *peer
      && (*peer)->name == wanted_.interface && (*peer)->mac == wanted_.mac;
  if (!is_ours)
    return name_taken(wanted_.interface, taken);
  // Its other end goes with it, wherever it is.
  if (auto gone = inside_->del_link((*peer)->index);
      !gone && !is_missing(gone.error()))
    return gone;
  return build();
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
  if (auto done = change_port(host_, undo_, link.index,
                              is_old_port ? *link.port : netns::port_flags{},
                              wanted_.flags);
      !done)
    return done;
  auto bridge = find_master(host_, wanted_);
  if (!bridge)
    return fail(std::move(bridge.error()));
  if (!*bridge)
    return bind_mac(link.index);
  auto wrong = wrong_neighbours(host_, owner_, wanted_, **bridge);
  if (!wrong)
    return fail(std::move(wrong.error()));
  if (auto done = forget_neighbours(host_, *wrong); !done)
    return done;
  return bind_mac(link.index);
}

result<void> endpoint_job::mend_peer(const link_info& link, int host_end) {
  auto change = netns::link_change{};
  change.name = wanted_.interface;
  change.mac = wanted_.mac;
  change.mtu_bytes = wanted_.mtu_bytes;
  change.arp = true;
  if (auto done = change_link(*inside_, undo_, link, change); !done)
    return done;
  if (auto done = quieten(); !done)
    return done;
  auto raise = netns::link_change{};
  raise.up = true;
  if (auto done = change_link(*inside_, undo_, link, raise); !done)
    return done;
  if (auto done = add_missing_addresses(*inside_, undo_, link.index,
                                        wanted_.paths.addresses);
      !done)
    return done;
  if (auto done = mend_link_local(link); !done)
    return done;
  if (auto done = mend_gateways(link.index); !done)
    return done;
  if (auto done = mend_paths(*inside_, undo_, wanted_.paths, link.index); !done)
    return done;
  auto done = refuse_overlaps();
  if (!done && done.error().os_error == EEXIST) {
    if (done = remove_others(host_end); done)
      done = refuse_overlaps();
  }
  // What others added is no reason to undo what was mended.
  if (!done && done.error().code == ec::conflict && done.error().os_error == 0)
    undo_.commit();
  return done;
}

result<void> endpoint_job::mend_gateways(int index) {
  auto bridge = find_master(host_, wanted_);
  if (!bridge)
    return fail(std::move(bridge.error()));
  if (!*bridge)
    return {};
  auto wrong = wrong_gateways(*inside_, index, wanted_, **bridge);
  if (!wrong)
    return fail(std::move(wrong.error()));
  return forget_neighbours(*inside_, *wrong);
}

// The guard drops what comes from one of another MAC address, and the kernel
// takes the oldest for asking.
result<void> endpoint_job::mend_link_local(const link_info& link) {
  const auto& wanted = wanted_.paths.link_local;
  if (!wanted)
    return {};
  if (link.mac != wanted_.mac)
    if (auto done = drop_link_local(*inside_, undo_, link.index,
                                    netns::link_local_of(link.mac));
        !done)
      return done;
  return add_link_local(*inside_, undo_, link.index, *wanted);
}

// Pairs from before, renamed, that this one stands for.
result<void> endpoint_job::remove_others(int host_end) {
  auto links = host_.links();
  if (!links)
    return fail(std::move(links.error()));
  for (const auto& x : *links) {
    if (x.kind != "veth" || x.index == host_end
        || tagged_id(owner_, x.alias) != wanted_.id)
      continue;
    if (auto gone = host_.del_link(x.index); !gone && !is_missing(gone.error()))
      return gone;
  }
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
