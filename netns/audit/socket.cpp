#include "troupe/netns/audit/socket.hpp"

#include <algorithm>
#include <cerrno>

#include <linux/rtnetlink.h>
#include <sys/time.h>

namespace troupe::netns {

namespace {

constexpr auto most_attempts = 10;
constexpr auto buffer_bytes = size_t{65536};
constexpr auto answer_bytes = size_t{8192};

size_t aligned(size_t size) {
  return (size + 3) & ~size_t{3};
}

tl::unexpected<error> failed(int number) {
  return fail(os_failure(number, "audit: read the kernel"));
}

} // namespace

std::string_view audit_attributes::bytes(int type) const {
  auto rest = memory_;
  while (rest.size() >= sizeof(rtattr)) {
    auto attribute = rtattr{};
    std::memcpy(&attribute, rest.data(), sizeof attribute);
    if (attribute.rta_len < sizeof attribute || attribute.rta_len > rest.size())
      break;
    if ((attribute.rta_type & NLA_TYPE_MASK) == type)
      return rest.substr(sizeof attribute,
                         attribute.rta_len - sizeof attribute);
    rest.remove_prefix(std::min(aligned(attribute.rta_len), rest.size()));
  }
  return {};
}

std::string audit_attributes::text(int type) const {
  auto value = bytes(type);
  return std::string{value.substr(0, value.find('\0'))};
}

audit_attributes audit_message::attributes(size_t head_size) const {
  auto skipped = std::min(aligned(head_size), body_.size());
  return audit_attributes{std::string_view{body_}.substr(skipped)};
}

void audit_put(std::string& request, int type, std::string_view value) {
  auto head = rtattr{};
  head.rta_type = static_cast<uint16_t>(type);
  head.rta_len = static_cast<uint16_t>(sizeof head + value.size());
  request.append(reinterpret_cast<const char*>(&head), sizeof head);
  request.append(value);
  request.resize(aligned(request.size()));
}

result<audit_socket> audit_socket::open(int protocol) {
  auto fd = unique_fd{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol)};
  auto limit = timeval{5, 0};
  if (!fd
      || ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit)
           != 0)
    return fail(os_failure(errno, "audit: open netlink socket"));
  return audit_socket{std::move(fd)};
}

result<std::vector<audit_message>>
audit_socket::dump_bytes(uint16_t type, std::string_view head,
                         std::string_view attributes) {
  for (int i = 0; i < most_attempts; ++i) {
    auto changed = false;
    auto found = dump_once(type, head, attributes, changed);
    if (!found || !changed)
      return found;
  }
  return fail(
    os_failure(EAGAIN, "audit: read the kernel", "it changed all the time"));
}

result<void> audit_socket::send(uint16_t type, int flags, std::string_view head,
                                std::string_view attributes) {
  auto header = nlmsghdr{};
  header.nlmsg_len = static_cast<uint32_t>(
    NLMSG_LENGTH(aligned(head.size()) + attributes.size()));
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  header.nlmsg_seq = ++sequence_;
  auto request = std::string{reinterpret_cast<char*>(&header), sizeof header};
  request.append(head);
  request.resize(aligned(request.size()));
  request.append(attributes);
  if (::send(fd_.get(), request.data(), request.size(), 0) < 0)
    return failed(errno);
  return {};
}

result<std::vector<audit_message>>
audit_socket::dump_once(uint16_t type, std::string_view head,
                        std::string_view attributes, bool& changed) {
  if (auto asked = send(type, NLM_F_DUMP, head, attributes); !asked)
    return fail(std::move(asked.error()));
  return receive(false, changed);
}

result<audit_message>
audit_socket::ask_bytes(uint16_t type, std::string_view head,
                        std::string_view attributes) {
  if (auto asked = send(type, 0, head, attributes); !asked)
    return fail(std::move(asked.error()));
  auto changed = false;
  auto found = receive(true, changed);
  if (!found)
    return fail(std::move(found.error()));
  return found->empty() ? audit_message{{}} : std::move(found->front());
}

result<std::vector<audit_message>>
audit_socket::receive(bool single, bool& changed) {
  auto found = std::vector<audit_message>{};
  auto buffer = std::vector<char>(single ? answer_bytes : buffer_bytes);
  for (;;) {
    auto size = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR)
      continue;
    if (size < 0)
      return failed(errno == EAGAIN ? ETIMEDOUT : errno);
    auto done
      = take({buffer.data(), static_cast<size_t>(size)}, found, changed);
    if (!done)
      return fail(std::move(done.error()));
    if (*done || (single && !found.empty()))
      return found;
  }
}

result<bool>
audit_socket::take(std::string_view datagram, std::vector<audit_message>& found,
                   bool& changed) const {
  while (datagram.size() >= sizeof(nlmsghdr)) {
    auto header = nlmsghdr{};
    std::memcpy(&header, datagram.data(), sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > datagram.size())
      return failed(EBADMSG);
    auto body
      = datagram.substr(sizeof header, header.nlmsg_len - sizeof header);
    datagram.remove_prefix(
      std::min(aligned(header.nlmsg_len), datagram.size()));
    if (header.nlmsg_seq != sequence_)
      continue;
    changed = changed || (header.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
    if (header.nlmsg_type == NLMSG_ERROR || header.nlmsg_type == NLMSG_DONE) {
      // Both begin with an error number, zero for none.
      auto outcome = 0;
      if (body.size() >= sizeof outcome)
        std::memcpy(&outcome, body.data(), sizeof outcome);
      if (outcome < 0)
        return failed(-outcome);
      return true;
    }
    found.emplace_back(body);
  }
  return false;
}

} // namespace troupe::netns
