#include "troupe/netns/simulated/rules.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/netns/firewall/parts.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <mutex>

#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>

namespace troupe::netns::simulation {

namespace {

namespace fw = firewall;
using does = rule_part::does;
using words = std::vector<std::string_view>;

// -- what rules ask about -----------------------------------------------------

enum class field : uint8_t {
  mark,
  nf_proto,
  l4_proto,
  in_group,
  out_group,
  in_kind,
  out_kind,
  in_name,
  out_name,
  state,
  status,
  source4,
  to4,
  source6,
  to6,
  any_port,
  udp_source_port,
  udp_port,
  ether_source,
  ether_type,
  arp_mac,
  arp_source,
  igmp_type,
  icmp6_type,
  nd_target,
  route_type,
};

enum class type : uint8_t { text, number, flags, address, mac };

struct field_row {
  std::string_view name;
  field what;
  type is;
  size_t size; ///< Bytes.
};

constexpr field_row all_fields[] = {
  {"meta mark", field::mark, type::number, 4},
  {"meta nfproto", field::nf_proto, type::number, 1},
  {"meta l4proto", field::l4_proto, type::number, 1},
  {"meta iifgroup", field::in_group, type::number, 4},
  {"meta oifgroup", field::out_group, type::number, 4},
  {"meta iifkind", field::in_kind, type::text, IFNAMSIZ},
  {"meta oifkind", field::out_kind, type::text, IFNAMSIZ},
  {"iifname", field::in_name, type::text, IFNAMSIZ},
  {"oifname", field::out_name, type::text, IFNAMSIZ},
  {"ct state", field::state, type::flags, 4},
  {"ct status", field::status, type::flags, 4},
  {"ip saddr", field::source4, type::address, 4},
  {"ip daddr", field::to4, type::address, 4},
  {"ip6 saddr", field::source6, type::address, 16},
  {"ip6 daddr", field::to6, type::address, 16},
  {"th dport", field::any_port, type::number, 2},
  {"udp sport", field::udp_source_port, type::number, 2},
  {"udp dport", field::udp_port, type::number, 2},
  {"ether saddr", field::ether_source, type::mac, 6},
  {"ether type", field::ether_type, type::number, 2},
  {"arp saddr ether", field::arp_mac, type::mac, 6},
  {"arp saddr ip", field::arp_source, type::address, 4},
  {"igmp type", field::igmp_type, type::number, 1},
  {"icmpv6 type", field::icmp6_type, type::number, 1},
  {"@th,64,128", field::nd_target, type::address, 16},
  {"fib daddr type", field::route_type, type::number, 4},
};

// In the order of `field`.
const field_row& row_of(uint8_t what) {
  return all_fields[what];
}

// Some of the numbers that nft has names for.
struct name_row {
  std::string_view name;
  field what;
  uint32_t number;
};

constexpr uint32_t state_invalid = 1;
constexpr uint32_t state_established = 2;
constexpr uint32_t state_related = 4;
constexpr uint32_t state_new = 8;
constexpr uint32_t state_untracked = 64;
constexpr uint32_t status_dnat = 32;
constexpr uint32_t type_local = 2;
constexpr uint32_t ether_ip = 0x0800;
constexpr uint32_t ether_arp = 0x0806;
constexpr uint32_t ether_ip6 = 0x86dd;
constexpr uint32_t nf_ipv4 = 2;
constexpr uint32_t nf_ipv6 = 10;

constexpr name_row all_names[] = {
  {"invalid", field::state, state_invalid},
  {"untracked", field::state, state_untracked},
  {"new", field::state, state_new},
  {"established", field::state, state_established},
  {"related", field::state, state_related},
  {"dnat", field::status, status_dnat},
  {"local", field::route_type, type_local},
  {"arp", field::ether_type, ether_arp},
  {"ip", field::ether_type, ether_ip},
  {"ip6", field::ether_type, ether_ip6},
  {"tcp", field::l4_proto, IPPROTO_TCP},
  {"udp", field::l4_proto, IPPROTO_UDP},
  {"icmp", field::l4_proto, IPPROTO_ICMP},
  {"ipv6-icmp", field::l4_proto, IPPROTO_ICMPV6},
  {"pim", field::l4_proto, IPPROTO_PIM},
  {"membership-report-v1", field::igmp_type, 0x12},
  {"membership-report-v2", field::igmp_type, 0x16},
  {"leave-group", field::igmp_type, 0x17},
  {"membership-report-v3", field::igmp_type, 0x22},
  {"mld-listener-query", field::icmp6_type, 130},
  {"nd-router-advert", field::icmp6_type, ND_ROUTER_ADVERT},
  {"nd-neighbor-solicit", field::icmp6_type, ND_NEIGHBOR_SOLICIT},
  {"nd-neighbor-advert", field::icmp6_type, ND_NEIGHBOR_ADVERT},
  {"nd-redirect", field::icmp6_type, ND_REDIRECT},
  {"mld2-listener-report", field::icmp6_type, 143},
};

octets of_number(uint32_t x, size_t size) {
  auto result = octets{};
  result.size = size;
  for (size_t i = 0; i < size; ++i)
    result.data[size - 1 - i] = static_cast<uint8_t>(x >> (8 * i));
  return result;
}

octets of_bytes(const uint8_t* bytes, size_t size) {
  auto result = octets{};
  result.size = size;
  std::memcpy(result.data.data(), bytes, size);
  return result;
}

octets of_text(std::string_view x) {
  auto result = octets{};
  result.size = IFNAMSIZ;
  std::ranges::copy(x.substr(0, IFNAMSIZ - 1), result.data.begin());
  return result;
}

octets of_address(const ip_address& x) {
  return of_bytes(x.bytes().data(), x.is_v4() ? 4 : 16);
}

uint32_t transport_of(const hooked_packet& x) {
  if (x.what == hooked_packet::kind::advertised)
    return IPPROTO_ICMPV6;
  return x.proto == protocol::tcp   ? IPPROTO_TCP
         : x.proto == protocol::udp ? IPPROTO_UDP
                                    : IPPROTO_SCTP;
}

std::optional<octets>
link_value(const simulated_link* link, field what, size_t size) {
  switch (what) {
  case field::in_name:
  case field::out_name:
    return of_text(link != nullptr ? link->info.name : "");
  case field::in_kind:
  case field::out_kind:
    if (link == nullptr)
      return std::nullopt;
    return of_text(link->info.kind);
  default: // groups
    if (link == nullptr)
      return std::nullopt;
    return of_number(link->info.group, size);
  }
}

std::optional<octets> address_value(const hooked_packet& x, field what) {
  auto v6 = what == field::source6 || what == field::to6;
  if (v6 != x.to.is_v6())
    return std::nullopt;
  return of_address(what == field::to4 || what == field::to6 ? x.to : x.source);
}

// Of what only some packets have.
std::optional<octets>
special_value(const hooked_packet& x, const field_row& row) {
  using kind = hooked_packet::kind;
  switch (row.what) {
  case field::arp_mac:
    if (x.what == kind::arp)
      return of_bytes(x.mac.bytes.data(), 6);
    break;
  case field::arp_source:
    if (x.what == kind::arp)
      return of_address(x.source);
    break;
  case field::icmp6_type:
    if (x.what == kind::advertised)
      return of_number(ND_NEIGHBOR_ADVERT, 1);
    break;
  case field::nd_target:
    if (x.what == kind::advertised)
      return of_address(x.source);
    break;
  case field::any_port:
    if (x.what == kind::data)
      return of_number(x.port, 2);
    break;
  case field::udp_port:
  case field::udp_source_port:
    if (x.what == kind::data && x.proto == protocol::udp)
      return of_number(row.what == field::udp_port ? x.port : x.source_port, 2);
    break;
  default: // igmp
    break;
  }
  return std::nullopt;
}

/// What a packet has there; nothing ends the rule.
std::optional<octets> value_of(const hooked_packet& x, const field_row& row) {
  auto is_arp = x.what == hooked_packet::kind::arp;
  switch (row.what) {
  case field::mark:
    return of_number(0, row.size);
  case field::nf_proto:
    return of_number(x.to.is_v4() ? nf_ipv4 : nf_ipv6, row.size);
  case field::l4_proto:
    if (is_arp)
      return std::nullopt;
    return of_number(transport_of(x), row.size);
  case field::in_group:
  case field::in_kind:
  case field::in_name:
    return link_value(x.in, row.what, row.size);
  case field::out_group:
  case field::out_kind:
  case field::out_name:
    return link_value(x.out, row.what, row.size);
  case field::state:
    return of_number(x.is_known ? state_established : state_new, row.size);
  case field::status:
    return of_number(x.translated ? status_dnat : 0, row.size);
  case field::source4:
  case field::to4:
  case field::source6:
  case field::to6:
    return is_arp ? std::nullopt : address_value(x, row.what);
  case field::ether_source:
    return of_bytes(x.mac.bytes.data(), x.mac.bytes.size());
  case field::ether_type:
    return of_number(is_arp         ? ether_arp
                     : x.to.is_v4() ? ether_ip
                                    : ether_ip6,
                     row.size);
  case field::route_type:
    return of_number(x.for_host ? type_local : 1, row.size);
  default:
    return special_value(x, row);
  }
}

std::optional<octets>
value_of(const hooked_packet& x, const std::vector<uint8_t>& fields) {
  if (fields.size() == 1)
    return value_of(x, row_of(fields.front()));
  auto result = octets{};
  for (auto number : fields) {
    auto part = value_of(x, row_of(number));
    if (!part)
      return std::nullopt;
    std::memcpy(result.data.data() + result.size, part->data.data(),
                part->size);
    result.size += (part->size + 3) / 4 * 4;
  }
  return result;
}

// -- reading ------------------------------------------------------------------

words split(std::string_view line) {
  auto result = words{};
  while (true) {
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    if (line.empty())
      return result;
    auto word = line.substr(0, line.find(' '));
    line.remove_prefix(word.size());
    result.push_back(word);
  }
}

class reader {
public:
  explicit reader(words line, fw::table_family family)
    : words_{std::move(line)}, family_{family} {
  }

  /// Empty if something is not known.
  std::optional<std::vector<rule_part>> read() {
    auto result = std::vector<rule_part>{};
    while (at_ < words_.size()) {
      auto part = rule_part{};
      if (!read_statement(part) && !read_condition(part))
        return std::nullopt;
      result.push_back(std::move(part));
    }
    return result;
  }

private:
  bool is_next(std::string_view x) {
    if (at_ >= words_.size() || words_[at_] != x)
      return false;
    ++at_;
    return true;
  }

  std::string_view next() {
    return at_ < words_.size() ? words_[at_++] : std::string_view{};
  }

  bool read_statement(rule_part& part) {
    using pair = std::pair<std::string_view, does>;
    for (auto [word, what] :
         {pair{"accept", does::accepts}, pair{"drop", does::drops},
          pair{"return", does::returns}, pair{"masquerade", does::masks}})
      if (is_next(word)) {
        part.what = what;
        return true;
      }
    if (is_next("goto")) {
      part.what = does::goes_to;
      part.target = next();
      return true;
    }
    auto is_target = is_next("dnat");
    if (!is_target && !is_next("snat"))
      return false;
    part.what = is_target ? does::gives_target : does::gives_source;
    part.family = next() == "ip" ? ip_family::v4 : ip_family::v6;
    return is_next("to") && read_fields(part) && is_next("map")
           && read_set(part);
  }

  bool read_field(rule_part& part) {
    auto text = std::string{};
    for (auto at = at_; at < std::min(at_ + 3, words_.size()); ++at) {
      text += (text.empty() ? "" : " ") + std::string{words_[at]};
      for (const auto& row : all_fields)
        if (row.name == text) {
          part.fields.push_back(static_cast<uint8_t>(row.what));
          part.is_flags = row.is == type::flags;
          at_ = at + 1;
          return true;
        }
    }
    return false;
  }

  bool read_fields(rule_part& part) {
    do
      if (!read_field(part))
        return false;
    while (is_next("."));
    return true;
  }

  bool read_set(rule_part& part) {
    auto name = next();
    const auto* set
      = name.starts_with('@') ? fw::find_set(family_, name.substr(1)) : nullptr;
    if (set != nullptr)
      part.set = set->id;
    return set != nullptr;
  }

  bool read_condition(rule_part& part) {
    if (!read_fields(part))
      return false;
    if (is_next("vmap")) {
      part.what = does::looks_up;
      return read_set(part);
    }
    if (is_next("&")) {
      part.what = does::masked;
      return read_value(part, next()) && is_next("==")
             && read_value(part, next());
    }
    part.what = is_next("!=")  ? does::differs
                : is_next(">") ? does::is_above
                               : does::equals;
    if (at_ < words_.size() && words_[at_].starts_with('@')) {
      part.what = part.what == does::differs ? does::is_not_in : does::is_in;
      return read_set(part);
    }
    if (!is_next("{"))
      return read_values(part, next());
    while (!is_next("}"))
      if (at_ >= words_.size() || !read_values(part, next()))
        return false;
    return true;
  }

  // `a,b`, `a,`
  static bool read_values(rule_part& part, std::string_view text) {
    while (!text.empty()) {
      auto one = text.substr(0, text.find(','));
      if (!read_value(part, one))
        return false;
      text.remove_prefix(std::min(one.size() + 1, text.size()));
    }
    return !part.values.empty();
  }

  static bool read_value(rule_part& part, std::string_view text) {
    const auto& row = row_of(part.fields.front());
    auto add = [&](const octets& x, size_t bits) {
      part.values.emplace_back(x, bits);
      return true;
    };
    if (row.is == type::text) {
      if (text.size() < 2 || text.front() != '"' || text.back() != '"')
        return false;
      return add(of_text(text.substr(1, text.size() - 2)), 8 * IFNAMSIZ);
    }
    if (row.is == type::address) {
      if (auto subnet = prefix::parse(text))
        return add(of_address(subnet->address()), subnet->length());
      auto address = ip_address::parse(text);
      return address && add(of_address(*address), 8 * row.size);
    }
    for (const auto& name : all_names)
      if (name.what == row.what && name.name == text)
        return add(of_number(name.number, row.size), 8 * row.size);
    auto base = text.starts_with("0x") ? 16 : 10;
    if (base == 16)
      text.remove_prefix(2);
    auto number = uint32_t{0};
    const auto* end = text.data() + text.size();
    auto [stop, problem] = std::from_chars(text.data(), end, number, base);
    return problem == std::errc{} && stop == end
           && add(of_number(number, row.size), 8 * row.size);
  }

  words words_;
  size_t at_ = 0;
  fw::table_family family_;
};

// -- asking -------------------------------------------------------------------

bool has_prefix(const octets& x, const octets& wanted, size_t bits) {
  if (x.size != wanted.size)
    return false;
  auto whole = bits / 8;
  if (std::memcmp(x.data.data(), wanted.data.data(), whole) != 0)
    return false;
  auto rest = bits % 8;
  return rest == 0 || (x.data[whole] ^ wanted.data[whole]) >> (8 - rest) == 0;
}

bool has_common_bit(const octets& x, const octets& y) {
  for (size_t i = 0; i < x.size; ++i)
    if ((x.data[i] & y.data[i]) != 0)
      return true;
  return false;
}

bool is_equal(const rule_part& part, const octets& x) {
  return std::ranges::any_of(part.values, [&](const auto& y) {
    return part.is_flags ? has_common_bit(x, y.first)
                         : has_prefix(x, y.first, y.second);
  });
}

bool is_masked(const rule_part& part, const octets& x) {
  for (size_t i = 0; i < x.size; ++i)
    if ((x.data[i] & part.values[0].first.data[i])
        != part.values[1].first.data[i])
      return false;
  return true;
}

const fw::element*
find(std::span<const fw::element> elements, fw::set_id set, const octets& key) {
  auto wanted = std::span{key.data.data(), key.size};
  auto is_before = [&](const fw::element& x) {
    return x.set < set
           || (x.set == set
               && std::ranges::lexicographical_compare(x.key, wanted));
  };
  auto at = std::ranges::partition_point(elements, is_before);
  return at != elements.end() && at->set == set
             && std::ranges::equal(at->key, wanted)
           ? &*at
           : nullptr;
}

/// One packet in one table.
class inquiry {
public:
  inquiry(const rule_text& text, std::span<const fw::element> elements,
          fw::table_family family, const hooked_packet& x, ruling& result)
    : text_{text}, elements_{elements}, family_{family}, packet_{x}, result_{
                                                                       result} {
  }

  void run(const rule_chain& chain) {
    for (const auto& rule : chain.rules)
      if (run(rule))
        return;
  }

private:
  /// @returns whether the chain ends here.
  bool run(const std::vector<rule_part>& rule) {
    for (const auto& part : rule) {
      auto ends = false;
      if (!take(part, ends))
        return ends;
    }
    return false;
  }

  bool go_to(std::string_view chain) {
    auto found = text_.chains.find({family_, std::string{chain}});
    if (found != text_.chains.end())
      run(found->second);
    return false; // Not back here.
  }

  /// @returns whether the rule goes on.
  bool take(const rule_part& part, bool& ends) {
    switch (part.what) {
    case does::drops:
      result_.dropped = true;
      [[fallthrough]];
    case does::accepts:
    case does::returns:
      ends = true;
      return false;
    case does::goes_to:
      ends = true;
      return go_to(part.target);
    case does::masks:
      result_.masqueraded = true;
      ends = true;
      return false;
    default:
      break;
    }
    auto is_nat
      = part.what == does::gives_target || part.what == does::gives_source;
    if (is_nat && part.family != packet_.to.family())
      return false;
    auto x = value_of(packet_, part.fields);
    return x && take(part, *x, ends);
  }

  bool take(const rule_part& part, const octets& x, bool& ends) {
    switch (part.what) {
    case does::equals:
      return is_equal(part, x);
    case does::differs:
      return !is_equal(part, x);
    case does::is_above:
      return std::memcmp(x.data.data(), part.values[0].first.data.data(),
                         x.size)
             > 0;
    case does::masked:
      return is_masked(part, x);
    default:
      break;
    }
    const auto* found = find(elements_, part.set, x);
    if (part.what == does::is_in || part.what == does::is_not_in)
      return (found != nullptr) == (part.what == does::is_in);
    if (found == nullptr)
      return false;
    ends = true;
    if (part.what == does::looks_up) {
      auto how = static_cast<fw::verdict>(found->data[0]);
      result_.dropped = how == fw::verdict::drop;
      return how == fw::verdict::drop || how == fw::verdict::accept
               ? false
               : go_to(fw::to_string(how));
    }
    auto size = part.family == ip_family::v4 ? size_t{4} : size_t{16};
    auto address = ip_address::from_bytes(part.family, found->data.data());
    if (part.what == does::gives_source) {
      result_.source = address;
      return false;
    }
    auto port = found->data[size] << 8U | found->data[size + 1];
    result_.target = {address, static_cast<uint16_t>(port)};
    return false;
  }

  const rule_text& text_;
  std::span<const fw::element> elements_;
  fw::table_family family_;
  const hooked_packet& packet_;
  ruling& result_;
};

} // namespace

result<rule_text> rule_text::read(std::string_view text) {
  auto result = rule_text{};
  auto family = fw::table_family::inet;
  rule_chain* chain = nullptr;
  while (!text.empty()) {
    auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    auto parts = split(line);
    if (parts.empty())
      continue;
    if (parts[0] == "table") {
      family = parts[1] == "inet" ? fw::table_family::inet
                                  : fw::table_family::bridge;
    } else if (parts[0] == "chain") {
      chain = &result.chains[{family, std::string{parts[1]}}];
    } else if (parts[0] == "}") {
      chain = nullptr;
    } else if (chain != nullptr && parts[0] == "type") {
      auto is_open = line.ends_with("policy accept;");
      if (!is_open || parts.size() < 4)
        return fail(ec::unsupported, "read rules: " + std::string{line});
      chain->hook = std::string{parts[1]} + " " + std::string{parts[3]};
    } else if (chain != nullptr) {
      auto rule = reader{parts, family}.read();
      if (!rule)
        return fail(ec::unsupported, "read rules: " + std::string{line});
      chain->rules.push_back(std::move(*rule));
    }
  }
  return result;
}

result<loaded_rules> loaded_rules::of(const simulated_namespace& ns) {
  // Nearly always it is the same one.
  static auto mutex = std::mutex{};
  static auto known = std::map<std::string, std::shared_ptr<const rule_text>>{};
  auto result = loaded_rules{};
  for (const auto& [name, text] : ns.rulesets) {
    auto lock = std::lock_guard{mutex};
    auto& there = known[*text];
    if (!there) {
      auto read = rule_text::read(*text);
      if (!read)
        return fail(std::move(read.error()));
      there = std::make_shared<const rule_text>(std::move(*read));
    }
    result.tables_.push_back({there, ns.firewalls.at(name)});
  }
  return result;
}

ruling loaded_rules::ask(fw::table_family family, std::string_view hook,
                         const hooked_packet& x) const {
  auto result = ruling{};
  for (const auto& table : tables_)
    for (const auto& [name, chain] : table.text->chains)
      if (name.first == family && chain.hook == hook)
        inquiry{*table.text, table.elements, family, x, result}.run(chain);
  return result;
}

} // namespace troupe::netns::simulation
