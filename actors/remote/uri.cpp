#include "troupe/actors/remote/uri.hpp"

#include "troupe/config/model/id.hpp"

#include <algorithm>
#include <charconv>

namespace troupe::remote {

namespace {

constexpr auto scheme = std::string_view{"caf+tls://"};

constexpr size_t max_host_bytes = 253; // RFC 1035.

bool is_host(std::string_view text) {
  auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
  };
  return !text.empty() && text.size() <= max_host_bytes && text.front() != '-'
         && std::ranges::all_of(text, plain);
}

// What may stand between brackets; the resolver knows whether it is an address.
bool is_bracketed(std::string_view text) {
  auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == ':' || c == '.' || c == '%';
  };
  return !text.empty() && text.size() <= max_host_bytes
         && std::ranges::all_of(text, plain);
}

tl::unexpected<error> bad(std::string_view text, const std::string& reason) {
  return fail(ec::invalid_argument, "address " + quoted(text) + ": " + reason,
              "for example host.example:7433 or [fd00::1]:7433");
}

} // namespace

result<host_port> parse_host_port(std::string_view text, uint16_t otherwise) {
  auto host = text;
  auto port = std::string_view{};
  auto has_port = false;
  if (text.starts_with('[')) {
    auto end = text.find(']');
    if (end == text.npos)
      return bad(text, "there is no closing bracket");
    host = text.substr(1, end - 1);
    auto rest = text.substr(end + 1);
    has_port = rest.starts_with(':');
    if (!rest.empty() && !has_port)
      return bad(text, "what follows the bracket is no port");
    port = has_port ? rest.substr(1) : rest;
  } else if (auto colon = text.find(':'); colon != text.npos) {
    if (text.find(':', colon + 1) != text.npos)
      return bad(text, "an IPv6 address needs brackets");
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    has_port = true;
  }
  if (text.starts_with('[') ? !is_bracketed(host) : !is_host(host))
    return bad(text, "there is no valid host in it");
  auto number = unsigned{otherwise};
  if (has_port) {
    auto read = std::from_chars(port.data(), port.data() + port.size(), number);
    if (read.ec != std::errc{} || read.ptr != port.data() + port.size()
        || number > UINT16_MAX)
      return bad(text, "the port is not a number from 1 to 65535");
  }
  if (number == 0)
    return bad(text, "there is no port");
  return host_port{std::string{host}, static_cast<uint16_t>(number)};
}

bool is_remote_uri(std::string_view uri) {
  return uri.starts_with(scheme);
}

result<host_port> parse_uri(std::string_view uri) {
  if (!is_remote_uri(uri))
    return fail(ec::invalid_argument,
                "address " + quoted(uri) + ": not a caf+tls:// address",
                "for example caf+tls://host.example");
  uri.remove_prefix(scheme.size());
  // Clients may end it like a URL's root.
  if (uri.ends_with('/'))
    uri.remove_suffix(1);
  return parse_host_port(uri, default_port);
}

std::string to_string(const host_port& x) {
  auto bare = x.host.find(':') == std::string::npos;
  return (bare ? x.host : "[" + x.host + "]") + ":" + std::to_string(x.port);
}

} // namespace troupe::remote
