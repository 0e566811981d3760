#pragma once

#include "troupe/actors/messages.hpp"
#include "troupe/drivers/driver.hpp"

#include <map>
#include <string>
#include <vector>

namespace troupe {

/// Keeps the host forwarding the packets of those networks that need it: as a
/// whole, and what comes in by the links that its default routes leave by.
/// @thread_safety Blocks; as the kernel.
class forwarding {
public:
  /// @param kernel must outlive this.
  /// @param may_change May the host's settings be changed?
  forwarding(netns::kernel& kernel, bool may_change)
    : kernel_{kernel}, may_change_{may_change} {
  }

  /// Makes sure that the host forwards what the network needs, from now on.
  /// Errors: `forbidden` if it does not and we may not change that.
  result<void> open(const drivers::driver& driver, const network_spec& network);

  /// The network is there and needs it, whatever the host does.
  void note(const drivers::driver& driver, const network_spec& network);

  /// The network is gone.
  void forget(const network_id& network) {
    needs_.erase(network);
  }

  /// Looks and, where that is allowed, switches on again what somebody has
  /// switched off; each finding says what became of it.
  result<std::vector<finding>> mend();

  /// What was switched on for which network.
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

  /// @param interface `all` or the name of a link.
  result<void> mend_one(ip_family family, const std::string& interface,
                        std::vector<finding>& found);

  netns::kernel& kernel_;
  bool may_change_ = false;
  std::map<network_id, need> needs_;
  std::vector<std::string> notes_;
};

/// The name of a setting for people, e.g. `net.ipv4.ip_forward`.
std::string
forwarding_setting(ip_family family, const std::string& interface = "all");

} // namespace troupe
