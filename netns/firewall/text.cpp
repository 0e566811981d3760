#include "troupe/netns/firewall/parts.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <limits>

#include <net/if.h>
#include <netinet/in.h>
// Needs the one above.
#include <linux/netfilter.h>

namespace troupe::netns::firewall {

namespace {

struct row {
  std::string_view name;
  size_t size;
};

// In the order of `part`.
constexpr auto rows = std::array{
  row{"nf_proto", 1},     row{"ifname", IFNAMSIZ}, row{"ether_addr", 6},
  row{"ipv4_addr", 4},    row{"ipv6_addr", 16},    row{"inet_proto", 1},
  row{"inet_service", 2}, row{"nd_target", 16},    row{"verdict", 1},
};

const row& row_of(part x) {
  return rows[static_cast<size_t>(x)];
}

std::optional<std::string> interface_text(const uint8_t* bytes) {
  const auto* text = reinterpret_cast<const char*>(bytes);
  auto name = std::string_view{text, strnlen(text, IFNAMSIZ)};
  if (!is_plain_interface(name))
    return std::nullopt;
  return "\"" + std::string{name} + "\"";
}

std::string number_text(const uint8_t* bytes) {
  constexpr auto digits = std::string_view{"0123456789abcdef"};
  auto result = std::string{"0x"};
  for (auto x : std::span{bytes, 16}) {
    result += digits[x >> 4U];
    result += digits[x & 15U];
  }
  return result;
}

std::optional<std::string> protocol_text(uint8_t number) {
  switch (number) {
  case IPPROTO_TCP:
    return "tcp";
  case IPPROTO_UDP:
    return "udp";
  case IPPROTO_SCTP:
    return "sctp";
  default:
    return std::nullopt;
  }
}

std::optional<std::string> verdict_text(uint8_t number) {
  if (number > static_cast<uint8_t>(verdict::in_internal))
    return std::nullopt;
  auto what = static_cast<verdict>(number);
  auto name = std::string{to_string(what)};
  return what == verdict::accept || what == verdict::drop ? name
                                                          : "goto " + name;
}

std::optional<std::string> part_text(part what, const uint8_t* bytes) {
  switch (what) {
  case part::nf_proto:
    if (*bytes == NFPROTO_IPV4)
      return "ipv4";
    if (*bytes == NFPROTO_IPV6)
      return "ipv6";
    return std::nullopt;
  case part::ifname:
    return interface_text(bytes);
  case part::ether_addr: {
    auto mac = mac_address{};
    std::memcpy(mac.bytes.data(), bytes, mac.bytes.size());
    return troupe::to_string(mac);
  }
  case part::ipv4_addr:
    return troupe::to_string(ip_address::from_bytes(ip_family::v4, bytes));
  case part::ipv6_addr:
    return troupe::to_string(ip_address::from_bytes(ip_family::v6, bytes));
  case part::nd_target:
    return number_text(bytes);
  case part::inet_proto:
    return protocol_text(*bytes);
  case part::inet_service:
    return std::to_string(unsigned{bytes[0]} << 8U | bytes[1]);
  case part::verdict:
    return verdict_text(*bytes);
  }
  return std::nullopt;
}

std::optional<std::string>
parts_text(std::span<const part> parts, std::span<const uint8_t> bytes) {
  if (bytes.size() != size_of(parts))
    return std::nullopt;
  auto result = std::string{};
  const auto* at = bytes.data();
  for (auto x : parts) {
    auto text = part_text(x, at);
    if (!text)
      return std::nullopt;
    if (!result.empty())
      result += " . ";
    result += *text;
    at += padded_size_of(x);
  }
  return result;
}

// An unsigned number as C writes it: decimal, 0x…, 0….
std::optional<uint32_t> parse_number(std::string_view text) {
  auto base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text.starts_with("0")) {
    base = 8;
    text.remove_prefix(1);
  }
  auto value = uint32_t{0};
  const auto* end = text.data() + text.size();
  auto [stop, problem] = std::from_chars(text.data(), end, value, base);
  if (text.empty() || problem != std::errc{} || stop != end)
    return std::nullopt;
  return value;
}

} // namespace

size_t size_of(part x) {
  return row_of(x).size;
}

size_t padded_size_of(part x) {
  return x == part::verdict ? 1 : (size_of(x) + 3) / 4 * 4;
}

size_t size_of(std::span<const part> xs) {
  if (xs.size() == 1) // A value alone has no padding.
    return size_of(xs.front());
  auto result = size_t{0};
  for (auto x : xs)
    result += padded_size_of(x);
  return result;
}

std::string type_name(std::span<const part> xs) {
  auto result = std::string{};
  for (auto x : xs)
    result.append(result.empty() ? "" : " . ").append(row_of(x).name);
  return result;
}

bool fits_schema(const element& x) {
  if (static_cast<size_t>(x.set) >= set_count)
    return false;
  const auto& schema = schema_of(x.set);
  auto is_verdict = !schema.data.empty() && schema.data[0] == part::verdict;
  return x.key.size() == size_of(schema.key)
         && x.data.size() == size_of(schema.data)
         && (!is_verdict
             || x.data[0] <= static_cast<uint8_t>(verdict::in_internal));
}

std::string describe(const element_change& x) {
  auto result = std::string{x.add ? "add element" : "delete element"};
  if (static_cast<size_t>(x.what.set) >= set_count)
    return result;
  result.append(" ").append(schema_of(x.what.set).name);
  if (auto text = to_text(x.what))
    result.append(" { ").append(*text).append(" }");
  return result;
}

result<void> check_changes(std::span<const element_change> changes) {
  for (const auto& x : changes)
    if (!fits_schema(x.what))
      return fail(ec::invalid_argument,
                  describe(x) + ": its bytes do not fit its set");
  return {};
}

result<void> check_elements(std::span<const element> elements) {
  using name = std::pair<set_id, const std::vector<uint8_t>*>;
  auto names = std::vector<name>{};
  for (const auto& x : elements) {
    if (auto text = to_text(x); !text)
      return fail(std::move(text.error()));
    names.emplace_back(x.set, &x.key);
  }
  auto before = [](const name& a, const name& b) {
    return a.first != b.first ? a.first < b.first : *a.second < *b.second;
  };
  std::ranges::sort(names, before);
  auto same
    = std::ranges::adjacent_find(names, [](const auto& a, const auto& b) {
        return a.first == b.first && *a.second == *b.second;
      });
  if (same == names.end())
    return {};
  auto twice = element{same->first, *same->second, {}};
  return fail(ec::invalid_argument,
              describe({true, std::move(twice)}) + ": it is there twice");
}

result<std::string> to_text(const element& x) {
  auto bad = [] {
    return fail(ec::invalid_argument,
                "write element: its bytes do not fit its set");
  };
  if (static_cast<size_t>(x.set) >= set_count)
    return bad();
  const auto& schema = schema_of(x.set);
  auto key = parts_text(schema.key, x.key);
  auto data = parts_text(schema.data, x.data);
  if (!key || !data)
    return bad();
  return data->empty() ? *key : *key + " : " + *data;
}

result<accept_mark> accept_mark::parse(std::string_view text) {
  auto slash = text.find('/');
  auto value = parse_number(text.substr(0, slash));
  auto mask = slash == std::string_view::npos
                ? std::numeric_limits<uint32_t>::max()
                : parse_number(text.substr(slash + 1));
  auto bad = [&](std::string_view why) {
    return fail(ec::invalid_argument, "accept mark: " + std::string{why},
                "give MARK or MARK/MASK, e.g. 0x2/0x3");
  };
  if (!value || !mask)
    return bad("not MARK[/MASK] with numbers from 0 to 0xffffffff");
  if (*mask == 0)
    return bad("the mask is 0, it would match every packet");
  if ((*value & ~*mask) != 0)
    return bad("the mark has bits outside the mask, it would match nothing");
  return accept_mark{*value, *mask};
}

} // namespace troupe::netns::firewall
