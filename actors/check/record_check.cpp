#include "troupe/actors/check/record_check.hpp"

#include <algorithm>
#include <set>

namespace troupe::testing {

namespace {

/// Looks at records alone.
class record_check {
public:
  explicit record_check(const persistence::snapshot& records)
    : records_{records} {
  }

  std::vector<std::string> run() {
    for (const auto& x : records_.endpoints)
      check(x);
    check_joins();
    check_subnets();
    return std::move(wrong_);
  }

private:
  void say(const std::string& line) {
    wrong_.push_back(line);
  }

  const network_spec* network(const network_id& id) const {
    for (const auto& x : records_.networks)
      if (x.id == id)
        return &x;
    return nullptr;
  }

  void check(const endpoint_spec& x) {
    const auto* net = network(x.network);
    if (net == nullptr)
      return say("endpoint " + x.name + " of a network without record");
    if (x.mac && !held_.insert(net->id.value + to_string(*x.mac)).second)
      say("MAC " + to_string(*x.mac) + " is held twice");
    for (const auto& address : x.addresses) {
      const auto text = to_string(address.address);
      if (!held_.insert(net->id.value + text).second)
        say("address " + text + " is held twice");
      auto in_pool = false;
      for (const auto& pool : net->pools) {
        in_pool = in_pool || pool.subnet->contains(address.address);
        if (pool.gateway == address.address)
          say("address " + text + " is the gateway's");
      }
      if (!in_pool)
        say("address " + text + " is in no pool of its network");
    }
  }

  void check_joins() {
    auto joined = std::set<endpoint_id>{};
    for (const auto& x : records_.joins) {
      joined.insert(x.endpoint);
      if (std::none_of(records_.sandboxes.begin(), records_.sandboxes.end(),
                       [&](const auto& y) {
                         return y.id == x.sandbox;
                       }))
        say("a join of a sandbox without record");
    }
    for (const auto& x : records_.endpoints)
      if (x.ephemeral && !joined.contains(x.id))
        say("endpoint " + x.name + " is ephemeral but nowhere");
  }

  void check_subnets() {
    auto subnets = std::vector<prefix>{};
    for (const auto& net : records_.networks)
      for (const auto& pool : net.pools) {
        for (const auto& other : subnets)
          if (other.overlaps(*pool.subnet))
            say("subnet " + to_string(other) + " is used twice");
        subnets.push_back(*pool.subnet);
      }
  }

  const persistence::snapshot& records_;
  std::set<std::string> held_;
  std::vector<std::string> wrong_;
};

} // namespace

std::vector<std::string> check_records(const persistence::snapshot& records) {
  return record_check{records}.run();
}

} // namespace troupe::testing
