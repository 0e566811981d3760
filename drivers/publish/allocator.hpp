#pragma once

#include "troupe/config/model/port.hpp"

#include <bitset>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace troupe::drivers {

/// Host ports to choose from; both 0: the automatic ones.
struct port_range {
  uint16_t first = 0;
  uint16_t last = 0;

  bool is_automatic() const {
    return first == 0 && last == 0;
  }
  bool is_single() const {
    return first != 0 && first == last;
  }
  auto operator<=>(const port_range&) const = default;
};

/// Knows which host ports are given to whom. Pure: takes nothing from the
/// kernel. `0.0.0.0` and `::` stand for every address of their family.
class port_allocator {
public:
  using addresses = std::span<const ip_address>;

  port_allocator() = default;

  /// @param automatic where automatic ports come from, without `reserved`.
  port_allocator(port_range automatic, const std::bitset<65'536>& reserved);

  /// Changes where automatic ports come from; what is given stays given.
  void set_automatic(port_range automatic, const std::bitset<65'536>& reserved);

  /// Who has the port at this address, or at one that includes it.
  const std::string*
  holder(protocol proto, const ip_address& address, uint16_t port) const;

  /// A walk through the free ports of a range. Begins behind the port that was
  /// last claimed from this range (next fit), so that a port is not given
  /// again at once.
  class search {
  public:
    /// The next port that is free at all addresses; empty at the end.
    std::optional<uint16_t> next();

  private:
    friend class port_allocator;
    search(const port_allocator& book, addresses wanted, protocol proto,
           port_range range, uint16_t last);

    const port_allocator* book_;
    addresses wanted_;
    protocol proto_;
    port_range range_;
    bool automatic_;
    uint32_t left_;
    uint16_t port_;
  };

  /// @pre `wanted` lives as long as the search; the range is in order.
  search find(addresses wanted, protocol proto, port_range range) const;

  /// Gives a port to an owner. @pre it is free at all addresses.
  void claim(addresses wanted, protocol proto, port_range range, uint16_t port,
             const std::string& owner);

  /// Finds and claims. Errors: `invalid_argument` (protocol, range);
  /// `conflict` naming the owner; `unavailable` (all automatic ones given).
  result<uint16_t> take(addresses wanted, protocol proto, port_range range,
                        const std::string& owner);

  /// Takes a port from its owner. @returns false if nobody had it.
  bool give_back(protocol proto, const ip_address& address, uint16_t port);

private:
  struct claimed {
    ip_address address;
    std::string owner;
  };
  using range_key = std::tuple<ip_address, protocol, port_range>;

  bool is_free(addresses wanted, protocol proto, uint16_t port) const;

  port_range automatic_{49'153, 65'535};
  std::bitset<65'536> reserved_;
  std::unordered_map<uint32_t, std::vector<claimed>> claims_; // By proto, port.
  std::map<range_key, uint16_t> last_; // Bounded; a hint.
};

/// Why a range cannot be searched, or nothing.
result<void> check_range(port_range range);

} // namespace troupe::drivers
