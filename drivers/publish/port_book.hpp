#pragma once

#include "troupe/config/model/id.hpp"
#include "troupe/config/model/port.hpp"
#include "troupe/drivers/publish/allocator.hpp"
#include "troupe/drivers/publish/plan.hpp"
#include "troupe/netns/ports/port_proxy.hpp"
#include "troupe/netns/ports/port_sockets.hpp"

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace troupe::drivers {

/// Who wants ports, and where they lead.
struct publisher {
  endpoint_id id;
  std::string name;               ///< For messages.
  std::optional<ip_address> ipv4; ///< Of the container.
  std::optional<ip_address> ipv6;
};

/// A port that could not be had, and why.
struct refused_port {
  port_binding binding;
  error why;
};

/// For messages: `endpoint "web" (1a2b3c4d5e6f)`.
std::string label_of(const publisher& x);

/// All host ports of the daemon: chooses, takes, holds and gives them back.
/// The sockets live in the proxy, so that they outlive the daemon; without a
/// proxy they live here.
///
/// Contract, for every method that returns a result:
/// - *All or nothing*: on error everything is as it was before the call, but
///   for `release`.
/// - *Blocking*: system calls and a round trip to the proxy. One caller at a
///   time.
class port_book {
public:
  /// @param proxy may be null: then nothing is served on loopback addresses,
  ///              and nothing leads from IPv6 to IPv4.
  port_book(std::unique_ptr<netns::port_sockets> sockets,
            std::unique_ptr<netns::port_proxy> proxy);

  /// Does the host have addresses of this family to publish at?
  bool host_has(ip_family family) {
    return sockets_->has_family(family);
  }

  /// Asks the proxy what it still has of an earlier run. To be called once,
  /// before `restore`.
  result<void> start();

  /// Publishes more ports of an endpoint. The bindings are in order of the
  /// container's port, protocol, IPv4 before IPv6. Errors: `conflict` naming
  /// who has the port; `invalid_argument` (address not on this host, nothing
  /// to lead to); `unavailable` (no descriptors, no free port).
  result<std::vector<port_binding>>
  publish(const publisher& owner, std::span<const port_spec> wishes,
          const publish_options& options);

  /// The same without waiting for the proxy: it takes the sockets while the
  /// caller does something else. `finish_publish` must follow.
  result<std::vector<port_binding>>
  begin_publish(const publisher& owner, std::span<const port_spec> wishes,
                const publish_options& options);

  /// Waits until the proxy has what `begin_publish` took; on error that is
  /// given back. Done if nothing was begun. Errors: `unavailable` (no
  /// descriptors, no proxy).
  result<void> finish_publish(const endpoint_id& owner);

  /// Takes exactly these host ports again, after a restart. What the proxy
  /// still has is kept with its connections. Errors: as of `publish`.
  result<void>
  restore(const publisher& owner, std::span<const port_binding> bindings);

  /// The same as far as it can be: one port that somebody has taken, or whose
  /// address is gone, does not take the others along.
  /// @returns what could not be had.
  std::vector<refused_port>
  restore_possible(const publisher& owner,
                   std::span<const port_binding> bindings);

  /// Closes what the proxy has and nobody restored.
  result<void> finish_restore();

  /// Gives back everything of an endpoint; done if it has nothing. On error the
  /// ports are not the endpoint's any more, but the proxy may have them until
  /// `repair`.
  result<void> release(const endpoint_id& owner);

  /// Gives back some of an endpoint's ports. Errors: `not_found` if it does
  /// not have one of them, nothing is done then; others as above.
  result<void>
  release(const endpoint_id& owner, std::span<const port_binding> bindings);

  /// What an endpoint has.
  std::vector<port_binding> bindings(const endpoint_id& owner) const;

  /// What everybody has.
  std::map<endpoint_id, std::vector<port_binding>> bindings() const;

  /// Compares with the proxy and gives it what it lost, e.g. by its death;
  /// reads the kernel's limits anew. Errors: the first port that could not be
  /// taken again; the others are.
  result<void> repair();

  /// Does the proxy hold, or should it, any port?
  bool needs_proxy() const;

  /// Looks after the proxy, and takes its ports again at once if it is gone.
  /// @returns what was wrong; empty: nothing.
  std::string look_after_proxy();

  /// What is wrong now, one line each, without mending it: no proxy, ports that
  /// could not be taken again.
  std::vector<std::string> problems();

private:
  using socket_ptr = std::shared_ptr<netns::held_port>;

  /// Where the socket of a binding is.
  enum class place : uint8_t {
    nowhere, ///< There is none: no host port, or the kernel has no such socket.
    here,
    sent, ///< On its way to the proxy, and still here.
    proxy,
  };

  /// One binding and its socket.
  struct entry {
    port_binding binding;
    std::optional<ip_address> target; ///< Of the proxy.
    place where = place::nowhere;
    socket_ptr socket; ///< Set if it is here or sent.
    /// `0.0.0.0` and `::` of one number have one socket; here the latter's.
    bool shared = false;
    bool fresh = false;       ///< Begun and not finished.
    std::string problem = {}; ///< Why it could not be taken again.
  };

  struct parcel;

  struct account {
    publisher who;
    std::vector<entry> entries;
  };

  result<void> check_room(std::span<const port_group> groups) const;
  result<void> hold_group(const publisher& owner, const port_group& group,
                          std::vector<entry>& taken);
  result<std::vector<entry>>
  hold_at(const publisher& owner, const port_group& group, uint16_t port);
  std::optional<std::vector<entry>>
  hold_both(const publisher& owner, const port_group& group, uint16_t port);
  result<entry> hold(const publisher& owner, const port_binding& binding);
  error explain(error why, const port_binding& binding);
  error exhausted(const publisher& owner, const port_group& group,
                  const std::optional<error>& last);
  result<entry> resume(const publisher& owner, const port_binding& binding);
  static parcel parcel_of(std::span<const entry> entries);
  void send(std::span<entry> entries);
  void settle();
  result<void> hand_over(std::span<entry> entries);
  void withdraw(std::span<const entry> entries, place where);
  result<void> take_from_proxy(std::span<const entry> entries);
  void part(std::vector<entry>& entries, std::span<const entry> leaving);
  void give_back(std::span<const entry> entries);
  void enter(const publisher& owner, std::vector<entry> entries);
  result<void> close_strays(const netns::port_set& strays, bool& parted);
  bool has_lost_ports() const;
  result<void> repair_once(bool& parted);
  result<void> repair_entry(entry& x, const netns::port_set& present);

  std::unique_ptr<netns::port_sockets> sockets_;
  std::unique_ptr<netns::port_proxy> proxy_;
  port_allocator allocator_;
  std::map<endpoint_id, account> accounts_;
  std::vector<endpoint_id> on_their_way_; // Who has entries that are sent.
  netns::port_set left_over_;             // Of an earlier run.
  bool restoring_ = false; // Since `start`, until `finish_restore`.
};

} // namespace troupe::drivers
