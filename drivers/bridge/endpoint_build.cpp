#include "troupe/drivers/bridge/endpoint.hpp"
#include "troupe/drivers/bridge/endpoint_job.hpp"
#include "troupe/drivers/inside/overlaps.hpp"
#include "troupe/drivers/steps.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>

namespace troupe::drivers {

using netns::sysctl;

namespace {

error explain(error why, const wanted_endpoint& wanted) {
  if (why.os_error == EXFULL) {
    why.code = ec::unavailable;
    why.message = fmt::format("bridge {}: has 1023 ports, as many as the "
                              "kernel allows",
                              wanted.bridge);
    why.hint = "put the endpoint into another network";
  }
  return why;
}

} // namespace

result<void>
create_bridge_endpoint(netns::kernel& kernel, const instance& owner,
                       const wanted_endpoint& wanted) {
  auto done = endpoint_job{kernel, owner, wanted}.run();
  if (!done)
    return fail(with_context(explain(std::move(done.error()), wanted),
                             "create endpoint " + wanted.id.substr(0, 12)));
  return done;
}

result<void> endpoint_job::run() {
  auto bridge = host_.link_index(wanted_.bridge);
  if (!bridge) {
    if (is_missing(bridge.error()))
      bridge.error().hint = "the network's bridge is gone; run troupe doctor "
                            "--repair";
    return fail(std::move(bridge.error()));
  }
  bridge_ = *bridge;
  auto done = build();
  if (!done && done.error().os_error == EEXIST)
    done = mend(error{done.error()});
  if (done)
    undo_.commit();
  return done;
}

result<void> endpoint_job::build() {
  // Told apart from a pair that a lost request made.
  if (host_.link_index(wanted_.name))
    return fail(os_failure(EEXIST, "add link " + wanted_.name));
  if (auto done = enter(); !done)
    return done;
  if (auto done = refuse_overlaps(); !done)
    return done;
  auto request = netns::veth_request{};
  request.name = wanted_.name;
  request.mac = wanted_.host_mac;
  request.master = bridge_;
  request.mtu_bytes = wanted_.mtu_bytes;
  request.group = wanted_.group;
  request.alias = wanted_.alias;
  request.peer_name = wanted_.interface;
  request.peer_mac = wanted_.mac;
  request.peer_namespace = wanted_.ns;
  auto host_end = host_.add_veth(request);
  if (host_end)
    return complete(*host_end);
  if (host_end.error().os_error != EEXIST)
    remove_half_made();
  return fail(std::move(host_end.error()));
}

result<void> endpoint_job::complete(int host_end) {
  undo_.push([this, host_end] {
    (void)host_.del_link(host_end);
  });
  // Its peer is still down, so no frame passes with the wrong flags.
  if (wanted_.flags != netns::port_flags{})
    if (auto done = host_.set_port_flags(host_end, wanted_.flags); !done)
      return done;
  if (auto done = bind_mac(host_end); !done)
    return done;
  if (auto done = enter(); !done)
    return done;
  return complete_peer();
}

result<void> endpoint_job::bind_mac(int host_end) {
  if (wanted_.flags.learning)
    return {};
  return host_.bind_mac(host_end, wanted_.mac);
}

result<void> endpoint_job::complete_peer() {
  auto peer = inside_->link_index(wanted_.interface);
  if (!peer)
    return fail(std::move(peer.error()));
  if (auto done = quieten(); !done)
    return done;
  auto raise = netns::link_change{};
  raise.up = true;
  if (auto done = inside_->set_link(*peer, raise); !done)
    return done;
  for (const auto& x : wanted_.paths.addresses)
    if (auto done = inside_->add_address(*peer, x); !done)
      return done;
  // The kernel makes it as soon as it sees the carrier.
  if (const auto& x = wanted_.paths.link_local; x)
    if (auto done = inside_->add_address(*peer, *x);
        !done && done.error().os_error != EEXIST)
      return done;
  return build_paths(*inside_, undo_, wanted_.paths, *peer);
}

result<void> endpoint_job::quieten() {
  struct row {
    sysctl key;
    int value;
  };
  // Nothing is sent before the link goes up: IPv6 comes last.
  constexpr auto rows = std::array{
    row{sysctl::ipv6_accept_ra, 0},
    row{sysctl::ipv6_accept_redirects, 0},
    row{sysctl::ipv6_accept_dad, 0},
    row{sysctl::ipv6_addr_gen_mode, 0},
  };
  if (wanted_.has_ipv6) {
    if (auto done = open_loopback(); !done)
      return done;
    for (auto [key, value] : rows)
      if (auto done
          = change_sysctl(*inside_, undo_, key, wanted_.interface, value);
          !done)
        return done;
  }
  auto done = change_sysctl(*inside_, undo_, sysctl::ipv6_disable,
                            wanted_.interface, wanted_.has_ipv6 ? 0 : 1);
  // A kernel without IPv6 is as quiet, and one whose link is too small for it.
  if (!done && !wanted_.has_ipv6 && is_missing(done.error()))
    return {};
  return done;
}

result<void> endpoint_job::refuse_overlaps() {
  auto found = read_overlaps(*inside_, wanted_.paths);
  if (!found)
    return fail(std::move(found.error()));
  if (found->renamed)
    return fail(os_failure(EEXIST, "add link " + wanted_.name));
  if (found->others.empty())
    return {};
  return fail(
    ec::conflict,
    fmt::format("{}: it overlaps the endpoint's subnet", found->others.front()),
    "take that address away, or choose another subnet");
}

result<void> endpoint_job::enter() {
  if (inside_)
    return {};
  auto inside = host_.enter(wanted_.ns);
  if (!inside)
    return fail(std::move(inside.error()));
  inside_ = std::move(*inside);
  return {};
}

result<void> endpoint_job::open_loopback() {
  return change_sysctl(*inside_, undo_, sysctl::ipv6_disable, "lo", 0);
}

void endpoint_job::remove_half_made() {
  auto index = host_.link_index(wanted_.name);
  if (!index)
    return;
  auto link = host_.link(*index);
  auto is_tagged
    = link && (link->alias.empty() || link->alias == wanted_.alias);
  if (is_tagged && link->group == wanted_.group)
    (void)host_.del_link(*index);
}

} // namespace troupe::drivers
