#include "troupe/netns/audit/chains.hpp"

#include "troupe/netns/audit/matches.hpp"
#include "troupe/netns/audit/socket.hpp"

#include <algorithm>
#include <cstring>
#include <span>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/xt_CT.h>
#include <net/if.h>
#include <netinet/in.h>

namespace troupe::netns {

namespace {

using bytes = std::string;
using maybe_bytes = std::optional<bytes>;

constexpr int deepest_jump = 16;    // As the kernel has it.
constexpr size_t ethertype_at = 12; // In a frame's header.
constexpr int tracking_priority = -200;

using content = sample_packet::content;
using tracking = sample_packet::tracking;
using fate = sample_drop::fate;

template <class T>
bytes raw(const T& x) {
  return {reinterpret_cast<const char*>(&x), sizeof x};
}

bytes raw_name(const std::string& name) {
  auto result = name;
  result.resize(IFNAMSIZ);
  return result;
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
    // The kernel fills the last word up, for values that stand side by side.
    for (auto i = at + size; value && i % 4 != 0 && i < known_.size(); ++i) {
      known_[i] = true;
      memory_[i] = '\0';
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

struct outcome {
  enum class kind : uint8_t { passes, drops, taken, renamed, goes_on };
  kind what = kind::goes_on;
  const audit_chain* chain = nullptr;
  const audit_rule* rule = nullptr;
};

/// What a rule says in the end.
struct saying {
  std::optional<audit_verdict> verdict;
  bool untracks = false;
  bool takes = false; ///< Gives it another destination; is a verdict as well.
  /// Gives it this source; a verdict as well. Without one: any.
  maybe_bytes source = {};
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

  /// What it said depends on the packet's size.
  bool asked_size() const {
    return asked_size_;
  }

  /// The rule that keeps it from being tracked, if any.
  const outcome& untracking() const {
    return untracking_;
  }

private:
  // Of a rule: whether it matches, and what it says then.
  match run(const audit_chain& chain, const audit_rule& rule, saying& says);
  match run(const audit_chain& chain, const audit_expression& x, saying& says);
  bool is_strange(const bytes& source) const;
  outcome act(const audit_chain& chain, const audit_rule& rule,
              const saying& says, int depth);

  match load_fact(const audit_expression& x);
  bool lacks(bool is_meta, uint32_t key) const;
  maybe_bytes meta(uint32_t key);
  maybe_bytes link_meta(uint32_t key) const;
  maybe_bytes tracked(uint32_t key, bool of_reply) const;
  maybe_bytes routed(const audit_attributes& x) const;
  match load_payload(const audit_attributes& x);
  bool is_known(uint32_t base, size_t offset, size_t size);
  void swap_bytes(const audit_attributes& x);
  match compare(const audit_attributes& x) const;
  match compare_range(const audit_attributes& x) const;
  void combine(const audit_attributes& x);
  match look_up(const audit_chain& chain, const audit_attributes& x,
                std::optional<audit_verdict>& verdict);

  const audit_firewall& firewall_;
  const sample_packet& packet_;
  registers registers_;
  outcome untracking_;
  bool may_pass_ = false;
  bool asked_size_ = false;
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

// A rule that asks for what a packet lacks does not match it, whatever it
// wants.
bool evaluation::lacks(bool is_meta, uint32_t key) const {
  if (!is_meta)
    return key != NFT_CT_STATE && packet_.tracked != tracking::tracked;
  switch (key) {
  case NFT_META_L4PROTO:
    return packet_.what == content::arp;
  case NFT_META_IIFKIND:
    return !packet_.in.name.empty() && packet_.in.kind.empty();
  case NFT_META_OIFKIND:
    return !packet_.out.name.empty() && packet_.out.kind.empty();
  default:
    return false;
  }
}

maybe_bytes evaluation::link_meta(uint32_t key) const {
  auto link = [&](const sample_link& x, const bytes& value) -> maybe_bytes {
    return x.name.empty() ? maybe_bytes{} : value;
  };
  switch (key) {
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
  case NFT_META_IIFKIND:
    return link(packet_.in, raw_name(packet_.in.kind));
  case NFT_META_OIFKIND:
    return link(packet_.out, raw_name(packet_.out.kind));
  case NFT_META_IIFTYPE:
    return link(packet_.in, raw(packet_.in.type));
  case NFT_META_OIFTYPE:
    return link(packet_.out, raw(packet_.out.type));
  default:
    return std::nullopt;
  }
}

maybe_bytes evaluation::meta(uint32_t key) {
  auto is_v4 = packet_.source.is_v4();
  auto is_arp = packet_.what == content::arp;
  switch (key) {
  case NFT_META_LEN:
    if (packet_.what != content::connection || packet_.is_frame)
      return std::nullopt;
    asked_size_ = true;
    return raw(uint32_t{packet_.size});
  case NFT_META_PROTOCOL:
    return raw(htons(is_arp ? ETH_P_ARP : is_v4 ? ETH_P_IP : ETH_P_IPV6));
  case NFT_META_NFPROTO:
    return bytes(1, static_cast<char>(is_arp  ? NFPROTO_ARP
                                      : is_v4 ? NFPROTO_IPV4
                                              : NFPROTO_IPV6));
  case NFT_META_L4PROTO:
    return bytes(1, static_cast<char>(ip_protocol(packet_)));
  case NFT_META_MARK:
    return bytes(4, '\0');
  case NFT_META_PKTTYPE:
    if (packet_.is_frame)
      return std::nullopt;
    return bytes(1, static_cast<char>(packet_type(packet_)));
  default:
    return link_meta(key);
  }
}

maybe_bytes evaluation::tracked(uint32_t key, bool of_reply) const {
  switch (key) {
  case NFT_CT_STATE:
    return raw(state_of(packet_));
  case NFT_CT_STATUS:
    return raw(status_of(packet_));
  case NFT_CT_MARK:
    return bytes(4, '\0');
  case NFT_CT_DIRECTION:
    return bytes(1, packet_.established ? '\1' : '\0');
  case NFT_CT_L3PROTOCOL:
    return bytes(1, packet_.source.is_v4() ? NFPROTO_IPV4 : NFPROTO_IPV6);
  case NFT_CT_PROTOCOL:
    return bytes(1, static_cast<char>(ip_protocol(packet_)));
  default:
    break;
  }
  const auto& flow = of_reply ? packet_.reply : packet_.original;
  if (!flow)
    return std::nullopt;
  auto address = [](const ip_address& x) {
    return bytes{reinterpret_cast<const char*>(x.bytes().data()),
                 x.is_v4() ? size_t{4} : size_t{16}};
  };
  switch (key) {
  case NFT_CT_SRC:
  case NFT_CT_SRC_IP:
  case NFT_CT_SRC_IP6:
    return address(flow->source);
  case NFT_CT_DST:
  case NFT_CT_DST_IP:
  case NFT_CT_DST_IP6:
    return address(flow->destination);
  case NFT_CT_PROTO_SRC:
    return raw(htons(flow->source_port));
  case NFT_CT_PROTO_DST:
    return raw(htons(flow->destination_port));
  default:
    return std::nullopt;
  }
}

// What the routing table says of its addresses.
maybe_bytes evaluation::routed(const audit_attributes& x) const {
  auto flags = word(x, NFTA_FIB_FLAGS);
  auto wanted = word(x, NFTA_FIB_RESULT);
  auto of_source = (flags & NFTA_FIB_F_SADDR) != 0;
  if (packet_.what == content::arp || packet_.is_frame)
    return std::nullopt;
  if (wanted == NFT_FIB_RESULT_ADDRTYPE) {
    if ((flags & (NFTA_FIB_F_IIF | NFTA_FIB_F_OIF)) != 0)
      return std::nullopt;
    return raw(uint32_t{address_type(packet_, of_source)});
  }
  // Where it comes from is where its answers go to.
  if (!of_source || (flags & NFTA_FIB_F_IIF) == 0 || packet_.in.name.empty())
    return std::nullopt;
  if ((flags & NFTA_FIB_F_PRESENT) != 0)
    return bytes(1, '\1');
  return wanted == NFT_FIB_RESULT_OIF ? raw(packet_.in.index)
                                      : raw_name(packet_.in.name);
}

// `meta`, `ct` and `fib`.
match evaluation::load_fact(const audit_expression& x) {
  auto data = audit_attributes{x.data};
  auto write = [&](uint32_t target, const maybe_bytes& value) {
    registers_.write(target, value, value ? value->size() : IFNAMSIZ);
    return match::yes;
  };
  if (x.name == "fib")
    return write(word(data, NFTA_FIB_DREG), routed(data));
  // Both have these two at the same places.
  static_assert(int{NFTA_META_DREG} == int{NFTA_CT_DREG}
                && int{NFTA_META_KEY} == int{NFTA_CT_KEY});
  auto target = word(data, NFTA_META_DREG);
  auto key = word(data, NFTA_META_KEY);
  auto is_meta = x.name == "meta";
  if (target == 0)
    return match::yes; // Something is set.
  if (lacks(is_meta, key))
    return match::no;
  auto of_reply = data.number<uint8_t>(NFTA_CT_DIRECTION) != 0;
  return write(target, is_meta ? meta(key) : tracked(key, of_reply));
}

// May these bytes be compared?
bool evaluation::is_known(uint32_t base, size_t offset, size_t size) {
  if (base != NFT_PAYLOAD_NETWORK_HEADER)
    return true;
  auto touches = [&](size_t first, size_t end) {
    return offset < end && first < offset + size;
  };
  if (packet_.what == content::arp) // Hardware addresses.
    return !touches(8, 14) && !touches(18, 24);
  if (packet_.source.is_v4() ? touches(2, 4) : touches(4, 6)) {
    asked_size_ = true;
    return packet_.what == content::connection;
  }
  return true;
}

match evaluation::load_payload(const audit_attributes& x) {
  auto base = word(x, NFTA_PAYLOAD_BASE);
  auto offset = size_t{word(x, NFTA_PAYLOAD_OFFSET)};
  auto size = size_t{word(x, NFTA_PAYLOAD_LEN)};
  auto header = bytes{};
  if (base == NFT_PAYLOAD_NETWORK_HEADER)
    header = network_header(packet_);
  else if (base == NFT_PAYLOAD_TRANSPORT_HEADER)
    header = packet_.what == content::arp ? bytes{} : transport_header(packet_);
  else if (base == NFT_PAYLOAD_LL_HEADER && offset == ethertype_at
           && size == sizeof(uint16_t))
    header = bytes(ethertype_at, '\0') + *meta(NFT_META_PROTOCOL);
  auto may_read
    = offset + size <= header.size() && is_known(base, offset, size);
  registers_.write(
    word(x, NFTA_PAYLOAD_DREG),
    may_read ? maybe_bytes{header.substr(offset, size)} : maybe_bytes{}, size);
  return match::yes;
}

// Between the host's order and that of the network.
void evaluation::swap_bytes(const audit_attributes& x) {
  auto size = size_t{word(x, NFTA_BYTEORDER_LEN)};
  auto step = size_t{word(x, NFTA_BYTEORDER_SIZE)};
  auto now = registers_.read(word(x, NFTA_BYTEORDER_SREG), size);
  if (step == 0 || size % step != 0)
    now.reset();
  for (size_t i = 0; now && htons(1) != 1 && i < size; i += step)
    std::reverse(now->begin() + static_cast<ptrdiff_t>(i),
                 now->begin() + static_cast<ptrdiff_t>(i + step));
  registers_.write(word(x, NFTA_BYTEORDER_DREG), now, size);
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

// Each field begins at a word of its own.
bool holds(const audit_set& set, const audit_element& x, const bytes& value) {
  if (x.key_end.empty())
    return x.key == value;
  if (x.key.size() != value.size() || x.key_end.size() != value.size())
    return false;
  auto is_between = [&](size_t at, size_t size) {
    auto part = value.substr(at, size);
    return x.key.substr(at, size) <= part && part <= x.key_end.substr(at, size);
  };
  if (set.fields.empty())
    return is_between(0, value.size());
  auto at = size_t{0};
  for (auto size : set.fields) {
    if (at + size > value.size() || !is_between(at, size))
      return false;
    at += (size + 3) / 4 * 4;
  }
  return true;
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
  const auto& elements = set->elements;
  auto is_interval
    = std::ranges::any_of(elements, &audit_element::ends_interval);
  for (const auto& element : elements) {
    if (element.catches_all)
      continue;
    auto now = registers_.read(word(x, NFTA_LOOKUP_SREG), element.key.size());
    if (!now)
      return match::unknown;
    if (is_interval)
      found = find_interval(elements, *now);
    else if (holds(*set, element, *now))
      found = &element;
    if (is_interval || found != nullptr)
      break;
  }
  if (auto rest = std::ranges::find_if(elements, &audit_element::catches_all);
      found == nullptr && rest != elements.end())
    found = &*rest;
  if (found != nullptr && found->verdict)
    verdict = found->verdict;
  auto is_inverted = (word(x, NFTA_LOOKUP_FLAGS) & NFT_LOOKUP_F_INV) != 0;
  return to_match((found != nullptr) != is_inverted);
}

// The first of a range that SNAT of iptables gives; its older form has a count
// before it.
maybe_bytes given_source(const audit_attributes& x) {
  const auto is_old = word(x, NFTA_TARGET_REV) == 0;
  const auto info = x.bytes(NFTA_TARGET_INFO);
  const auto flags_at = is_old ? sizeof(uint32_t) : size_t{0};
  auto flags = uint32_t{0};
  if (info.size() < flags_at + sizeof flags + (is_old ? 4 : 16))
    return std::nullopt;
  std::memcpy(&flags, info.data() + flags_at, sizeof flags);
  if ((flags & NF_NAT_RANGE_MAP_IPS) == 0)
    return std::nullopt;
  return bytes{info.substr(flags_at + sizeof flags, is_old ? 4 : 16)};
}

// A target of iptables.
void run_target(const audit_attributes& x, saying& says) {
  auto name = x.text(NFTA_TARGET_NAME);
  if (name == "REJECT")
    says.verdict = audit_verdict{NF_DROP, {}};
  if (name == "NFQUEUE")
    says.verdict = audit_verdict{NF_QUEUE, {}};
  if (name == "SNAT" || name == "MASQUERADE")
    says.verdict = audit_verdict{NF_ACCEPT, {}};
  if (name == "SNAT")
    says.source = given_source(x);
  if (name == "DNAT" || name == "REDIRECT")
    says.takes = true;
  auto flags = uint16_t{0};
  auto info = x.bytes(NFTA_TARGET_INFO);
  if (name == "CT" && info.size() >= sizeof flags)
    std::memcpy(&flags, info.data(), sizeof flags);
  says.untracks = name == "NOTRACK" || (flags & XT_CT_NOTRACK) != 0;
}

// What ends a rule.
void run_statement(const audit_expression& x, saying& says) {
  auto data = audit_attributes{x.data};
  if (x.name == "target")
    run_target(data, says);
  if (x.name == "reject")
    says.verdict = audit_verdict{NF_DROP, {}};
  if (x.name == "queue")
    says.verdict = audit_verdict{NF_QUEUE, {}};
  if (x.name == "notrack")
    says.untracks = true;
  auto is_nat = x.name == "nat";
  if (x.name == "redir"
      || (is_nat && word(data, NFTA_NAT_TYPE) == NFT_NAT_DNAT))
    says.takes = true;
  else if (is_nat || x.name == "masq")
    says.verdict = audit_verdict{NF_ACCEPT, {}};
}

match evaluation::run(const audit_chain& chain, const audit_expression& x,
                      saying& says) {
  auto data = audit_attributes{x.data};
  if (x.name == "meta" || x.name == "ct" || x.name == "fib")
    return load_fact(x);
  if (x.name == "payload")
    return word(data, NFTA_PAYLOAD_DREG) != 0 ? load_payload(data) : match::yes;
  if (x.name == "bitwise" || x.name == "byteorder") {
    x.name == "bitwise" ? combine(data) : swap_bytes(data);
    return match::yes;
  }
  if (x.name == "cmp")
    return compare(data);
  if (x.name == "range")
    return compare_range(data);
  if (x.name == "lookup")
    return look_up(chain, data, says.verdict);
  if (x.name == "match")
    return ask_extension(data, packet_, asked_size_);
  if (x.name == "immediate") {
    if (auto found = verdict_of(data, NFTA_IMMEDIATE_DATA))
      says.verdict = found;
    else
      registers_.write(word(data, NFTA_IMMEDIATE_DREG),
                       value_of(data, NFTA_IMMEDIATE_DATA),
                       value_of(data, NFTA_IMMEDIATE_DATA).size());
    return match::yes;
  }
  run_statement(x, says);
  if (x.name == "nat" && word(data, NFTA_NAT_TYPE) == NFT_NAT_SNAT)
    if (auto from = word(data, NFTA_NAT_REG_ADDR_MIN); from != 0)
      says.source = registers_.read(from, packet_.source.is_v4() ? 4 : 16);
  // What counts, logs or marks lets the packet go on.
  constexpr std::string_view questions[]
    = {"limit",  "quota", "rt",        "exthdr", "socket", "osf",
       "numgen", "hash",  "connlimit", "xfrm",   "last",   "tunnel"};
  return std::ranges::find(questions, x.name) == std::end(questions)
           ? match::yes
           : match::unknown;
}

match evaluation::run(const audit_chain& chain, const audit_rule& rule,
                      saying& says) {
  auto result = match::yes;
  for (const auto& x : rule.expressions) {
    auto now = run(chain, x, says);
    if (now == match::no)
      return match::no;
    if (now == match::unknown)
      result = match::unknown;
  }
  return result;
}

// Is that no address of the host's, where one is promised?
bool evaluation::is_strange(const bytes& source) const {
  const auto size = packet_.source.is_v4() ? size_t{4} : size_t{16};
  if (!packet_.homes || source.size() < size)
    return false;
  return std::ranges::none_of(*packet_.homes, [&](const ip_address& x) {
    return x.family() == packet_.source.family()
           && std::memcmp(x.bytes().data(), source.data(), size) == 0;
  });
}

// Of a rule that matches.
outcome evaluation::act(const audit_chain& chain, const audit_rule& rule,
                        const saying& says, int depth) {
  using kind = outcome::kind;
  if (says.untracks && packet_.tracked == tracking::not_yet
      && untracking_.rule == nullptr)
    untracking_ = {kind::goes_on, &chain, &rule};
  if (says.source && is_strange(*says.source))
    return {kind::renamed, &chain, &rule};
  if (says.takes)
    return {packet_.awaits_translation ? kind::taken : kind::passes, &chain,
            &rule};
  if (!says.verdict)
    return {};
  switch (says.verdict->code) {
  case NF_DROP:
    return {kind::drops, &chain, &rule};
  case NFT_CONTINUE:
  case NFT_BREAK:
    return {};
  case NFT_JUMP:
  case NFT_GOTO: {
    const auto* next = firewall_.find(chain, says.verdict->chain);
    return next != nullptr && depth < deepest_jump ? run(*next, depth + 1)
                                                   : outcome{};
  }
  default:
    return {kind::passes, &chain, &rule};
  }
}

outcome evaluation::run(const audit_chain& chain, int depth) {
  for (const auto& rule : chain.rules) {
    auto says = saying{};
    auto matches = run(chain, rule, says);
    if (matches == match::no)
      continue;
    auto code = says.verdict ? says.verdict->code : int{NFT_CONTINUE};
    if (matches == match::unknown) {
      may_pass_ |= code == NF_ACCEPT || code == NF_QUEUE;
      continue;
    }
    if (code == NFT_RETURN)
      return {};
    auto result = act(chain, rule, says, depth);
    if (result.what != outcome::kind::goes_on || code == NFT_GOTO)
      return result;
  }
  return {};
}

// What connection tracking has made of a packet where a chain sees it.
tracking tracking_at(const audit_chain& chain, const sample_packet& packet) {
  const auto is_early
    = (chain.hook == NF_INET_PRE_ROUTING || chain.hook == NF_INET_LOCAL_OUT)
      && chain.priority < tracking_priority
      && (chain.family == NFPROTO_INET || chain.family == NFPROTO_IPV4
          || chain.family == NFPROTO_IPV6);
  if (is_early || chain.family == NFPROTO_NETDEV)
    return tracking::not_yet;
  return packet.what == content::connection ? tracking::tracked
                                            : tracking::untracked;
}

std::optional<sample_drop>
to_drop(const evaluation& asked, const outcome& result,
        const audit_chain& chain, const sample_packet& packet) {
  using kind = outcome::kind;
  auto found = sample_drop{};
  const auto* by = &result;
  const auto drops = result.what == kind::drops
                     || (result.what == kind::goes_on && chain.drops);
  if (result.what == kind::taken) {
    found.what = fate::taken;
  } else if (result.what == kind::renamed) {
    found.what = fate::renamed;
  } else if (!drops) {
    if (!packet.needs_tracking || asked.untracking().rule == nullptr)
      return std::nullopt;
    found.what = fate::untracked;
    by = &asked.untracking();
  }
  if (asked.may_pass())
    return std::nullopt;
  found.where = "its policy";
  if (by->rule != nullptr) {
    found.chain = by->chain->name;
    found.handle = by->rule->handle;
    found.where
      = "rule " + std::to_string(found.handle) + " of chain " + found.chain;
  }
  return found;
}

} // namespace

std::optional<sample_drop>
ask(const audit_firewall& firewall, const audit_chain& chain,
    const sample_packet& packet) {
  auto shown = packet;
  shown.tracked = tracking_at(chain, packet);
  auto found = std::optional<sample_drop>{};
  for (auto size : {60, 576, 1500}) {
    shown.size = static_cast<uint16_t>(size);
    auto asked = evaluation{firewall, shown};
    auto result = asked.run(chain);
    found = to_drop(asked, result, chain, shown);
    if (!found || !asked.asked_size())
      break;
  }
  return found;
}

} // namespace troupe::netns
