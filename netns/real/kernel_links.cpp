#include "troupe/config/model/id.hpp"
#include "troupe/netns/names.hpp"
#include "troupe/netns/real/kernel_impl.hpp"
#include "troupe/netns/real/link.hpp"

#include <cerrno>
#include <cstring>

#include <net/if.h>
#include <sys/ioctl.h>

namespace troupe::netns {

namespace {

// Longest alias the kernel takes, without the zero byte.
constexpr auto longest_alias = size_t{255};

tl::unexpected<error> os_fail(int number, std::string_view operation) {
  return fail(os_failure(number, operation));
}

} // namespace

bool netlink_kernel::exists(int index) const {
  auto request = ifreq{};
  request.ifr_ifindex = index;
  return index > 0 && ::ioctl(socket_.descriptor(), SIOCGIFNAME, &request) == 0;
}

result<int> netlink_kernel::add_bridge(const bridge_request& request) {
  auto operation = [&] {
    return "add bridge " + request.name;
  };
  if (!is_interface_name(request.name))
    return os_fail(EINVAL, operation());
  auto message = new_bridge(request);
  if (auto done = socket_.call(message); !done.ok())
    return done.fail(operation());
  auto index = index_of_new(request.name);
  if (!index || request.mtu_bytes == 0)
    return index;
  auto change = link_change{};
  change.mtu_bytes = request.mtu_bytes;
  // A bridge that is made with an MTU follows its ports all the same; only
  // one that was changed keeps it.
  auto sized = set_link(*index, change);
  if (sized)
    return index;
  static_cast<void>(del_link(*index)); // The first error is the one to tell.
  return fail(with_context(std::move(sized.error()), operation()));
}

result<int> netlink_kernel::add_veth(const veth_request& request) {
  auto operation = [&] {
    return "add veth " + request.name + " with peer " + request.peer_name;
  };
  if (!is_interface_name(request.name) || !is_interface_name(request.peer_name)
      || request.alias.size() > longest_alias)
    return os_fail(EINVAL, operation());
  auto peer_namespace = open_namespace(request.peer_namespace);
  if (!peer_namespace)
    return fail(with_context(std::move(peer_namespace.error()), operation()));
  auto message = new_veth(request, peer_namespace->get());
  if (auto done = socket_.call(message); !done.ok()) {
    // The kernel says EINVAL for a master that does not exist.
    if (done.error == EINVAL && request.master != 0 && !exists(request.master))
      return os_fail(ENODEV,
                     operation() + numbered(": master", request.master));
    return done.fail(operation());
  }
  auto index = index_of_new(request.name);
  if (!index)
    return fail(with_context(std::move(index.error()), operation()));
  // With a link-local address each port joins multicast groups and asks for
  // routers, and the bridge floods that to all the others: attaching would take
  // longer the more ports there are. EAFNOSUPPORT: no IPv6 on this link, and
  // nothing of the request was done.
  auto rest = complete_veth(*index, request.alias, true);
  auto done = socket_.call(rest);
  if (done.error == EAFNOSUPPORT) {
    rest = complete_veth(*index, request.alias, false);
    done = socket_.call(rest);
  }
  if (done.ok())
    return index;
  static_cast<void>(del_link(*index)); // The first error is the one to tell.
  return done.fail(operation());
}

result<void> netlink_kernel::del_link(int index) {
  if (index <= 0)
    return os_fail(ENODEV, numbered("delete link", index));
  auto message = remove_link(index);
  if (auto done = socket_.call(message); !done.ok())
    return done.fail(numbered("delete link", index));
  return {};
}

result<void> netlink_kernel::del_group(uint32_t group) {
  auto message = remove_group(group);
  if (auto done = socket_.call(message); !done.ok())
    return done.fail("delete links of group " + std::to_string(group));
  return {};
}

result<void> netlink_kernel::set_link(int index, const link_change& change) {
  auto operation = [&] {
    return numbered("change link", index);
  };
  if (index <= 0)
    return os_fail(ENODEV, operation());
  if ((change.name && !is_interface_name(*change.name))
      || (change.alias && change.alias->size() > longest_alias)
      || change.port_blocked.value_or(false))
    return os_fail(EINVAL, operation());
  auto message = change_link(index, change);
  auto done = socket_.call(message);
  if (done.ok())
    return {};
  if (done.error == EINVAL && change.master.value_or(0) != 0
      && !exists(*change.master))
    return os_fail(ENODEV, operation() + numbered(": master", *change.master));
  return done.fail(operation());
}

result<void>
netlink_kernel::set_port_flags(int index, const port_flags& flags) {
  auto operation = [&] {
    return numbered("change bridge port", index);
  };
  if (index <= 0)
    return os_fail(ENODEV, operation());
  auto message = change_port(index, flags);
  if (auto done = socket_.call(message); !done.ok())
    return done.fail(operation());
  return {};
}

result<void> netlink_kernel::bind_mac(int index, const mac_address& mac) {
  auto operation = [&] {
    return "bind " + to_string(mac) + numbered(" to bridge port", index);
  };
  if (index <= 0)
    return os_fail(ENODEV, operation());
  auto message = netns::bind_mac(index, mac);
  if (auto done = socket_.call(message); !done.ok())
    return done.fail(operation());
  return {};
}

result<int> netlink_kernel::link_index(const std::string& name) {
  auto operation = [&] {
    return "find link " + quoted(name);
  };
  if (!is_interface_name(name))
    return os_fail(ENODEV, operation());
  auto index = 0;
  auto message = ask_link(name);
  auto done = socket_.query(message, [&](const nlmsghdr& answer) {
    index = body_of<ifinfomsg>(answer).ifi_index;
  });
  if (!done.ok())
    return done.fail(operation());
  return index;
}

result<int> netlink_kernel::index_of_new(const std::string& name) const {
  // Any socket will do for this ioctl; it is ten times cheaper than a message,
  // but of use for names that are there only, see `link_index`.
  auto request = ifreq{};
  std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
  if (::ioctl(socket_.descriptor(), SIOCGIFINDEX, &request) == 0)
    return request.ifr_ifindex;
  return os_fail(errno, "find new link " + quoted(name));
}

result<link_info> netlink_kernel::link(int index) {
  auto operation = [&] {
    return numbered("read link", index);
  };
  if (index <= 0)
    return os_fail(ENODEV, operation());
  auto found = link_info{};
  auto message = ask_link(index);
  auto done = socket_.query(message, [&](const nlmsghdr& answer) {
    found = read_link(answer);
  });
  if (!done.ok())
    return done.fail(operation());
  return found;
}

result<std::vector<link_info>> netlink_kernel::links() {
  auto found = std::vector<link_info>{};
  auto message = ask_link(0);
  auto done = socket_.dump(
    message,
    [&] {
      found.clear();
    },
    [&](const nlmsghdr& answer) {
      found.push_back(read_link(answer));
    });
  if (!done.ok())
    return done.fail("list links");
  return found;
}

result<link_statistics> netlink_kernel::statistics(int index) {
  auto operation = [&] {
    return numbered("read counters of link", index);
  };
  if (index <= 0)
    return os_fail(ENODEV, operation());
  auto found = link_statistics{};
  auto message = ask_statistics(index);
  auto done = socket_.query(message, [&](const nlmsghdr& answer) {
    found = read_statistics(answer);
  });
  if (!done.ok())
    return done.fail(operation());
  return found;
}

} // namespace troupe::netns
