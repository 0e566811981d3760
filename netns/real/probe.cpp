#include "troupe/netns/real/probe.hpp"

#include "troupe/netns/firewall/connections.hpp"
#include "troupe/netns/firewall/messages.hpp"
#include "troupe/netns/firewall/nft.hpp"
#include "troupe/netns/real/link.hpp"
#include "troupe/netns/real/socket.hpp"

#include <cerrno>
#include <optional>
#include <thread>

#include <fcntl.h>
#include <sched.h>

namespace troupe::netns {

namespace {

result<netlink_socket> open_socket(int protocol) {
  auto fd = netlink_socket::open_descriptor(protocol);
  if (!fd)
    return fail(os_failure(errno, "open netlink socket"));
  return netlink_socket::adopt(std::move(fd));
}

void probe_links(int ns, kernel_probe& found) {
  auto socket = open_socket(NETLINK_ROUTE);
  if (!socket)
    return;
  auto works = [&](netlink_message message) {
    return socket->call(message).ok();
  };
  auto bridge = bridge_request{};
  bridge.name = "br0";
  if (!works(new_bridge(bridge)))
    found.missing.emplace_back("bridges (CONFIG_BRIDGE)");
  auto veth = veth_request{};
  veth.name = "v0";
  veth.peer_name = "v1";
  if (!works(new_veth(veth, ns))) {
    found.missing.emplace_back("veth pairs (CONFIG_VETH)");
    return;
  }
  auto index_of = [&](const std::string& name) {
    auto index = 0;
    auto message = ask_link(name);
    socket->query(message, [&](const nlmsghdr& answer) {
      index = read_link(answer).index;
    });
    return index;
  };
  auto enslave = link_change{};
  enslave.master = index_of("br0");
  auto port = index_of("v0");
  if (works(change_link(port, enslave))) {
    auto flags = port_flags{};
    flags.isolated = true;
    if (!works(change_port(port, flags)))
      found.missing.emplace_back("isolated bridge ports (Linux 4.18)");
  }
}

void probe_connections(kernel_probe& found) {
  auto socket = open_socket(NETLINK_NETFILTER);
  if (!socket) {
    found.missing.emplace_back("nfnetlink (CONFIG_NETFILTER_NETLINK)");
    return;
  }
  // There is no connection here that this could delete.
  auto filter = conntrack_filter{};
  filter.address = ip_address::parse("192.0.2.1").value();
  for (auto& message : firewall::encode(filter)) {
    auto by_filter = socket->call(message);
    if (by_filter.ok() || by_filter.error == ENOENT)
      continue;
    auto all = firewall::ask_connections();
    auto listed = socket->dump(
      all, [] {}, [](const nlmsghdr&) {});
    if (listed.ok())
      found.slower.emplace_back("deletion of connections by filter (Linux "
                                "6.11): they are listed to be forgotten");
    else
      found.missing.emplace_back(
        "connection tracking by netlink (CONFIG_NF_CT_NETLINK)");
    return;
  }
}

// In the namespace of the calling thread.
kernel_probe probe_here() {
  auto result = kernel_probe{};
  auto ns = unique_fd{::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
  probe_links(ns.get(), result);
  probe_connections(result);
  for (auto& x : firewall::missing_features(ns.get()))
    result.missing.push_back(std::move(x));
  return result;
}

} // namespace

result<kernel_probe> probe_kernel() {
  auto found = std::optional<result<kernel_probe>>{};
  std::thread{[&] {
    if (::unshare(CLONE_NEWNET) == 0)
      found.emplace(probe_here());
    else
      found.emplace(fail(os_failure(errno, "make a namespace to probe in")));
  }}.join();
  return std::move(*found);
}

} // namespace troupe::netns
