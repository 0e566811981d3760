#pragma once

#include "troupe/actors/services/firewall/book.hpp"
#include "troupe/drivers/driver.hpp"

#include <map>
#include <span>
#include <string>
#include <vector>

namespace troupe {

/// Which tracked connections there may be. The kernel lets a connection pass as
/// long as it tracks it, so one that nobody explains is a hole in the rules: a
/// port that was taken back, or an address that has a new owner. Plain memory,
/// owned by the FIREWALL actor.
class connection_book {
public:
  using filters = std::vector<netns::conntrack_filter>;

  void add(const drivers::driver& driver, const network_spec& network);
  void remove(const network_id& network);
  void add(const endpoint_spec& endpoint);
  void remove(const endpoint_id& endpoint);

  /// Filters that forget, each once: translated connections to addresses of our
  /// networks that no published port explains; connections of addresses there
  /// that no endpoint has. Others on a bridge that the user made are his.
  /// @param rules Knows what is published.
  filters unexplained(std::span<const netns::connection_info> connections,
                      const firewall_book& rules) const;

  /// Filters of the connections to and from addresses of our networks that are
  /// not translated. One that the rules allow goes on when it is forgotten: it
  /// is tracked anew with its next packet.
  filters
  untranslated(std::span<const netns::connection_info> connections) const;

private:
  struct network_entry {
    std::vector<prefix> subnets;
    std::vector<ip_address> own; ///< Of the host, and reserved ones.
    bool is_ours = false;        ///< All on its bridge are endpoints.
  };

  bool is_stray(const ip_address& x) const;
  bool is_ours(const ip_address& x) const;
  bool
  is_before(const netns::connection_info& x, const firewall_book& rules) const;

  std::map<network_id, network_entry> networks_;
  std::map<endpoint_id, std::vector<ip_address>> endpoints_;
  std::map<ip_address, size_t> addresses_; ///< Of all endpoints, how often.
};

/// The connections of an address.
netns::conntrack_filter connections_of(const ip_address& address);

/// Those that a published port leads, or in routed mode lets, to `target`.
netns::conntrack_filter
connections_through(const port_binding& binding, const ip_address& target);

/// Those that began before the port was published and would go on to whoever
/// answered them: of UDP all, of others those that nobody has answered.
netns::conntrack_filter connections_before(const port_binding& binding);

} // namespace troupe
