#include "troupe/netns/firewall/connections.hpp"
#include "troupe/netns/firewall/messages.hpp"
#include "troupe/netns/firewall/parts.hpp"
#include "troupe/netns/firewall/ruleset.hpp"
#include "troupe/netns/real/kernel_impl.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>

namespace troupe::netns {

namespace {

// A transaction is one datagram: 100 bytes or so per element.
constexpr auto send_buffer_bytes = 64 << 20;

// Each refused message of a transaction is answered.
constexpr auto receive_buffer_bytes = 8 << 20;

constexpr auto most_listings = 10;

// With more requests that each walk through the table of connections, one walk
// that copies it all is quicker.
constexpr auto most_flushes = size_t{8};

bool raise_buffer(int fd, int forced, int usual, int size) {
  return ::setsockopt(fd, SOL_SOCKET, forced, &size, sizeof size) == 0
         || ::setsockopt(fd, SOL_SOCKET, usual, &size, sizeof size) == 0;
}

// The number under which the kernel knows the socket.
result<uint32_t> bind_socket(int fd) {
  auto address = sockaddr_nl{};
  address.nl_family = AF_NETLINK;
  auto size = socklen_t{sizeof address};
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd, plain, size) != 0 || ::getsockname(fd, plain, &size) != 0)
    return fail(os_failure(errno, "bind firewall socket"));
  return address.nl_pid;
}

} // namespace

netlink_kernel::~netlink_kernel() {
  if (origin_.senders && firewall_)
    origin_.senders->remove_socket(firewall_port_);
}

result<netlink_socket*> netlink_kernel::firewall_socket() {
  if (firewall_)
    return &*firewall_;
  auto opened = open_in(
    ns_.get(),
    [] {
      return netlink_socket::open_descriptor(NETLINK_NETFILTER);
    },
    "open firewall socket");
  if (!opened)
    return fail(std::move(opened.error()));
  auto fd = opened->get();
  auto port = bind_socket(fd);
  if (!port)
    return fail(std::move(port.error()));
  auto socket = netlink_socket::adopt(std::move(*opened));
  if (!socket)
    return fail(std::move(socket.error()));
  if (!raise_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, send_buffer_bytes)
      || !raise_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, receive_buffer_bytes))
    return fail(os_failure(errno, "set buffers of firewall socket"));
  if (origin_.senders)
    origin_.senders->add_socket(*port);
  firewall_port_ = *port;
  firewall_.emplace(std::move(*socket));
  return &*firewall_;
}

result<void> netlink_kernel::change_elements(
  const std::string& table, std::span<const firewall::element_change> changes) {
  if (auto done = firewall::check_changes(changes); !done)
    return done;
  if (changes.empty())
    return {};
  auto socket = firewall_socket();
  if (!socket)
    return fail(std::move(socket.error()));
  using firewall::per_message;
  auto failed = -1;
  auto send = [&](per_message most) {
    return (*socket)->transact(encode(table, changes, most), failed);
  };
  auto answer = send(per_message::many);
  // Nothing is changed. Once more, to know whose fault it is.
  if (!answer.ok() && changes.size() > 1)
    answer = send(per_message::one);
  if (answer.ok())
    return {};
  if (failed < 0 || static_cast<size_t>(failed) >= changes.size())
    return answer.fail("change elements of " + table);
  return answer.fail(describe(changes[static_cast<size_t>(failed)]));
}

result<std::vector<firewall::element>>
netlink_kernel::list_elements(const std::string& table) {
  auto operation = "list elements of " + table;
  auto socket = firewall_socket();
  if (!socket)
    return fail(std::move(socket.error()));
  auto generation = uint32_t{0};
  auto ask = [&] {
    auto message = firewall::ask_generation();
    return (*socket)->query(message, [&](const nlmsghdr& x) {
      generation = firewall::read_generation(x);
    });
  };
  for (int i = 0; i < most_listings; ++i) {
    if (auto answer = ask(); !answer.ok())
      return answer.fail(operation);
    auto before = generation;
    auto result = list_once(**socket, table);
    if (!result)
      return result;
    if (auto answer = ask(); !answer.ok())
      return answer.fail(operation);
    if (before == generation)
      return result;
  }
  return fail(os_failure(EAGAIN, operation, "it changed 10 times over"));
}

result<std::vector<firewall::element>>
netlink_kernel::list_once(netlink_socket& socket, const std::string& table) {
  auto result = std::vector<firewall::element>{};
  for (auto family : firewall::both_tables)
    if (auto done = append_elements(socket, family, table, result); !done)
      return fail(std::move(done.error()));
  std::ranges::sort(result);
  return result;
}

result<void>
netlink_kernel::append_elements(netlink_socket& socket,
                                firewall::table_family family,
                                const std::string& table,
                                std::vector<firewall::element>& out) {
  for (const auto& schema : firewall::all_sets()) {
    if (schema.family != family)
      continue;
    auto before = out.size();
    auto good = true;
    auto message = firewall::ask_elements(table, schema);
    auto answer = socket.dump(
      message,
      [&] {
        out.resize(before);
      },
      [&](const nlmsghdr& x) {
        good = firewall::read_elements(x, schema, out) && good;
      });
    auto operation
      = "list elements of " + table + " " + std::string{schema.name};
    if (!answer.ok())
      return answer.fail(operation);
    if (!good)
      return fail(os_failure(EBADMSG, operation, "an element of another kind"));
  }
  return {};
}

result<void> netlink_kernel::remove_firewall(const std::string& table) {
  auto socket = firewall_socket();
  if (!socket)
    return fail(std::move(socket.error()));
  auto result = troupe::result<void>{};
  for (auto family : firewall::both_tables) {
    // A transaction that fails costs 10 ms, and at start there is no table.
    auto question = firewall::ask_table(family, table);
    if ((*socket)->query(question, [](const nlmsghdr&) {}).error == ENOENT)
      continue;
    auto failed = 0;
    auto answer
      = (*socket)->transact(firewall::encode_delete(family, table), failed);
    if (!answer.ok() && answer.error != ENOENT && result)
      result = answer.fail("remove table " + table);
  }
  return result;
}

result<std::vector<firewall::forward_chain>> netlink_kernel::forward_chains() {
  auto socket = firewall_socket();
  if (!socket)
    return fail(std::move(socket.error()));
  auto result = std::vector<firewall::forward_chain>{};
  auto message = firewall::ask_chains();
  auto answer = (*socket)->dump(
    message,
    [&] {
      result.clear();
    },
    [&](const nlmsghdr& x) {
      if (auto chain = firewall::read_chain(x))
        result.push_back(std::move(*chain));
    });
  if (!answer.ok())
    return answer.fail("list chains");
  return result;
}

result<std::vector<firewall::foreign_chain>>
netlink_kernel::forward_blockers() {
  auto chains = forward_chains();
  if (!chains)
    return fail(std::move(chains.error()));
  auto result = std::vector<firewall::foreign_chain>{};
  for (auto& x : *chains) {
    // What the user writes into the chain made for it is meant that way, and
    // other daemons of ours drop only what is theirs. The chain of firewalld
    // has another policy, but ends with a rule that rejects.
    auto is_ours = x.name.table.starts_with("troupe_");
    if (!is_ours && (x.drops || x.name.table == "firewalld"))
      result.push_back(std::move(x.name));
  }
  std::ranges::sort(result);
  return result;
}

// -- connection tracking ------------------------------------------------------

namespace {

/// Deletes connections by part of a tuple, or one by one. @returns whether the
/// kernel does it: before Linux 6.11 it takes whole tuples only.
result<bool> send_all(netlink_socket& socket, std::span<netlink_message> xs) {
  for (auto& x : xs) {
    auto answer = socket.call(x);
    if (answer.error == EINVAL || answer.error == EOPNOTSUPP)
      return false;
    if (!answer.ok() && answer.error != ENOENT) // Nothing matched.
      return answer.fail("forget connections");
  }
  return true;
}

result<void>
walk(netlink_socket& socket,
     const std::function<void(const firewall::tracked_connection&)>& visit,
     const std::function<void()>& restart) {
  auto message = firewall::ask_connections();
  auto answer = socket.dump(message, restart, [&](const nlmsghdr& x) {
    if (auto found = firewall::read_connection(x))
      visit(*found);
  });
  return answer.ok() ? result<void>{} : answer.fail("list connections");
}

} // namespace

result<void>
netlink_kernel::flush_conntrack(std::span<const conntrack_filter> filters) {
  auto requests = std::vector<netlink_message>{};
  for (const auto& x : filters) {
    if (auto done = firewall::check_filter(x); !done)
      return done;
    std::ranges::move(firewall::encode(x), std::back_inserter(requests));
  }
  auto socket = firewall_socket();
  if (!socket)
    return fail(std::move(socket.error()));
  if (requests.size() <= most_flushes
      && std::ranges::none_of(filters, firewall::must_be_listed)) {
    auto done = send_all(**socket, requests);
    if (!done)
      return fail(std::move(done.error()));
    if (*done)
      return {};
  }
  requests.clear();
  auto listed = walk(
    **socket,
    [&](const firewall::tracked_connection& x) {
      auto is_meant = [&](const auto& filter) {
        return matches(filter, x.info);
      };
      if (std::ranges::any_of(filters, is_meant))
        requests.push_back(firewall::forget(x));
    },
    [&] {
      requests.clear();
    });
  if (!listed)
    return listed;
  auto done = send_all(**socket, requests);
  if (!done)
    return fail(std::move(done.error()));
  if (!*done)
    return fail(ec::unsupported, "forget connections: the kernel refuses it");
  return {};
}

result<std::vector<connection_info>> netlink_kernel::connections() {
  auto socket = firewall_socket();
  if (!socket)
    return fail(std::move(socket.error()));
  auto result = std::vector<connection_info>{};
  auto listed = walk(
    **socket,
    [&](const firewall::tracked_connection& x) {
      result.push_back(x.info);
    },
    [&] {
      result.clear();
    });
  if (!listed)
    return fail(std::move(listed.error()));
  return result;
}

} // namespace troupe::netns
