#include "troupe/netns/real/announcement.hpp"
#include "troupe/netns/real/kernel_impl.hpp"
#include "troupe/netns/real/link.hpp"

#include <algorithm>
#include <cerrno>
#include <set>

#include <netinet/in.h>
#include <sys/socket.h>

namespace troupe::netns {

namespace {

tl::unexpected<error> os_fail(int number, std::string_view operation) {
  return fail(os_failure(number, operation));
}
std::string describe(const route_info& x) {
  auto result
    = x.destination
        ? to_string(*x.destination)
        : std::string{x.family == ip_family::v4 ? "0.0.0.0/0" : "::/0"};
  if (x.gateway)
    result.append(" via ").append(to_string(*x.gateway));
  return result.append(numbered(" on link", x.index));
}

std::string describe(const rule_info& x) {
  auto result = std::to_string(x.priority);
  if (x.from)
    result.append(" from ").append(to_string(*x.from));
  if (x.to)
    result.append(" to ").append(to_string(*x.to));
  return result;
}

} // namespace

result<void>
netlink_kernel::add_address(int index, const interface_address& x) {
  auto message = new_address(index, x);
  if (auto done = socket_.call(message); !done.ok())
    return done.fail("add address " + to_string(x)
                     + numbered(" to link", index));
  return {};
}

result<void>
netlink_kernel::del_address(int index, const interface_address& x) {
  auto is_neighbour = [&](const interface_address& other) {
    return other != x && other.length == x.length
           && other.subnet() == x.subnet();
  };
  if (x.address.is_v4())
    if (auto present = addresses(index);
        present && std::ranges::any_of(*present, is_neighbour))
      return del_one_of_subnet(index, x);
  auto message = remove_address(index, x);
  if (auto done = socket_.call(message); !done.ok())
    return done.fail("delete address " + to_string(x)
                     + numbered(" of link", index));
  return {};
}

// The setting is the link's owner's: it is changed for the one request, which
// nothing can come between, and stays as it was.
result<void>
netlink_kernel::del_one_of_subnet(int index, const interface_address& x) {
  auto operation
    = "delete address " + to_string(x) + numbered(" of link", index);
  auto promotes = false;
  auto question = ask_link(index);
  auto asked = socket_.query(question, [&](const nlmsghdr& answer) {
    promotes = read_promotion(answer);
  });
  if (!asked.ok())
    return asked.fail(operation);
  auto before = change_promotion(index, true);
  auto message = remove_address(index, x);
  auto after = change_promotion(index, promotes);
  auto done = socket_.call_together({&before, &message, &after});
  for (auto which : {1, 0, 2})
    if (!done[static_cast<size_t>(which)].ok())
      return done[static_cast<size_t>(which)].fail(operation);
  return {};
}

result<std::vector<interface_address>> netlink_kernel::addresses(int index) {
  auto operation = [&] {
    return numbered("list addresses of link", index);
  };
  if (!exists(index))
    return os_fail(ENODEV, operation());
  auto found = std::vector<interface_address>{};
  auto message = ask_addresses(index);
  auto done = socket_.dump(
    message,
    [&] {
      found.clear();
    },
    [&](const nlmsghdr& answer) {
      if (auto x = read_address(answer); x && x->index == index)
        found.push_back(x->address);
    });
  if (!done.ok())
    return done.fail(operation());
  return found;
}

result<void> netlink_kernel::add_route(const route_info& x) {
  auto message = new_route(x);
  auto done = socket_.call(message);
  if (done.ok())
    return {};
  // IPv6 says EHOSTUNREACH where IPv4 says ENETUNREACH: no way to the gateway.
  if (done.error == EHOSTUNREACH)
    done.error = ENETUNREACH;
  return done.fail("add route " + describe(x));
}

result<void> netlink_kernel::del_route(const route_info& x) {
  auto message = remove_route(x);
  if (auto done = socket_.call(message); !done.ok())
    return done.fail("delete route " + describe(x));
  return {};
}

result<std::vector<placed_address>> netlink_kernel::all_addresses() {
  auto found = std::vector<placed_address>{};
  auto message = ask_addresses(0);
  auto done = socket_.dump(
    message,
    [&] {
      found.clear();
    },
    [&](const nlmsghdr& answer) {
      if (auto address = read_address(answer))
        found.push_back(std::move(*address));
    });
  if (!done.ok())
    return done.fail("list addresses");
  return found;
}

result<void> netlink_kernel::announce(const neighbour_info& x) {
  auto open = [&](int family, int protocol) {
    return open_in(
      ns_.get(),
      [&] {
        return unique_fd{::socket(family, SOCK_RAW | SOCK_CLOEXEC, protocol)};
      },
      "announce " + to_string(x.address));
  };
  if (x.address.is_v6()) {
    auto socket = open(AF_INET6, IPPROTO_ICMPV6);
    return socket ? send_advertisement(socket->get(), x)
                  : fail(std::move(socket.error()));
  }
  if (!packet_) {
    auto socket = open(AF_PACKET, 0);
    if (!socket)
      return fail(std::move(socket.error()));
    packet_ = std::move(*socket);
  }
  return send_arp(packet_.get(), x);
}

result<void> netlink_kernel::each_route(
  uint32_t table, int index,
  const std::function<void(const known_route&)>& visit) {
  for (auto family : {ip_family::v4, ip_family::v6}) {
    auto message = ask_routes(family, table, index);
    auto found = std::vector<known_route>{};
    // Else the kernel tells all routes of the host, whatever is asked.
    socket_.set_strict(index != 0);
    auto done = socket_.dump(
      message,
      [&] {
        found.clear();
      },
      [&](const nlmsghdr& answer) {
        if (auto route = read_route(answer, family, table))
          found.push_back(std::move(*route));
      });
    socket_.set_strict(false);
    // A table that never held a route does not exist yet; nor may the link.
    if (!done.ok() && done.error != ENOENT && done.error != ENODEV)
      return done.fail("list routes");
    std::ranges::for_each(found, visit);
  }
  return {};
}

result<std::vector<route_info>> netlink_kernel::routes() {
  auto found = std::vector<route_info>{};
  auto done = each_route(main_table, 0, [&](const known_route& route) {
    for (const auto& hop : route.hops)
      if (hop.type == route_type::unicast && hop.protocol != made_by_kernel)
        found.push_back(hop);
  });
  if (!done)
    return fail(std::move(done.error()));
  return found;
}

result<std::vector<route_info>> netlink_kernel::link_routes(int index) {
  auto found = std::vector<route_info>{};
  auto done = each_route(0, index, [&](const known_route& route) {
    for (const auto& hop : route.hops)
      if (hop.index == index)
        found.push_back(hop);
  });
  if (!done)
    return fail(std::move(done.error()));
  return found;
}

result<std::vector<prefix>> netlink_kernel::routed_subnets() {
  auto found = std::set<prefix>{};
  auto done = each_route(main_table, 0, [&](const known_route& route) {
    for (auto& hop : route.hops)
      if (hop.destination && !hop.destination->address().is_link_local()
          && !hop.destination->address().is_multicast())
        found.insert(*hop.destination);
  });
  if (!done)
    return fail(std::move(done.error()));
  return std::vector<prefix>{found.begin(), found.end()};
}

result<void> netlink_kernel::add_rule(const rule_info& x) {
  auto message = new_rule(x);
  if (auto done = socket_.call(message); !done.ok())
    return done.fail("add rule " + describe(x));
  return {};
}

result<void> netlink_kernel::del_rule(const rule_info& x) {
  auto message = remove_rule(x);
  if (auto done = socket_.call(message); !done.ok())
    return done.fail("delete rule " + describe(x));
  return {};
}

result<std::vector<rule_info>> netlink_kernel::rules() {
  auto all = std::vector<rule_info>{};
  for (auto family : {ip_family::v4, ip_family::v6}) {
    auto message = ask_rules(family);
    auto found = std::vector<rule_info>{};
    auto done = socket_.dump(
      message,
      [&] {
        found.clear();
      },
      [&](const nlmsghdr& answer) {
        if (auto rule = read_rule(answer);
            rule && rule->made_by != made_by_kernel && rule->family == family)
          found.push_back(std::move(*rule));
      });
    // A kernel without IPv6 has no rules of it.
    if (!done.ok() && done.error != EAFNOSUPPORT && done.error != EOPNOTSUPP)
      return done.fail("list rules");
    all.insert(all.end(), found.begin(), found.end());
  }
  return all;
}

result<void> netlink_kernel::set_neighbour(const neighbour_info& x) {
  auto message = new_neighbour(x);
  if (auto done = socket_.call(message); !done.ok())
    return done.fail("set neighbour " + to_string(x.address)
                     + numbered(" on link", x.index));
  return {};
}

result<void> netlink_kernel::del_neighbour(const neighbour_info& x) {
  auto message = remove_neighbour(x);
  if (auto done = socket_.call(message); !done.ok())
    return done.fail("delete neighbour " + to_string(x.address)
                     + numbered(" on link", x.index));
  return {};
}

result<std::vector<neighbour_info>> netlink_kernel::neighbours(int index) {
  auto found = std::vector<neighbour_info>{};
  auto message = ask_neighbours(index);
  auto done = socket_.dump(
    message,
    [&] {
      found.clear();
    },
    [&](const nlmsghdr& answer) {
      if (auto entry = read_neighbour(answer); entry && entry->index == index)
        found.push_back(*entry);
    });
  if (!done.ok())
    return done.fail(numbered("list neighbours on link", index));
  return found;
}

result<neighbour_info>
netlink_kernel::neighbour(int index, const ip_address& address) {
  auto found = std::optional<neighbour_info>{};
  auto message = ask_neighbour(index, address);
  auto done = socket_.query(message, [&](const nlmsghdr& answer) {
    found = read_valid_neighbour(answer);
  });
  auto operation
    = "look up neighbour " + to_string(address) + numbered(" on link", index);
  if (!done.ok())
    return done.fail(operation);
  if (!found)
    return os_fail(ENOENT, operation);
  return *found;
}

} // namespace troupe::netns
