#pragma once

#include "troupe/config/model/error.hpp"
#include "troupe/netns/firewall/senders.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace troupe::netns {

/// Something changed in the kernel: where to look, not what it is now. The
/// reader compares with what it wants; two changes may come as one event and
/// one change as several.
struct kernel_event {
  enum class kind : uint8_t {
    link_changed,       ///< A link was made or changed.
    link_removed,       ///< A link is gone.
    address_changed,    ///< An address was added or removed.
    neighbour_changed,  ///< Somebody said who has an address.
    route_changed,      ///< A route of the main table was added, or a route
                        ///< or a rule removed.
    settings_changed,   ///< Of the host: forwarding was switched off, on a
                        ///< link or, if the event names none, everywhere.
    namespaces_changed, ///< The pin at `namespace_path` came, went or died.
    firewall_changed,   ///< Somebody else changed a table of ours.
    firewalld_started,  ///< firewalld has made its table, perhaps anew.
    overflow,           ///< Events were lost: compare everything.
  };

  kind what = kind::overflow;
  int index = 0;              ///< Of the link; 0 if the event names none.
  std::string link_name;      ///< Of the host, if the event names a link; else
                              ///< for link events only.
  uint32_t group = 0;         ///< Interface group, for link events.
  std::string namespace_path; ///< The pin; empty: the host's namespace.

  bool operator==(const kernel_event&) const = default;
};

/// Where kernel events come from: the real kernel (`watch`) or a simulated one.
class event_source {
public:
  virtual ~event_source() = default;

  /// Waits for events. Returns none when the time is up or `interrupt` was
  /// called.
  /// @thread_safety One caller at a time.
  virtual result<std::vector<kernel_event>>
  wait(std::chrono::milliseconds longest) = 0;

  /// Ends the current or, if there is none, the next `wait`.
  /// @thread_safety Any thread.
  virtual void interrupt() = 0;
};

/// Watches the links, addresses and routes of the calling thread's namespace
/// and of the pinned ones, and the pins themselves.
///
/// - *Namespaces*: events of a pinned namespace are seen once a link connects
///   it with the host's, e.g. its first veth.
/// - *Pins*: several changes within 100 ms are looked at together.
/// - *Overflow*: 8 MiB are kept for events nobody has read yet; when they are
///   full the kernel drops events and the next `wait` says `overflow`.
class watch : public event_source {
public:
  /// What to tell about the firewall.
  struct firewall_scope {
    std::string table; ///< Name of our tables; empty: nothing is watched.
    std::shared_ptr<firewall::sender_list> ours; ///< Whose changes are ours.
  };

  /// @param pin_dir The directory with the pins.
  static result<std::unique_ptr<watch>>
  open(const std::string& pin_dir, firewall_scope scope = {});
};

} // namespace troupe::netns
