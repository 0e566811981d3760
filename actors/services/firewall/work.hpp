#pragma once

#include "troupe/actors/core/plumbing.hpp"
#include "troupe/actors/services/firewall/book.hpp"
#include "troupe/actors/services/firewall/connection_book.hpp"
#include "troupe/actors/services/firewall/forwarding.hpp"
#include "troupe/drivers/publish/port_book.hpp"

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
  firewall_work(std::unique_ptr<netns::kernel> kernel,
                std::unique_ptr<drivers::port_book> ports,
                netns::firewall::settings rules, forwarding_policy forwarding);

  firewall_work(const firewall_work&) = delete;
  firewall_work& operator=(const firewall_work&) = delete;

  /// Brings the kernel to what these owners want, all in one transaction. On
  /// error all of them want what they wanted before, but those whose job is
  /// final: what the kernel lacks or keeps is a difference to mend. Without
  /// nf_tables nothing is done and nothing fails; `missing` tells.
  result<void> apply(std::vector<firewall_job> jobs);

  /// Loads everything that is wanted anew; removes the tables if nothing is.
  result<void> load();

  /// Somebody has changed the rules. They are trusted again once they are
  /// loaded, however often that has to be tried.
  void distrust() {
    loaded_ = false;
  }

  /// The kernel may lack rules that are wanted.
  bool is_distrusted() const {
    return !loaded_ && !missing_ && !book_.empty();
  }

  /// What the host forwards.
  class forwarding& forwarding() {
    return forwarding_;
  }

  /// Publishes the endpoint's ports that are not published yet. Others hold
  /// them after `finish_publish` at the latest, which must follow unless
  /// `release_but` does.
  result<std::vector<port_binding>>
  publish(const drivers::driver& driver, const protect_endpoint& what);

  /// Takes ports of an endpoint's record again, as far as they can be had.
  /// @returns those that could not.
  std::vector<drivers::refused_port>
  restore(const endpoint_spec& endpoint,
          const std::vector<port_binding>& recorded);
  /// At start: an earlier run switched forwarding on if its rules or the store
  /// say so.
  void recall_forwarding(const persistence::forwarding_record& recorded);

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

  // -- connections -----------------------------------------------------------
  // Tracked connections pass whatever the rules say. Those that nobody explains
  // any more are owed to be forgotten until the kernel has done it.

  /// From now on connections of this network may be judged.
  void know(const drivers::driver& driver, const network_spec& network);

  /// The network is gone.
  void forget(const network_id& network);

  /// At start: the endpoint is there, and its connections are its own.
  void know(const endpoint_spec& endpoint);

  /// The endpoint comes. Errors: `unavailable` when the connections of who had
  /// one of its addresses before cannot be forgotten: they would be its own.
  result<void> admit(const endpoint_spec& endpoint);

  /// The endpoint is gone, its connections are owed: those to its ports as
  /// well, for they led to its addresses. Its addresses rest until
  /// `pay_connections`.
  void dismiss(const endpoint_spec& endpoint);

  /// These ports lead to the endpoint now; what was sent to them before is
  /// owed.
  void owe_before(const endpoint_spec& endpoint,
                  const std::vector<port_binding>& bindings);

  bool owes_connections() const {
    return owes_review_ || !owed_.empty();
  }

  /// Forgets all that is owed in one go. On error it is still owed.
  result<void> pay_connections();

  /// Compares all tracked connections with what is known, once everything is
  /// known that the records say: what an earlier run left is owed, and paid.
  result<void> review_connections();

  /// Rules were not there for a while: who came meanwhile was let through, or
  /// went another way, and would go on. Owes a review.
  void note_gap() {
    owes_review_ = had_gap_ = true;
  }

  /// What `review_connections` would forget, one line each. Reads only.
  result<std::vector<std::string>> stale_connections();

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

  /// The ports that an endpoint has.
  std::vector<port_binding> published(const endpoint_id& id) const {
    return ports_ ? ports_->bindings(id) : std::vector<port_binding>{};
  }

  /// Null if nothing can be published.
  drivers::port_book* ports() const {
    return ports_.get();
  }

private:
  result<void> remove();
  result<void> change(const firewall_book::changes& changes);
  void note_release(const endpoint_spec& endpoint, const result<void>& done);
  std::vector<port_binding>
  forget_but(const endpoint_spec& endpoint, std::vector<port_binding> bindings,
             const std::vector<port_binding>& kept);
  void owe(const netns::conntrack_filter& filter);
  void owe_answers(const endpoint_spec& endpoint,
                   const std::vector<port_binding>& bindings);

  std::unique_ptr<netns::kernel> kernel_;
  std::unique_ptr<drivers::port_book> ports_;
  netns::firewall::settings rules_;
  class forwarding forwarding_;
  firewall_book book_;
  bool loaded_ = false;        ///< The kernel has what the book says.
  bool worked_ = false;        ///< Rules were loaded once.
  bool maybe_present_ = false; ///< There may be tables of ours.
  bool owes_ports_ = false;
  connection_book connections_;
  connection_book::filters owed_;
  bool owes_review_ = false; ///< What somebody else's time has left.
  bool had_gap_ = false;     ///< What came while rules were missing, too.
  std::optional<error> missing_;
};

} // namespace troupe
