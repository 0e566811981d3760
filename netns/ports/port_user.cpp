#include "troupe/netns/ports/port_user.hpp"

#include "troupe/netns/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace troupe::netns {

namespace {

namespace fs = std::filesystem;

// TCP_LISTEN, and TCP_CLOSE which is what bound UDP sockets are in.
constexpr uint32_t bound_states = 1U << 10U | 1U << 7U | 1U << 1U;

constexpr size_t max_processes = 100'000;
constexpr size_t max_replies = 100'000;

struct dump_request {
  nlmsghdr header;
  inet_diag_req_v2 body;
};

uint8_t number_of(protocol proto) {
  if (proto == protocol::udp)
    return IPPROTO_UDP;
  return proto == protocol::sctp ? IPPROTO_SCTP : IPPROTO_TCP;
}

bool send_dump(int fd, protocol proto, int family) {
  auto request = dump_request{};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.body.sdiag_family = static_cast<uint8_t>(family);
  request.body.sdiag_protocol = number_of(proto);
  request.body.idiag_states = bound_states;
  return ::send(fd, &request, sizeof(request), 0)
         == static_cast<ssize_t>(sizeof(request));
}

bool is_in_the_way(const inet_diag_msg& found, const ip_address& address,
                   uint16_t port) {
  if (ntohs(found.id.idiag_sport) != port)
    return false;
  auto bytes = std::array<uint8_t, 16>{};
  std::memcpy(bytes.data(), found.id.idiag_src, bytes.size());
  auto v6 = found.idiag_family == AF_INET6;
  auto other
    = ip_address::from_bytes(v6 ? ip_family::v6 : ip_family::v4, bytes.data());
  // A socket at `::` may take IPv4 as well.
  if (other.is_unspecified() && (v6 || address.is_v4()))
    return true;
  return other.family() == address.family()
         && (other == address || address.is_unspecified());
}

// Inode of the first socket in the way, 0 if there is none.
uint64_t find_inode(protocol proto, int family, const ip_address& address,
                    uint16_t port) {
  auto fd = unique_fd{
    ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)};
  auto patience = timeval{1, 0};
  if (!fd
      || ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience,
                      sizeof(patience))
           != 0
      || !send_dump(fd.get(), proto, family))
    return 0;
  alignas(nlmsghdr) auto buffer = std::array<char, 32'768>{};
  for (size_t reply = 0; reply < max_replies; ++reply) {
    auto got = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (got <= 0)
      return 0;
    auto left = static_cast<unsigned>(got);
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer.data());
         NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_DONE
          || message->nlmsg_type == NLMSG_ERROR)
        return 0;
      auto found = inet_diag_msg{};
      if (message->nlmsg_len < NLMSG_LENGTH(sizeof(found)))
        continue;
      std::memcpy(&found, NLMSG_DATA(message), sizeof(found));
      if (is_in_the_way(found, address, port))
        return found.idiag_inode;
    }
  }
  return 0;
}

bool has_socket(const fs::path& process, const std::string& wanted) {
  auto failed = std::error_code{};
  for (auto i = fs::directory_iterator{process / "fd", failed};
       !failed && i != fs::directory_iterator{}; i.increment(failed)) {
    auto ignored = std::error_code{};
    if (fs::read_symlink(i->path(), ignored) == wanted)
      return true;
  }
  return false;
}

int pid_of(const fs::path& process) {
  auto name = process.filename().string();
  auto pid = 0;
  auto parsed = std::from_chars(name.data(), name.data() + name.size(), pid);
  return parsed.ec == std::errc{} && *parsed.ptr == '\0' ? pid : 0;
}

port_user find_process(uint64_t inode) {
  auto result = port_user{};
  result.inode = inode;
  auto wanted = "socket:[" + std::to_string(inode) + "]";
  auto failed = std::error_code{};
  auto seen = size_t{0};
  for (auto i = fs::directory_iterator{"/proc", failed};
       !failed && i != fs::directory_iterator{} && seen < max_processes;
       i.increment(failed), ++seen) {
    auto pid = pid_of(i->path());
    if (pid == 0 || !has_socket(i->path(), wanted))
      continue;
    result.pid = pid;
    auto file = std::ifstream{i->path() / "comm"};
    std::getline(file, result.name);
    return result;
  }
  return result;
}

} // namespace

std::optional<port_user>
find_port_user(protocol proto, const ip_address& address, uint16_t port) {
  auto inode = uint64_t{0};
  for (auto family : {AF_INET, AF_INET6})
    if (inode == 0)
      inode = find_inode(proto, family, address, port);
  if (inode == 0)
    return std::nullopt;
  return find_process(inode);
}

} // namespace troupe::netns
