#include "troupe/netns/audit_chains.hpp"

#include "troupe/netns/audit_socket.hpp"

#include <algorithm>
#include <cstring>
#include <span>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_devgroup.h>
#include <linux/netfilter/xt_mark.h>
#include <net/if.h>
#include <netinet/in.h>

namespace troupe::netns {

namespace {

using bytes = std::string;
using maybe_bytes = std::optional<bytes>;

constexpr int deepest_jump = 16; // As the kernel has it.

// Bits of `ct state`; see NF_CT_STATE_BIT of the kernel.
constexpr uint32_t state_established = 2;
constexpr uint32_t state_new = 8;

template <class T>
bytes raw(const T& x) {
  return {reinterpret_cast<const char*>(&x), sizeof x};
}

bytes raw_name(const std::string& name) {
  auto result = name;
  result.resize(IFNAMSIZ);
  return result;
}

uint32_t state_of(const sample_packet& x) {
  return x.established ? state_established : state_new;
}

// -- registers ----------------------------------------------------------------

/// The registers of a rule, byte by byte known or not.
class registers {
public:
  void write(uint32_t number, const maybe_bytes& value, size_t size) {
    auto at = place(number);
    for (size_t i = 0; i < size && at + i < known_.size(); ++i) {
      known_[at + i] = value && i < value->size();
      memory_[at + i] = known_[at + i] ? (*value)[i] : '\0';
    }
  }

  maybe_bytes read(uint32_t number, size_t size) const {
    auto at = place(number);
    if (at + size > known_.size())
      return std::nullopt;
    for (size_t i = 0; i < size; ++i)
      if (!known_[at + i])
        return std::nullopt;
    return bytes{memory_.data() + at, size};
  }

private:
  // The first four are 16 bytes long; the others name words of the same memory.
  static size_t place(uint32_t number) {
    return number <= NFT_REG_4 ? number * 16 : (number - 4) * 4;
  }

  std::array<char, 96> memory_{};
  std::bitset<96> known_;
};

// -- evaluation ---------------------------------------------------------------

enum class match : uint8_t { yes, no, unknown };

match to_match(bool x) {
  return x ? match::yes : match::no;
}

struct outcome {
  enum class kind : uint8_t { passes, drops, goes_on };
  kind what = kind::goes_on;
  std::string where;
};

class evaluation {
public:
  evaluation(const audit_firewall& firewall, const sample_packet& packet)
    : firewall_{firewall}, packet_{packet} {
  }

  outcome run(const audit_chain& chain, int depth = 0);

  /// Something that we cannot know might have let it pass.
  bool may_pass() const {
    return may_pass_;
  }

private:
  // Of a rule: whether it matches, and what it says then.
  match run(const audit_chain& chain, const audit_rule& rule,
            std::optional<audit_verdict>& verdict);
  match run(const audit_chain& chain, const audit_expression& x,
            std::optional<audit_verdict>& verdict);

  maybe_bytes meta(uint32_t key) const;
  maybe_bytes tracked(uint32_t key) const;
  match load_payload(const audit_attributes& x);
  match compare(const audit_attributes& x) const;
  match compare_range(const audit_attributes& x) const;
  void combine(const audit_attributes& x);
  match look_up(const audit_chain& chain, const audit_attributes& x,
                std::optional<audit_verdict>& verdict);
  match extension(const audit_attributes& x) const;

  const audit_firewall& firewall_;
  const sample_packet& packet_;
  registers registers_;
  bool may_pass_ = false;
};

uint32_t word(const audit_attributes& x, int type) {
  return ntohl(x.number<uint32_t>(type));
}

bytes value_of(const audit_attributes& x, int type) {
  return bytes{x.inside(type).bytes(NFTA_DATA_VALUE)};
}

std::optional<audit_verdict> verdict_of(const audit_attributes& x, int type) {
  auto verdict = x.inside(type).inside(NFTA_DATA_VERDICT);
  if (verdict.bytes(NFTA_VERDICT_CODE).empty())
    return std::nullopt;
  return audit_verdict{static_cast<int>(word(verdict, NFTA_VERDICT_CODE)),
                       verdict.text(NFTA_VERDICT_CHAIN)};
}

maybe_bytes evaluation::meta(uint32_t key) const {
  auto link = [&](const sample_link& x, const bytes& value) -> maybe_bytes {
    return x.name.empty() ? maybe_bytes{} : value;
  };
  auto is_v4 = packet_.source.is_v4();
  switch (key) {
  case NFT_META_PROTOCOL:
    return raw(htons(is_v4 ? ETH_P_IP : ETH_P_IPV6));
  case NFT_META_NFPROTO:
    return bytes(1, is_v4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
  case NFT_META_L4PROTO:
    return bytes(1, static_cast<char>(ip_protocol(packet_)));
  case NFT_META_MARK:
    return bytes(4, '\0');
  case NFT_META_IIF:
    return link(packet_.in, raw(packet_.in.index));
  case NFT_META_OIF:
    return link(packet_.out, raw(packet_.out.index));
  case NFT_META_IIFNAME:
    return link(packet_.in, raw_name(packet_.in.name));
  case NFT_META_OIFNAME:
    return link(packet_.out, raw_name(packet_.out.name));
  case NFT_META_IIFGROUP:
    return link(packet_.in, raw(packet_.in.group));
  case NFT_META_OIFGROUP:
    return link(packet_.out, raw(packet_.out.group));
  default:
    return std::nullopt;
  }
}

maybe_bytes evaluation::tracked(uint32_t key) const {
  switch (key) {
  case NFT_CT_STATE:
    return raw(state_of(packet_));
  case NFT_CT_STATUS:
    return raw(packet_.translated ? static_cast<uint32_t>(IPS_DST_NAT) : 0U);
  case NFT_CT_MARK:
    return bytes(4, '\0');
  default:
    return std::nullopt;
  }
}

match evaluation::load_payload(const audit_attributes& x) {
  auto base = word(x, NFTA_PAYLOAD_BASE);
  auto offset = size_t{word(x, NFTA_PAYLOAD_OFFSET)};
  auto size = size_t{word(x, NFTA_PAYLOAD_LEN)};
  auto header = bytes{};
  if (base == NFT_PAYLOAD_NETWORK_HEADER)
    header = network_header(packet_);
  else if (base == NFT_PAYLOAD_TRANSPORT_HEADER)
    header = transport_header(packet_);
  auto is_known = offset + size <= header.size();
  registers_.write(
    word(x, NFTA_PAYLOAD_DREG),
    is_known ? maybe_bytes{header.substr(offset, size)} : maybe_bytes{}, size);
  return match::yes;
}

match evaluation::compare(const audit_attributes& x) const {
  auto wanted = value_of(x, NFTA_CMP_DATA);
  auto now = registers_.read(word(x, NFTA_CMP_SREG), wanted.size());
  if (!now)
    return match::unknown;
  auto order = std::memcmp(now->data(), wanted.data(), wanted.size());
  switch (word(x, NFTA_CMP_OP)) {
  case NFT_CMP_EQ:
    return to_match(order == 0);
  case NFT_CMP_NEQ:
    return to_match(order != 0);
  case NFT_CMP_LT:
    return to_match(order < 0);
  case NFT_CMP_LTE:
    return to_match(order <= 0);
  case NFT_CMP_GT:
    return to_match(order > 0);
  case NFT_CMP_GTE:
    return to_match(order >= 0);
  default:
    return match::unknown;
  }
}

match evaluation::compare_range(const audit_attributes& x) const {
  auto from = value_of(x, NFTA_RANGE_FROM_DATA);
  auto to = value_of(x, NFTA_RANGE_TO_DATA);
  auto now = registers_.read(word(x, NFTA_RANGE_SREG), from.size());
  if (!now)
    return match::unknown;
  auto inside = from <= *now && *now <= to;
  return to_match(inside == (word(x, NFTA_RANGE_OP) == NFT_RANGE_EQ));
}

void evaluation::combine(const audit_attributes& x) {
  auto size = size_t{word(x, NFTA_BITWISE_LEN)};
  auto now = registers_.read(word(x, NFTA_BITWISE_SREG), size);
  auto mask = value_of(x, NFTA_BITWISE_MASK);
  auto flip = value_of(x, NFTA_BITWISE_XOR);
  if (mask.size() != size || flip.size() != size)
    now.reset(); // A shift.
  for (size_t i = 0; now && i < size; ++i)
    (*now)[i] = static_cast<char>(((*now)[i] & mask[i]) ^ flip[i]);
  registers_.write(word(x, NFTA_BITWISE_DREG), now, size);
}

bool holds(const audit_element& x, const bytes& value) {
  return x.key_end.empty() ? x.key == value
                           : x.key <= value && value <= x.key_end;
}

// Elements of an interval set are the points where something begins or ends.
const audit_element*
find_interval(const std::vector<audit_element>& set, const bytes& value) {
  const audit_element* last = nullptr;
  for (const auto& x : set)
    if (!x.catches_all && x.key.size() == value.size() && x.key <= value
        && (last == nullptr || last->key < x.key
            || (last->key == x.key && last->ends_interval)))
      last = &x;
  return last != nullptr && !last->ends_interval ? last : nullptr;
}

match evaluation::look_up(const audit_chain& chain, const audit_attributes& x,
                          std::optional<audit_verdict>& verdict) {
  const auto* set = firewall_.find_set(chain, x.text(NFTA_LOOKUP_SET));
  if (set == nullptr)
    return match::unknown;
  const audit_element* found = nullptr;
  auto is_interval = std::ranges::any_of(*set, &audit_element::ends_interval);
  for (const auto& element : *set) {
    if (element.catches_all)
      continue;
    auto now = registers_.read(word(x, NFTA_LOOKUP_SREG), element.key.size());
    if (!now)
      return match::unknown;
    if (is_interval)
      found = find_interval(*set, *now);
    else if (holds(element, *now))
      found = &element;
    if (is_interval || found != nullptr)
      break;
  }
  if (auto rest = std::ranges::find_if(*set, &audit_element::catches_all);
      found == nullptr && rest != set->end())
    found = &*rest;
  if (found != nullptr && found->verdict)
    verdict = found->verdict;
  auto is_inverted = (word(x, NFTA_LOOKUP_FLAGS) & NFT_LOOKUP_F_INV) != 0;
  return to_match((found != nullptr) != is_inverted);
}

template <class Info>
Info info_of(const audit_attributes& x) {
  auto memory = x.bytes(NFTA_MATCH_INFO);
  auto result = Info{};
  std::memcpy(&result, memory.data(), std::min(memory.size(), sizeof result));
  return result;
}

match match_group(const xt_devgroup_info& x, const sample_packet& packet) {
  auto side = [&](const sample_link& link, uint32_t flag, uint32_t invert,
                  uint32_t group, uint32_t mask) {
    if ((x.flags & flag) == 0)
      return match::yes;
    if (link.name.empty())
      return match::unknown;
    return to_match(((link.group & mask) == group)
                    != ((x.flags & invert) != 0));
  };
  auto in = side(packet.in, XT_DEVGROUP_MATCH_SRC, XT_DEVGROUP_INVERT_SRC,
                 x.src_group, x.src_mask);
  auto out = side(packet.out, XT_DEVGROUP_MATCH_DST, XT_DEVGROUP_INVERT_DST,
                  x.dst_group, x.dst_mask);
  if (in == match::no || out == match::no)
    return match::no;
  return in == match::yes ? out : in;
}

match match_state(const xt_conntrack_mtinfo3& x, const sample_packet& packet) {
  if ((x.match_flags & ~XT_CONNTRACK_STATE) != 0)
    return match::unknown;
  auto is = state_of(packet);
  if (packet.translated)
    is |= XT_CONNTRACK_STATE_DNAT;
  auto inverted = (x.invert_flags & XT_CONNTRACK_STATE) != 0;
  return to_match(((x.state_mask & is) != 0) != inverted);
}

// Matches of iptables.
match evaluation::extension(const audit_attributes& x) const {
  auto name = x.text(NFTA_MATCH_NAME);
  if (name == "comment")
    return match::yes;
  if (name == "devgroup")
    return match_group(info_of<xt_devgroup_info>(x), packet_);
  if (name == "conntrack" && word(x, NFTA_MATCH_REV) >= 2)
    return match_state(info_of<xt_conntrack_mtinfo3>(x), packet_);
  if (name == "mark" && word(x, NFTA_MATCH_REV) == 1) {
    auto info = info_of<xt_mark_mtinfo1>(x);
    return to_match((info.mark == 0) != (info.invert != 0));
  }
  return match::unknown;
}

match evaluation::run(const audit_chain& chain, const audit_expression& x,
                      std::optional<audit_verdict>& verdict) {
  auto data = audit_attributes{x.data};
  if (x.name == "meta" || x.name == "ct") {
    // Both have these two at the same places.
    static_assert(int{NFTA_META_DREG} == int{NFTA_CT_DREG}
                  && int{NFTA_META_KEY} == int{NFTA_CT_KEY});
    auto target = word(data, NFTA_META_DREG);
    auto key = word(data, NFTA_META_KEY);
    auto value = x.name == "meta" ? meta(key) : tracked(key);
    if (target != 0) // Else something is set.
      registers_.write(target, value, value ? value->size() : IFNAMSIZ);
    return match::yes;
  }
  if (x.name == "payload")
    return word(data, NFTA_PAYLOAD_DREG) != 0 ? load_payload(data) : match::yes;
  if (x.name == "bitwise") {
    combine(data);
    return match::yes;
  }
  if (x.name == "cmp")
    return compare(data);
  if (x.name == "range")
    return compare_range(data);
  if (x.name == "lookup")
    return look_up(chain, data, verdict);
  if (x.name == "match")
    return extension(data);
  if (x.name == "immediate") {
    if (auto found = verdict_of(data, NFTA_IMMEDIATE_DATA))
      verdict = found;
    else
      registers_.write(word(data, NFTA_IMMEDIATE_DREG),
                       value_of(data, NFTA_IMMEDIATE_DATA),
                       value_of(data, NFTA_IMMEDIATE_DATA).size());
    return match::yes;
  }
  if (x.name == "reject"
      || (x.name == "target" && data.text(NFTA_TARGET_NAME) == "REJECT"))
    verdict = audit_verdict{NF_DROP, {}};
  // What counts, logs, marks or translates lets the packet go on.
  constexpr std::string_view questions[]
    = {"limit",  "quota", "fib",       "rt",   "exthdr", "socket",    "osf",
       "numgen", "hash",  "connlimit", "xfrm", "last",   "byteorder", "tunnel"};
  return std::ranges::find(questions, x.name) == std::end(questions)
           ? match::yes
           : match::unknown;
}

match evaluation::run(const audit_chain& chain, const audit_rule& rule,
                      std::optional<audit_verdict>& verdict) {
  auto result = match::yes;
  for (const auto& x : rule.expressions) {
    auto now = run(chain, x, verdict);
    if (now == match::no)
      return match::no;
    if (now == match::unknown)
      result = match::unknown;
  }
  return result;
}

outcome evaluation::run(const audit_chain& chain, int depth) {
  for (const auto& rule : chain.rules) {
    auto verdict = std::optional<audit_verdict>{};
    auto matches = run(chain, rule, verdict);
    if (matches == match::no || !verdict)
      continue;
    if (matches == match::unknown) {
      may_pass_ |= verdict->code == NF_ACCEPT || verdict->code == NF_QUEUE;
      continue;
    }
    auto where
      = "rule " + std::to_string(rule.handle) + " of chain " + chain.name;
    switch (verdict->code) {
    case NF_DROP:
      return {outcome::kind::drops, where};
    case NFT_CONTINUE:
    case NFT_BREAK:
      continue;
    case NFT_RETURN:
      return {};
    case NFT_JUMP:
    case NFT_GOTO: {
      const auto* next = firewall_.find(chain, verdict->chain);
      auto result = next != nullptr && depth < deepest_jump
                      ? run(*next, depth + 1)
                      : outcome{};
      if (result.what != outcome::kind::goes_on || verdict->code == NFT_GOTO)
        return result;
      continue;
    }
    default:
      return {outcome::kind::passes, where};
    }
  }
  return {};
}

} // namespace

std::optional<sample_drop>
ask(const audit_firewall& firewall, const audit_chain& chain,
    const sample_packet& packet) {
  auto asked = evaluation{firewall, packet};
  auto result = asked.run(chain);
  auto drops = result.what == outcome::kind::drops
               || (result.what == outcome::kind::goes_on && chain.drops);
  if (!drops || asked.may_pass())
    return std::nullopt;
  return sample_drop{
    &chain, result.what == outcome::kind::drops ? result.where : "its policy"};
}

} // namespace troupe::netns
