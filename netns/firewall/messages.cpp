#include "troupe/netns/firewall/messages.hpp"

#include "troupe/netns/firewall/parts.hpp"

#include <algorithm>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
// Need the one above.
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

namespace troupe::netns::firewall {

namespace {

constexpr int type_of(int subsystem, int message) {
  return static_cast<int>(static_cast<unsigned>(subsystem) << 8U) | message;
}

uint8_t number_of(table_family x) {
  return x == table_family::inet ? NFPROTO_INET : NFPROTO_BRIDGE;
}

// Messages one after the other in one buffer; libnl would take a page and a
// few hundred nanoseconds for each.
class writer {
public:
  // Begins a message; the destructor of the nest that is returned ends it.
  size_t begin(int message, unsigned flags, table_family family) {
    auto start = out_.size();
    auto header = nlmsghdr{};
    header.nlmsg_type
      = static_cast<uint16_t>(type_of(NFNL_SUBSYS_NFTABLES, message));
    header.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
    append(&header, sizeof header);
    auto body = nfgenmsg{number_of(family), NFNETLINK_V0, 0};
    append(&body, sizeof body);
    return start;
  }

  void end(size_t start) {
    auto size = static_cast<uint32_t>(out_.size() - start);
    std::memcpy(out_.data() + start, &size, sizeof size); // nlmsg_len
  }

  void put(int type, const void* data, size_t size) {
    auto header = nlattr{static_cast<uint16_t>(NLA_HDRLEN + size),
                         static_cast<uint16_t>(type)};
    append(&header, sizeof header);
    append(data, size);
  }

  void put_text(int type, std::string_view text) {
    auto copy = std::string{text};
    put(type, copy.c_str(), copy.size() + 1);
  }

  template <class Fill>
  void nest(int type, Fill&& fill) {
    auto start = out_.size();
    put(static_cast<int>(static_cast<unsigned>(type) | NLA_F_NESTED), nullptr,
        0);
    fill();
    auto size = static_cast<uint16_t>(out_.size() - start);
    std::memcpy(out_.data() + start, &size, sizeof size); // nla_len
  }

  std::vector<uint8_t> take() {
    return std::move(out_);
  }

private:
  void append(const void* data, size_t size) {
    const auto* bytes = static_cast<const uint8_t*>(data);
    out_.insert(out_.end(), bytes, bytes + size);
    out_.resize(NLMSG_ALIGN(out_.size()));
  }

  std::vector<uint8_t> out_;
};

bool is_verdict(const set_schema& schema) {
  return !schema.data.empty() && schema.data[0] == part::verdict;
}

int verdict_code(verdict x) {
  switch (x) {
  case verdict::accept:
    return NF_ACCEPT;
  case verdict::drop:
    return NF_DROP;
  default:
    return NFT_GOTO;
  }
}

void put_data(writer& out, const set_schema& schema, const element& x) {
  if (!is_verdict(schema))
    return out.put(NFTA_DATA_VALUE, x.data.data(), x.data.size());
  auto what = static_cast<verdict>(x.data[0]);
  auto code = htonl(static_cast<uint32_t>(verdict_code(what)));
  out.nest(NFTA_DATA_VERDICT, [&] {
    out.put(NFTA_VERDICT_CODE, &code, sizeof code);
    if (verdict_code(what) == NFT_GOTO)
      out.put_text(NFTA_VERDICT_CHAIN, to_string(what));
  });
}

// The list of a message is an attribute, at most 64 KiB long.
constexpr auto most_in_message = size_t{256};

void put_element(writer& out, const set_schema& schema,
                 const element_change& x) {
  out.nest(NFTA_LIST_ELEM, [&] {
    out.nest(NFTA_SET_ELEM_KEY, [&] {
      out.put(NFTA_DATA_VALUE, x.what.key.data(), x.what.key.size());
    });
    if (x.add && !x.what.data.empty())
      out.nest(NFTA_SET_ELEM_DATA, [&] {
        put_data(out, schema, x.what);
      });
  });
}

// All of the same kind and set.
void put_changes(writer& out, const std::string& table,
                 std::span<const element_change> changes) {
  const auto add = changes[0].add;
  const auto& schema = schema_of(changes[0].what.set);
  auto start = out.begin(add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
                         add ? NLM_F_CREATE | NLM_F_EXCL : 0, schema.family);
  out.put_text(NFTA_SET_ELEM_LIST_TABLE, table);
  out.put_text(NFTA_SET_ELEM_LIST_SET, schema.name);
  out.nest(NFTA_SET_ELEM_LIST_ELEMENTS, [&] {
    for (const auto& x : changes)
      put_element(out, schema, x);
  });
  out.end(start);
}

// How many at the beginning can be in one message.
size_t alike(std::span<const element_change> changes) {
  const auto& first = changes[0];
  auto count = size_t{1};
  while (count < std::min(changes.size(), most_in_message)
         && changes[count].add == first.add
         && changes[count].what.set == first.what.set)
    ++count;
  return count;
}

std::vector<uint8_t> bytes_of(const nlattr* attribute) {
  if (attribute == nullptr)
    return {};
  const auto* data = static_cast<const uint8_t*>(nla_data(attribute));
  return {data, data + nla_len(attribute)};
}

// Empty if it is none of our verdicts.
std::vector<uint8_t> read_verdict(const nlattr* attribute) {
  auto xs = netlink_attributes<NFTA_VERDICT_MAX>::within(attribute);
  auto code = static_cast<int>(ntohl(xs.value<uint32_t>(NFTA_VERDICT_CODE)));
  auto name = code == NF_ACCEPT ? std::string{"accept"}
              : code == NF_DROP ? std::string{"drop"}
                                : xs.text(NFTA_VERDICT_CHAIN);
  auto what = verdict_from_string(name);
  if (!what || verdict_code(*what) != code)
    return {};
  return {static_cast<uint8_t>(*what)};
}

element read_element(const nlattr* attribute, const set_schema& schema) {
  auto xs = netlink_attributes<NFTA_SET_ELEM_MAX>::within(attribute);
  auto key
    = netlink_attributes<NFTA_DATA_MAX>::within(xs.find(NFTA_SET_ELEM_KEY));
  auto data
    = netlink_attributes<NFTA_DATA_MAX>::within(xs.find(NFTA_SET_ELEM_DATA));
  auto result = element{schema.id, bytes_of(key.find(NFTA_DATA_VALUE)), {}};
  result.data = is_verdict(schema) ? read_verdict(data.find(NFTA_DATA_VERDICT))
                                   : bytes_of(data.find(NFTA_DATA_VALUE));
  return result;
}

std::string family_text(uint8_t number) {
  switch (number) {
  case NFPROTO_IPV4:
    return "ip";
  case NFPROTO_IPV6:
    return "ip6";
  case NFPROTO_INET:
    return "inet";
  case NFPROTO_BRIDGE:
    return "bridge";
  default:
    return {};
  }
}

} // namespace

std::vector<uint8_t>
encode(const std::string& table, std::span<const element_change> changes,
       per_message most) {
  auto out = writer{};
  while (!changes.empty()) {
    auto count = most == per_message::many ? alike(changes) : 1;
    put_changes(out, table, changes.first(count));
    changes = changes.subspan(count);
  }
  return out.take();
}

std::vector<uint8_t>
encode_delete(table_family family, const std::string& table) {
  auto out = writer{};
  auto start = out.begin(NFT_MSG_DELTABLE, 0, family);
  out.put_text(NFTA_TABLE_NAME, table);
  out.end(start);
  return out.take();
}

netlink_message
ask_elements(const std::string& table, const set_schema& schema) {
  auto result
    = netlink_message{type_of(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETSETELEM), 0,
                      nfgenmsg{number_of(schema.family), NFNETLINK_V0, 0}};
  result.put_text(NFTA_SET_ELEM_LIST_TABLE, table);
  result.put_text(NFTA_SET_ELEM_LIST_SET, std::string{schema.name});
  return result;
}

bool read_elements(const nlmsghdr& message, const set_schema& schema,
                   std::vector<element>& out) {
  auto xs = netlink_attributes<NFTA_SET_ELEM_LIST_MAX>::of(message, nfgenmsg{});
  const auto* list = xs.find(NFTA_SET_ELEM_LIST_ELEMENTS);
  if (list == nullptr)
    return true;
  auto left = nla_len(list);
  for (auto* x = static_cast<nlattr*>(nla_data(list)); nla_ok(x, left);
       x = nla_next(x, &left)) {
    auto one = read_element(x, schema);
    if (!fits_schema(one))
      return false;
    out.push_back(std::move(one));
  }
  return true;
}

netlink_message ask_table(table_family family, const std::string& table) {
  auto result
    = netlink_message{type_of(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETTABLE), 0,
                      nfgenmsg{number_of(family), NFNETLINK_V0, 0}};
  result.put_text(NFTA_TABLE_NAME, table);
  return result;
}

netlink_message ask_generation() {
  return {type_of(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN), 0,
          nfgenmsg{AF_UNSPEC, NFNETLINK_V0, 0}};
}

uint32_t read_generation(const nlmsghdr& message) {
  auto xs = netlink_attributes<NFTA_GEN_MAX>::of(message, nfgenmsg{});
  return ntohl(xs.value<uint32_t>(NFTA_GEN_ID));
}

netlink_message ask_chains() {
  return {type_of(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETCHAIN), 0,
          nfgenmsg{AF_UNSPEC, NFNETLINK_V0, 0}};
}

netlink_message ask_sets(table_family family) {
  return {type_of(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETSET), 0,
          nfgenmsg{number_of(family), NFNETLINK_V0, 0}};
}

std::string read_chain_name(const nlmsghdr& message, table_family family,
                            const std::string& table) {
  auto body = body_of<nfgenmsg>(message);
  auto xs = netlink_attributes<NFTA_CHAIN_MAX>::of(message, body);
  auto is_in_table = body.nfgen_family == number_of(family)
                     && xs.text(NFTA_CHAIN_TABLE) == table;
  return is_in_table ? xs.text(NFTA_CHAIN_NAME) : std::string{};
}

std::string read_set_name(const nlmsghdr& message, table_family family,
                          const std::string& table) {
  auto body = body_of<nfgenmsg>(message);
  auto xs = netlink_attributes<NFTA_SET_MAX>::of(message, body);
  auto flags = ntohl(xs.value<uint32_t>(NFTA_SET_FLAGS));
  auto is_in_table = body.nfgen_family == number_of(family)
                     && xs.text(NFTA_SET_TABLE) == table;
  return is_in_table && (flags & NFT_SET_ANONYMOUS) == 0
           ? xs.text(NFTA_SET_NAME)
           : std::string{};
}

std::optional<forward_chain> read_chain(const nlmsghdr& message) {
  auto body = body_of<nfgenmsg>(message);
  auto xs = netlink_attributes<NFTA_CHAIN_MAX>::of(message, body);
  auto hook
    = netlink_attributes<NFTA_HOOK_MAX>::within(xs.find(NFTA_CHAIN_HOOK));
  auto family = family_text(body.nfgen_family);
  // The hook has the same number in all these families.
  if (!hook.has(NFTA_HOOK_HOOKNUM) || family.empty()
      || ntohl(hook.value<uint32_t>(NFTA_HOOK_HOOKNUM)) != NF_INET_FORWARD)
    return std::nullopt;
  auto result = forward_chain{};
  result.name.family = family;
  result.name.table = xs.text(NFTA_CHAIN_TABLE);
  result.name.chain = xs.text(NFTA_CHAIN_NAME);
  result.name.priority
    = static_cast<int>(ntohl(hook.value<uint32_t>(NFTA_HOOK_PRIORITY)));
  result.drops
    = ntohl(xs.value<uint32_t>(NFTA_CHAIN_POLICY, htonl(NF_ACCEPT))) == NF_DROP;
  return result;
}

} // namespace troupe::netns::firewall
