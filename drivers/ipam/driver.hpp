#pragma once

#include "troupe/config/model/address.hpp"
#include "troupe/config/model/error.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::ipam {

/// A wish for a subnet.
struct pool_request {
  std::string space = "LocalDefault";
  /// Empty: choose a predefined one. An unspecified address with a length
  /// (`0.0.0.0/24`) means "any subnet of that length out of the predefined".
  std::optional<prefix> subnet;
  std::optional<prefix> range; ///< Automatic addresses come from here.
  bool ipv6 = false;           ///< Family of a predefined pool.
  /// Subnets an automatic choice must not overlap (the host's routes).
  std::vector<prefix> exclude;
};

/// A claimed subnet.
struct pool_lease {
  std::string id; ///< `LocalDefault/172.28.0.0/16[/172.28.5.0/24]`.
  prefix subnet;
  std::optional<prefix> range;
};

/// The addresses of one claimed subnet. Plain memory: whoever owns the network
/// owns this object and rebuilds it from the endpoints' records.
class address_pool {
public:
  virtual ~address_pool() = default;

  /// Claims one address. Errors: `invalid_argument` outside the subnet or the
  /// network or broadcast address, `conflict` when taken.
  virtual result<interface_address> claim(const ip_address& wanted) = 0;

  /// Claims any free address of the range: the next one after the last that
  /// was given, so that a released address rests. Errors: `unavailable`.
  virtual result<interface_address> claim_any() = 0;

  /// Frees an address; one that is not held is ignored.
  virtual void release(const ip_address& x) = 0;

  virtual bool is_held(const ip_address& x) const = 0;

  /// Number of held addresses, and of those `claim_any` could still give.
  virtual uint64_t held() const = 0;
  virtual uint64_t available() const = 0;
};

/// Gives out subnets. Owned by one actor; no kernel, no threads, no clock.
class driver {
public:
  virtual ~driver() = default;

  virtual std::string_view name() const = 0;

  /// Errors: `invalid_argument` (range without or outside subnet, mixed
  /// families, unknown space), `conflict` (overlaps a claimed one, named),
  /// `unavailable` (predefined pools used up).
  virtual result<pool_lease> request_pool(const pool_request& request) = 0;

  /// Errors: `not_found`.
  virtual result<void> release_pool(const std::string& id) = 0;

  /// The address book of a lease, nothing held yet.
  virtual std::unique_ptr<address_pool> open(const pool_lease& lease) const = 0;
};

/// A predefined pool: subnets of `length` cut out of `base`.
struct predefined_pool {
  prefix base;
  uint8_t length = 0;
};

/// The `default` driver. @param local replaces libnetwork's 31 local IPv4
/// networks when not empty (IPv6 entries are kept apart; without one, ULA /64
/// networks are made from `ula_seed`). Errors: `invalid_argument` for a length
/// shorter than the base's.
result<std::unique_ptr<driver>>
make_default(std::vector<predefined_pool> local, std::string_view ula_seed);

/// The `null` driver: no subnets, no addresses; any wish is refused.
std::unique_ptr<driver> make_null();

} // namespace troupe::ipam
