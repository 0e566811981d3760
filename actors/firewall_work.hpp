#pragma once

#include "troupe/actors/firewall_book.hpp"
#include "troupe/actors/forwarding.hpp"
#include "troupe/actors/plumbing.hpp"
#include "troupe/drivers/ports/port_book.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

/// What an owner wants of the firewall from now on.
struct firewall_job {
  std::string owner; ///< Id of a network or endpoint.
  firewall_book::elements wanted;
  /// It has happened: an error of the kernel does not take it back.
  bool is_final = false;
};

/// What the FIREWALL actor does: keeps the wanted elements and the host ports,
/// and brings the kernel to them.
/// @thread_safety Blocks; on the thread that made it.
class firewall_work {
public:
  /// @param ports Null: nothing can be published.
  /// @param ip_forward May the host's forwarding be switched on?
  firewall_work(std::unique_ptr<netns::kernel> kernel,
                std::unique_ptr<drivers::port_book> ports,
                netns::firewall::settings rules, bool ip_forward);

  /// Brings the kernel to what these owners want, all in one transaction. On
  /// error all of them want what they wanted before, but those whose job is
  /// final: what the kernel lacks or keeps is a difference to mend. Without
  /// nf_tables nothing is done and nothing fails; `missing` tells.
  result<void> apply(std::vector<firewall_job> jobs);

  /// Loads everything that is wanted anew; removes the tables if nothing is.
  result<void> load();

  /// What the host forwards.
  class forwarding& forwarding() {
    return forwarding_;
  }

  /// Publishes the endpoint's ports that are not published yet. Others hold
  /// them after `finish_publish` at the latest, which must follow unless
  /// `release_but` does.
  result<std::vector<port_binding>>
  publish(const drivers::driver& driver, const protect_endpoint& what);

  /// Waits until the ports that `publish` took are held for good. On error they
  /// are given back, and what was connected to them is forgotten.
  /// @param all Those of the endpoint.
  result<void> finish_publish(const endpoint_spec& endpoint,
                              const std::vector<port_binding>& all);

  /// Gives back an endpoint's ports but these, and forgets the connections to
  /// them.
  void release_but(const endpoint_spec& endpoint,
                   const std::vector<port_binding>& kept);

  /// Gives back all ports of an endpoint that is gone.
  void release_all(const endpoint_spec& endpoint);

  /// The proxy still has what was given back, because it did not answer:
  /// `repair_ports` must follow.
  bool owes_ports() const {
    return owes_ports_;
  }

  /// Compares the ports with the proxy and mends the differences.
  result<void> repair_ports();

  /// Forgets the connections of an endpoint that is gone: those to its ports as
  /// well, for they led to its addresses.
  void forget_connections(const endpoint_spec& endpoint);

  /// Differences between kernel and wishes, one line each. Reads only.
  result<std::vector<std::string>> differences();

  /// Why there are no rules; empty: there are.
  const std::optional<error>& missing() const {
    return missing_;
  }

  /// What the user should know, e.g. that there are no rules.
  std::vector<std::string> warnings() const;

  const firewall_book& book() const {
    return book_;
  }

  /// Null if nothing can be published.
  drivers::port_book* ports() const {
    return ports_.get();
  }

private:
  result<void> remove();
  result<void> change(const firewall_book::changes& changes);
  void note_release(const endpoint_spec& endpoint, const result<void>& done);
  void forget_connections(const port_binding& binding);
  std::vector<port_binding> forget_but(std::vector<port_binding> bindings,
                                       const std::vector<port_binding>& kept);
  void forget(const netns::conntrack_filter& filter, const std::string& title);

  std::unique_ptr<netns::kernel> kernel_;
  std::unique_ptr<drivers::port_book> ports_;
  netns::firewall::settings rules_;
  class forwarding forwarding_;
  firewall_book book_;
  bool loaded_ = false;        ///< The kernel has what the book says.
  bool worked_ = false;        ///< Rules were loaded once.
  bool maybe_present_ = false; ///< There may be tables of ours.
  bool owes_ports_ = false;
  std::optional<error> missing_;
};

} // namespace troupe
