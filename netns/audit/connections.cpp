#include "troupe/netns/audit/connections.hpp"

#include "troupe/netns/audit/socket.hpp"

#include <netinet/in.h>
// Needs the one above.
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

namespace troupe::netns {

namespace {

constexpr auto list_all
  = static_cast<uint16_t>(NFNL_SUBSYS_CTNETLINK << 8U | IPCTNL_MSG_CT_GET);

struct side {
  ip_address address;
  uint16_t port = 0;
};

side read_side(const audit_attributes& tuple, int v4, int v6, int port) {
  auto addresses = tuple.inside(CTA_TUPLE_IP);
  auto bytes = addresses.bytes(v4);
  auto family = bytes.size() == 4 ? ip_family::v4 : ip_family::v6;
  if (bytes.size() != 4)
    bytes = addresses.bytes(v6);
  auto result = side{};
  if (bytes.size() == 4 || bytes.size() == 16)
    result.address = ip_address::from_bytes(
      family, reinterpret_cast<const uint8_t*>(bytes.data()));
  result.port = ntohs(tuple.inside(CTA_TUPLE_PROTO).number<uint16_t>(port));
  return result;
}

} // namespace

result<std::vector<audit_connection>> read_audit_connections() {
  auto socket = audit_socket::open(NETLINK_NETFILTER);
  if (!socket)
    return fail(std::move(socket.error()));
  auto found = socket->dump(list_all, nfgenmsg{});
  if (!found)
    return fail(with_context(std::move(found.error()), "connections"));
  auto result = std::vector<audit_connection>{};
  for (const auto& message : *found) {
    auto all = message.attributes(sizeof(nfgenmsg));
    auto asked = all.inside(CTA_TUPLE_ORIG);
    auto client
      = read_side(asked, CTA_IP_V4_SRC, CTA_IP_V6_SRC, CTA_PROTO_SRC_PORT);
    auto host
      = read_side(asked, CTA_IP_V4_DST, CTA_IP_V6_DST, CTA_PROTO_DST_PORT);
    auto server = read_side(all.inside(CTA_TUPLE_REPLY), CTA_IP_V4_SRC,
                            CTA_IP_V6_SRC, CTA_PROTO_SRC_PORT);
    if (host.address != server.address || host.port != server.port)
      result.push_back(
        {asked.inside(CTA_TUPLE_PROTO).number<uint8_t>(CTA_PROTO_NUM),
         client.address, client.port, host.address, host.port, server.address,
         server.port});
  }
  return result;
}

} // namespace troupe::netns
