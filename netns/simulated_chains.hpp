#pragma once

#include "troupe/config/model/port.hpp"
#include "troupe/netns/simulated_kernel.hpp"

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

/// What the rules of ruleset.nft do with a packet, spelt out once more; private
/// to `netns`.
namespace troupe::netns::simulation {

/// A packet on its way, as it is just now.
struct travel {
  ip_address source;
  ip_address to;
  protocol proto = protocol::tcp;
  uint16_t source_port = 0;
  uint16_t port = 0;
  bool known = false;      ///< Of a tracked connection that was answered.
  bool answer = false;     ///< Of the one who answers.
  bool translated = false; ///< Its destination was.

  ip_family family() const {
    return to.family();
  }
};

/// The tables of all daemons on a host.
class rules {
public:
  explicit rules(const simulated_namespace& ns) : ns_{ns} {
  }

  /// The chain `publish`: where a published port leads.
  std::optional<std::pair<ip_address, uint16_t>>
  published(const travel& x) const;

  /// The chain `forward`.
  bool
  forwards(const travel& x, std::string_view in, std::string_view out) const;

  /// The chain `postrouting`: does the packet get an address of the host's?
  bool
  masquerades(const travel& x, std::string_view in, std::string_view out) const;

  /// The table `bridge`: may a port send this?
  bool guards(const simulated_link& port, const mac_address& mac,
              const ip_address& source) const;

private:
  using values = std::initializer_list<firewall::value>;

  std::optional<std::vector<uint8_t>>
  find(firewall::set_id set, values key, values data = {}) const;
  bool contains(firewall::set_id set, values key) const;
  std::optional<firewall::verdict>
  verdict_of(firewall::set_id set, values key) const;
  bool passes(firewall::verdict how, const travel& x) const;

  const simulated_namespace& ns_;
};

} // namespace troupe::netns::simulation
