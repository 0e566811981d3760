#pragma once

// Private to the sources of the network.

#include "troupe/actors/api/backoff.hpp"
#include "troupe/actors/objects/network.hpp"
#include "troupe/actors/objects/network_book.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace troupe {

struct network_state;
using network_pointer = network_actor::stateful_pointer<network_state>;

struct network_state {
  static inline const char* name = "network";

  explicit network_state(network_pointer selfptr) : self{selfptr} {
  }

  struct member {
    endpoint_spec spec;
    endpoint_actor handle;
  };

  // -- create and remove, in network_create.cpp -------------------------------

  void start(promise<network_status> reply);
  void
  claim_subnets(std::vector<prefix> exclude, promise<network_status> reply);
  void check_host(promise<network_status> reply);
  void protect(promise<network_status> reply);
  void unprotect(std::function<void()> next);
  void build(promise<network_status> reply);
  void commit(promise<network_status> reply);
  void fail_start(error why, bool built, promise<network_status> reply);
  void claim_again(promise<done> reply);
  void drop(promise<done> reply);
  void raze_after_drop(promise<done> reply);

  // -- endpoints --------------------------------------------------------------

  result<endpoint_actor> add_endpoint(endpoint_spec wanted);

  /// Makes an endpoint and sends it its first request; the reply passes through
  /// here, so that operations under way are counted.
  template <class Message>
  caf::result<endpoint_status> begin(endpoint_spec wanted, Message message);
  void spawn_endpoint(endpoint_spec endpoint);
  void release(const endpoint_id& id);
  found_endpoints find(std::string_view reference) const;
  std::vector<endpoint_actor> handles() const;
  void list(promise<endpoint_list> reply);

  // -- check ------------------------------------------------------------------

  void check(promise<mend_report> reply);
  void check_members(const check_endpoints& msg, promise<mend_report> reply);
  void check_again();

  std::string own_link() const;
  void claim(const std::string& link) const;
  void release(const std::string& link) const;

  network_status status() const;
  result<void> is_open() const;
  std::string title() const;

  network_pointer self;
  context_ptr context;
  std::shared_ptr<const network_spec> spec;
  driver_actor driver;
  std::unique_ptr<drivers::driver> rules; ///< For its pure checks.
  network_book book;
  std::map<endpoint_id, member> members;
  std::map<std::string, endpoint_id> links; ///< By host interface.
  std::vector<std::string> leases;
  size_t beginning = 0; ///< Endpoints whose first operation is under way.
  bool started = false;
  bool dropping = false;
  std::string problem; ///< Why the network is degraded.
  /// What is wrong with its record: it gives no more addresses.
  std::vector<std::string> odd_pools;
  /// What is wrong with its endpoints' records; goes with them.
  std::multimap<endpoint_id, std::string> odd_records;
  seen_time changed = {};
  backoff checks; ///< Between comparisons that failed.
};

} // namespace troupe
