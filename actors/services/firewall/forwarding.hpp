#pragma once

#include "troupe/actors/api/messages.hpp"
#include "troupe/actors/services/firewall/book.hpp"
#include "troupe/drivers/driver.hpp"
#include "troupe/netns/undo_stack.hpp"
#include "troupe/persistence/store.hpp"

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace troupe {

/// What may be done about the host's forwarding.
struct forwarding_policy {
  bool may_switch_on = true;
  /// What we switched on is for our networks alone.
  bool drop_others = true;
};

/// Keeps the host forwarding the packets of those networks that need it: as a
/// whole, and what comes in by the links that its default routes leave by.
/// @thread_safety Blocks; as the kernel.
class forwarding {
public:
  using elements = firewall_book::elements;

  /// Has the firewall hold these elements instead of those before. A final wish
  /// stays one although the kernel refuses it.
  using closer = std::function<result<void>(elements wanted, bool is_final)>;

  /// @param kernel must outlive this.
  /// @param rules Of the firewall.
  forwarding(netns::kernel& kernel, forwarding_policy policy,
             const netns::firewall::settings& rules, closer close)
    : kernel_{kernel}, policy_{policy}, table_{rules.table},
      group_{rules.group}, close_{std::move(close)} {
  }

  /// At start: an earlier run switched forwarding on if its rules say so, or
  /// the store: somebody may have flushed all rules.
  /// @returns the elements that say it, for the firewall to hold.
  elements recall(const persistence::forwarding_record& recorded);

  /// For the store.
  persistence::forwarding_record record() const {
    return {is_closed(ip_family::v4), is_closed(ip_family::v6)};
  }

  /// Makes sure that the host forwards what the network needs, from now on.
  /// Where it is switched on, packets between links that are not ours are
  /// dropped first, and links that have their default route from router
  /// advertisements go on listening to them. Errors: `forbidden` if the host
  /// does not forward and we may not change that.
  result<void> open(const drivers::driver& driver, const network_spec& network);

  /// The network is there and needs it, whatever the host does.
  void note(const drivers::driver& driver, const network_spec& network);

  /// The network is gone.
  void forget(const network_id& network) {
    needs_.erase(network);
  }

  /// Looks at what somebody has switched off, and changes nothing.
  result<std::vector<finding>> look() {
    return compare(false);
  }

  /// Looks and, where that is allowed, switches it on again; each finding says
  /// what became of it.
  result<std::vector<finding>> mend() {
    return compare(policy_.may_switch_on);
  }

  /// What was switched on for which network, and whom it is not for.
  const std::vector<std::string>& notes() const {
    return notes_;
  }

private:
  struct need {
    bool v4 = false;
    bool v6 = false;
  };

  bool is_needed(ip_family family) const;
  result<void> open(ip_family family, const network_spec& network);
  result<void> switch_on(ip_family family);
  result<void> switch_links_on(ip_family family);
  result<void> drop_others(netns::undo_stack& undo, ip_family family);

  /// @returns the links that were changed.
  result<std::vector<std::string>>
  keep_advertised_routes(netns::undo_stack& undo);

  bool is_closed(ip_family family) const;
  void note_closed(ip_family family);
  void note(std::string what);

  result<std::vector<finding>> compare(bool repair);

  /// @param interface `all` or the name of a link.
  result<void> compare_one(ip_family family, const std::string& interface,
                           bool repair, std::vector<finding>& found);

  netns::kernel& kernel_;
  forwarding_policy policy_;
  std::string table_;
  uint32_t group_ = 0;
  closer close_;
  elements closed_;            ///< The families that are for us alone.
  std::set<ip_family> router_; ///< The host forwarded these before us.
  std::map<network_id, need> needs_;
  std::vector<std::string> notes_;
};

/// The name of a setting for people, e.g. `net.ipv4.ip_forward`.
std::string
forwarding_setting(ip_family family, const std::string& interface = "all");

} // namespace troupe
