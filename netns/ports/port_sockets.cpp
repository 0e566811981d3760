#include "troupe/netns/ports/port_sockets.hpp"

#include "troupe/netns/ports/port_user.hpp"
#include "troupe/netns/ports/socket_address.hpp"
#include "troupe/netns/unique_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <string>

#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

namespace troupe::netns {

namespace {

// Connections that may wait while the proxy is busy with others.
constexpr int backlog = 4'096;

// What `troupe-proxy --descriptors` is without being told.
constexpr rlim_t proxy_files = 262'144;

class real_held_port : public held_port {
public:
  explicit real_held_port(unique_fd fd) : fd_{std::move(fd)} {
  }
  int descriptor() const override {
    return fd_.get();
  }

private:
  unique_fd fd_;
};

int type_of(protocol proto) {
  return proto == protocol::udp ? SOCK_DGRAM : SOCK_STREAM;
}

int number_of(protocol proto) {
  switch (proto) {
  case protocol::udp:
    return IPPROTO_UDP;
  case protocol::sctp:
    return IPPROTO_SCTP;
  case protocol::tcp:
    break;
  }
  return IPPROTO_TCP;
}

bool set(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

// A filter that takes nothing: a listening socket without a reader would
// otherwise accept connections that hang.
bool drop_all(int fd) {
  auto code = sock_filter{BPF_RET | BPF_K, 0, 0, 0};
  auto program = sock_fprog{1, &code};
  return ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
                      sizeof(program))
         == 0;
}

bool prepare(int fd, protocol proto, const ip_address& address, bool both,
             bool silent) {
  // Connections of an earlier holder may still be in TIME_WAIT. Listening
  // makes the port ours alone all the same.
  if (proto != protocol::udp && !set(fd, SOL_SOCKET, SO_REUSEADDR, 1))
    return false;
  if (address.is_v6() && !set(fd, IPPROTO_IPV6, IPV6_V6ONLY, both ? 0 : 1))
    return false;
  // The proxy answers from the address that was asked.
  if (proto == protocol::udp
      && !set(fd, address.is_v6() ? IPPROTO_IPV6 : IPPROTO_IP,
              address.is_v6() ? IPV6_RECVPKTINFO : IP_PKTINFO, 1))
    return false;
  return !silent || drop_all(fd);
}

std::string read_setting(const std::string& name) {
  auto file = std::ifstream{"/proc/sys/net/ipv4/" + name};
  auto line = std::string{};
  std::getline(file, line);
  return line;
}

class real_port_sockets : public port_sockets {
public:
  result<std::shared_ptr<held_port>>
  hold(protocol proto, const ip_address& address, uint16_t port,
       bool silent) override {
    return take(proto, address, port, false, silent);
  }

  result<std::shared_ptr<held_port>>
  hold_both(protocol proto, uint16_t port, bool silent) override {
    return take(proto, ip_address::from_number(ip_family::v6, 0), port, true,
                silent);
  }

  static result<std::shared_ptr<held_port>>
  take(protocol proto, const ip_address& address, uint16_t port, bool both,
       bool silent) {
    auto family = address.is_v6() ? AF_INET6 : AF_INET;
    auto fd = unique_fd{::socket(
      family, type_of(proto) | SOCK_CLOEXEC | SOCK_NONBLOCK, number_of(proto))};
    if (!fd)
      return fail(os_failure(errno, "make a socket"));
    if (!prepare(fd.get(), proto, address, both, silent))
      return fail(os_failure(errno, "set up a socket"));
    auto where = socket_address{address, port};
    if (::bind(fd.get(), where.data(), where.size()) != 0)
      return fail(os_failure(errno, "bind"));
    if (proto != protocol::udp && ::listen(fd.get(), backlog) != 0)
      return fail(os_failure(errno, "listen"));
    return std::make_shared<real_held_port>(std::move(fd));
  }

  bool has_family(ip_family family) override {
    if (family == ip_family::v4)
      return true;
    auto fd = unique_fd{::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    auto loopback
      = socket_address{ip_address::from_number(ip_family::v6, 1), 0};
    return fd && ::bind(fd.get(), loopback.data(), loopback.size()) == 0;
  }

  port_limits limits() override {
    auto result = port_limits{};
    auto range = read_setting("ip_local_port_range");
    auto first = uint16_t{0};
    auto last = uint16_t{0};
    const auto* end = range.data() + range.size();
    auto low = std::from_chars(range.data(), end, first);
    while (low.ptr != end && (*low.ptr == ' ' || *low.ptr == '\t'))
      ++low.ptr;
    auto high = std::from_chars(low.ptr, end, last);
    if (high.ec == std::errc{} && first > 0 && first <= last) {
      result.first = first;
      result.last = last;
    }
    result.reserved
      = parse_reserved_ports(read_setting("ip_local_reserved_ports"));
    // The proxy, which holds them, raises its own limit up to the hard one.
    if (auto limit = rlimit{}; ::getrlimit(RLIMIT_NOFILE, &limit) == 0)
      result.descriptors = std::min<rlim_t>(limit.rlim_max, proxy_files);
    return result;
  }

  std::optional<port_user>
  user_of(protocol proto, const ip_address& address, uint16_t port) override {
    return find_port_user(proto, address, port);
  }
};

} // namespace

std::bitset<65'536> parse_reserved_ports(std::string_view text) {
  auto result = std::bitset<65'536>{};
  auto number = [](std::string_view x) -> std::optional<uint16_t> {
    auto value = uint16_t{0};
    auto parsed = std::from_chars(x.data(), x.data() + x.size(), value);
    auto all = parsed.ptr == x.data() + x.size();
    return parsed.ec == std::errc{} && all ? std::optional{value}
                                           : std::nullopt;
  };
  while (!text.empty()) {
    auto comma = std::min(text.find(','), text.size());
    auto part = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    auto dash = part.find('-');
    auto first = number(part.substr(0, dash));
    auto last
      = dash == std::string_view::npos ? first : number(part.substr(dash + 1));
    if (!first || !last)
      continue;
    for (auto port = uint32_t{*first}; port <= *last; ++port)
      result.set(port);
  }
  return result;
}

std::unique_ptr<port_sockets> make_port_sockets() {
  return std::make_unique<real_port_sockets>();
}

} // namespace troupe::netns
