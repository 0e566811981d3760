#pragma once

#include "troupe/config/model/address.hpp"

#include <string>

namespace troupe::test {

/// Where a probe runs: the path of a namespace, empty for the calling
/// thread's.
using place = std::string;

/// Sends datagrams from one namespace to an address in another until an answer
/// comes back. @param tries one every 100 ms.
/// @returns true if a datagram went there and back.
bool can_reach(const place& from, const place& to, const ip_address& address,
               int tries = 50);

} // namespace troupe::test
