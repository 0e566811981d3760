#pragma once

#include "troupe/config/model/error.hpp"

#include <cstdint>
#include <string>

namespace troupe::remote {

/// Where `troupe-remote` listens unless told otherwise.
inline constexpr uint16_t default_port = 7433;

/// Where somebody listens.
struct host_port {
  std::string host; ///< Name or address, without brackets.
  uint16_t port = 0;
};

/// Reads `host`, `host:port`, `1.2.3.4:port`, `[::1]:port`, `[::1]`.
/// @param otherwise port where none is given; 0: one must be given.
/// Errors: `invalid_argument`.
result<host_port> parse_host_port(std::string_view text, uint16_t otherwise);

/// Is this an address of a remote daemon, `caf+tls://…`?
bool is_remote_uri(std::string_view uri);

/// Reads `caf+tls://host[:port]`. Errors: `invalid_argument`.
result<host_port> parse_uri(std::string_view uri);

/// `host:port`, with brackets around an IPv6 address.
std::string to_string(const host_port& x);

} // namespace troupe::remote
