#pragma once

#include "troupe/config/model/address.hpp"
#include "troupe/drivers/ipam/driver.hpp"
#include "troupe/tests/fixtures/addresses.hpp"

#include <ostream>
#include <string>
#include <string_view>

// Short ways to write and print values in the tests of IPAM.

namespace troupe {

inline std::ostream& operator<<(std::ostream& out, const ip_address& x) {
  return out << to_string(x);
}

inline std::ostream& operator<<(std::ostream& out, const prefix& x) {
  return out << to_string(x);
}

} // namespace troupe

namespace troupe::ipam::test {

using troupe::test::ip;
using troupe::test::net;

/// @pre `text` is an address.
/// A claimed address or the code of the refusal, as text: `10.0.0.2/16`.
inline std::string text(const result<interface_address>& x) {
  return x ? to_string(*x) : std::string{to_string(x.error().code)};
}

/// A claimed subnet or the code of the refusal, as text: `10.0.0.0/16`.
inline std::string text(const result<pool_lease>& x) {
  return x ? to_string(x->subnet) : std::string{to_string(x.error().code)};
}

} // namespace troupe::ipam::test
