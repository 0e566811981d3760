#include "troupe/config/model/port.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/config/model/nearest.hpp"

#include <algorithm>
#include <charconv>
#include <tuple>
#include <utility>

namespace troupe {

namespace {

constexpr size_t max_text_bytes = 128;
constexpr uint16_t max_port = 65'535;

tl::unexpected<error> refuse(std::string reason, std::string hint = {}) {
  return fail(ec::invalid_argument, std::move(reason), std::move(hint));
}

// "80"; `part` is what the number is, for messages.
result<uint16_t> parse_number(std::string_view text, std::string_view part) {
  auto name = std::string{part};
  if (text.empty())
    return refuse(name + " is empty");
  auto is_digit = [](char c) {
    return c >= '0' && c <= '9';
  };
  if (!std::all_of(text.begin(), text.end(), is_digit))
    return refuse(name + " " + quoted(text) + " is not a number");
  auto value = uint32_t{0};
  auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc{} || value > max_port)
    return refuse(name + " " + quoted(text) + " is greater than 65535");
  if (value == 0)
    return refuse(name + " is 0", part == "host port"
                                    ? "leave it out for an automatic one"
                                    : "ports go from 1 to 65535");
  return static_cast<uint16_t>(value);
}

// "80" or "80-82"; the second number is 0 if there is one port only.
result<std::pair<uint16_t, uint16_t>>
parse_range(std::string_view text, std::string_view part) {
  auto dash = text.find('-');
  auto first = parse_number(text.substr(0, dash), part);
  if (!first)
    return fail(std::move(first.error()));
  if (dash == std::string_view::npos)
    return std::pair{*first, uint16_t{0}};
  auto last = parse_number(text.substr(dash + 1), part);
  if (!last)
    return fail(std::move(last.error()));
  if (*last < *first)
    return refuse(std::string{part} + " range " + quoted(text)
                  + " ends before it begins");
  return std::pair{*first, *last == *first ? uint16_t{0} : *last};
}

// Cuts "[::1]:" or "10.0.0.1:" from the front. Without dots and brackets a
// part that is followed by ':' is a host port.
result<std::optional<ip_address>> take_host_ip(std::string_view& rest) {
  auto text = std::string_view{};
  if (rest.starts_with('[')) {
    auto end = rest.find(']');
    if (end == std::string_view::npos)
      return refuse("host address " + quoted(rest)
                    + " lacks a closing bracket");
    text = rest.substr(1, end - 1);
    rest.remove_prefix(end + 1);
    if (!rest.starts_with(':'))
      return refuse("there is no ':' behind the host address ["
                    + std::string{text} + "]");
    rest.remove_prefix(1);
  } else {
    auto colons = std::count(rest.begin(), rest.end(), ':');
    if (colons > 2)
      return refuse("host address in " + quoted(rest) + " is ambiguous",
                    "an IPv6 address stands in brackets: [::1]:8080:80");
    auto end = rest.find(':');
    auto is_ip
      = colons == 2
        || (colons == 1
            && rest.substr(0, end).find('.') != std::string_view::npos);
    if (!is_ip)
      return std::nullopt;
    text = rest.substr(0, end);
    rest.remove_prefix(end + 1);
  }
  if (text.empty())
    return refuse("host address is empty");
  auto address = ip_address::parse(text);
  if (!address)
    return refuse("host address " + quoted(text) + " is not an address");
  return *address;
}

// Cuts "/udp" from the end.
result<protocol> take_protocol(std::string_view& rest) {
  auto slash = rest.rfind('/');
  if (slash == std::string_view::npos)
    return protocol::tcp;
  auto name = rest.substr(slash + 1);
  rest = rest.substr(0, slash);
  return parse_protocol(name);
}

result<port_spec> parse_parts(std::string_view rest) {
  if (rest.empty())
    return refuse("it is empty", "write it like 8080:80/tcp");
  if (rest.size() > max_text_bytes)
    return refuse("it is longer than 128 bytes");
  auto result = port_spec{};
  auto proto = take_protocol(rest);
  if (!proto)
    return fail(std::move(proto.error()));
  result.proto = *proto;
  auto host_ip = take_host_ip(rest);
  if (!host_ip)
    return fail(std::move(host_ip.error()));
  result.host_ip = *host_ip;
  if (auto colon = rest.find(':'); colon != std::string_view::npos) {
    // `127.0.0.1::80` is the same as `127.0.0.1:80`.
    if (colon > 0 || !result.host_ip) {
      auto host = parse_range(rest.substr(0, colon), "host port");
      if (!host)
        return fail(std::move(host.error()));
      std::tie(result.host_port, result.host_port_end) = *host;
    }
    rest.remove_prefix(colon + 1);
  }
  auto ports = parse_range(rest, "container port");
  if (!ports)
    return fail(std::move(ports.error()));
  std::tie(result.port, result.port_end) = *ports;
  return result;
}

std::string range_text(uint16_t first, uint16_t last) {
  auto result = std::to_string(first);
  if (last != first)
    result += "-" + std::to_string(last);
  return result;
}

// Addresses that a socket can never be bound to.
result<void> check_host_ip(const ip_address& x) {
  auto text = "host address " + to_string(x);
  if (x.is_multicast())
    return refuse(text + " is a multicast address");
  if (x.is_v4() && x.number() == 0xffff'ffffU)
    return refuse(text + " is the broadcast address");
  if (x.is_v6() && x.is_link_local())
    return refuse(text + " is link-local, which needs an interface",
                  "publish on another address of that interface");
  return {};
}

result<void> check_parts(const port_spec& x) {
  if (static_cast<size_t>(x.proto) >= enum_names<protocol>.size())
    return refuse("unknown protocol");
  if (x.port == 0)
    return refuse("container port is 0", "ports go from 1 to 65535");
  if (x.last_port() < x.port)
    return refuse("container port range " + range_text(x.port, x.last_port())
                  + " ends before it begins");
  if (x.host_port == 0 && x.host_port_end != 0)
    return refuse("host port range has no beginning");
  if (x.last_host_port() < x.host_port)
    return refuse("host port range "
                  + range_text(x.host_port, x.last_host_port())
                  + " ends before it begins");
  auto ports = x.last_port() - x.port;
  auto host_ports = x.last_host_port() - x.host_port;
  if (x.host_port != 0 && ports != host_ports && ports != 0)
    return refuse(
      "host port range " + range_text(x.host_port, x.last_host_port())
      + " and container port range " + range_text(x.port, x.last_port())
      + " have different lengths");
  return x.host_ip ? check_host_ip(*x.host_ip) : result<void>{};
}

} // namespace

result<protocol> parse_protocol(std::string_view text) {
  if (auto value = value_named<protocol>(text))
    return *value;
  return refuse("unknown protocol " + quoted(text),
                nearest_hint(text, enum_names<protocol>));
}

result<void> check_port(const port_spec& x) {
  auto ok = check_parts(x);
  if (!ok)
    return fail(with_context(std::move(ok.error()), "port " + to_string(x)));
  return ok;
}

result<port_spec> parse_port_spec(std::string_view text) {
  auto value = parse_parts(text);
  if (value)
    if (auto ok = check_parts(*value); !ok)
      value = fail(std::move(ok.error()));
  if (!value)
    return fail(with_context(std::move(value.error()), "port " + quoted(text)));
  return value;
}

std::string to_string(const port_spec& x) {
  auto result = std::string{};
  if (x.host_ip)
    result += (x.host_ip->is_v6() ? "[" + to_string(*x.host_ip) + "]"
                                  : to_string(*x.host_ip))
              + ":";
  if (x.host_port != 0)
    result += range_text(x.host_port, x.last_host_port()) + ":";
  result += range_text(x.port, x.last_port());
  return result + "/" + to_string(x.proto);
}

std::string host_text(const ip_address& address, uint16_t port) {
  auto text = to_string(address);
  if (address.is_v6())
    text = "[" + text + "]";
  return text + ":" + std::to_string(port);
}

namespace {

auto order_of(const port_binding& x) {
  return std::tie(x.port, x.proto, x.host_ip, x.host_port, x.port_end);
}

// Ports of one run follow each other, in the container and on the host.
bool follows(const port_binding& last, const port_binding& x) {
  return x.proto == last.proto && x.host_ip == last.host_ip
         && x.port == last.port + 1
         && (x.host_port == 0
               ? last.host_port == 0
               : last.host_port != 0 && x.host_port == last.host_port + 1);
}

// How many ports behind the first a range has that can be.
int span_of(const port_binding& x) {
  auto span = x.port_end > x.port ? x.port_end - x.port : 0;
  return x.host_port == 0 ? span : std::min(span, max_port - x.host_port);
}

} // namespace

void sort_bindings(std::vector<port_binding>& xs) {
  std::sort(xs.begin(), xs.end(), binding_less{});
}

bool binding_less::operator()(const port_binding& a,
                              const port_binding& b) const {
  return order_of(a) < order_of(b);
}

std::vector<port_binding> compressed(std::vector<port_binding> xs) {
  std::stable_sort(xs.begin(), xs.end(), [](const auto& a, const auto& b) {
    // One run after the other.
    auto run = [](const port_binding& x) {
      auto offset = x.host_port == 0 ? 0 : x.host_port - x.port;
      return std::tuple{x.proto, x.host_ip, x.host_port == 0, offset, x.port};
    };
    return run(a) < run(b);
  });
  auto result = std::vector<port_binding>{};
  for (size_t i = 0; i < xs.size();) {
    auto end = i + 1;
    while (end < xs.size() && xs[end - 1].port_end == 0 && xs[end].port_end == 0
           && follows(xs[end - 1], xs[end]))
      ++end;
    if (end - i >= least_compressed) {
      result.push_back(xs[i]);
      result.back().port_end = xs[end - 1].port;
    } else {
      result.insert(result.end(), xs.begin() + static_cast<long>(i),
                    xs.begin() + static_cast<long>(end));
    }
    i = end;
  }
  sort_bindings(result);
  return result;
}

std::vector<port_binding> expanded(const std::vector<port_binding>& xs) {
  auto result = std::vector<port_binding>{};
  for (const auto& x : xs)
    for (int i = 0; i <= span_of(x); ++i) {
      auto& one = result.emplace_back(x);
      one.port = static_cast<uint16_t>(x.port + i);
      one.port_end = 0;
      if (x.host_port != 0)
        one.host_port = static_cast<uint16_t>(x.host_port + i);
    }
  sort_bindings(result);
  return result;
}

std::string to_string(const port_binding& x) {
  auto span = span_of(x);
  auto last = static_cast<uint16_t>(x.port + span);
  auto target = range_text(x.port, last) + "/" + to_string(x.proto);
  if (x.host_port == 0)
    return target;
  auto host = host_text(x.host_ip, x.host_port);
  if (span > 0)
    host += "-" + std::to_string(x.host_port + span);
  return host + "->" + target;
}

result<exposed_port> parse_exposed_port(std::string_view text) {
  auto context = "exposed port " + quoted(text);
  auto rest = text;
  auto proto = take_protocol(rest);
  if (!proto)
    return fail(with_context(std::move(proto.error()), context));
  auto port = parse_number(rest, "container port");
  if (!port)
    return fail(with_context(std::move(port.error()), context));
  return exposed_port{*proto, *port};
}

std::string to_string(const exposed_port& x) {
  return std::to_string(x.port) + "/" + to_string(x.proto);
}

} // namespace troupe
