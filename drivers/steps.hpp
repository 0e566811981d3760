#pragma once

#include "troupe/netns/kernel.hpp"
#include "troupe/netns/undo_stack.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

/// Steps that bring one thing in the kernel to its wanted state.
///
/// Each looks first, does only what is missing, and pushes its inverse
/// *before* it acts: a request whose answer got lost may have been carried
/// out, and since the step knows what was there before, the inverse is right
/// whether the request took effect or not.
///
/// @note The kernel object must outlive the undo stack.
namespace troupe::drivers {

/// Several steps. What is new is made by all or by none, so the first failure
/// ends it; repairs do not wait for each other, so all of them are tried and
/// the first failure is told.
class step_sequence {
public:
  enum class after_failure : uint8_t { stop, go_on };

  explicit step_sequence(after_failure what) : what_{what} {
  }

  /// Does a step, which returns `result<void>`.
  template <class Step>
  step_sequence& then(Step&& step) {
    if (!end_ && what_ == after_failure::stop)
      return *this;
    if (auto done = step(); !done && end_)
      end_ = std::move(done);
    return *this;
  }

  /// The first failure, if any.
  result<void> end() {
    return std::move(end_);
  }

private:
  after_failure what_;
  result<void> end_;
};

/// Changes what differs from `now`. Where the kernel renames only links that
/// are down, the link goes down for that, and what it loses is put back.
result<void>
change_link(netns::kernel& kernel, netns::undo_stack& undo,
            const netns::link_info& now, const netns::link_change& wanted);

/// Sets a bridge port's flags unless they are so already.
result<void>
change_port(netns::kernel& kernel, netns::undo_stack& undo, int index,
            const netns::port_flags& now, const netns::port_flags& wanted);

/// Adds the addresses that are missing. An address that is there with another
/// prefix length is replaced; other addresses stay.
result<void>
add_missing_addresses(netns::kernel& kernel, netns::undo_stack& undo, int index,
                      std::span<const interface_address> wanted);

/// Adds a route. One that leads there already is as good.
result<void> add_route(netns::kernel& kernel, netns::undo_stack& undo,
                       const netns::route_info& wanted);

/// Removes a route.
result<void> drop_route(netns::kernel& kernel, netns::undo_stack& undo,
                        const netns::route_info& x);

/// True if one of `present` leads where `wanted` does. One of the kernel's own
/// may have another protocol and metric: somebody put it back by hand.
bool has_route(std::span<const netns::route_info> present,
               const netns::route_info& wanted);

/// Makes `gateway` through `index` our default route of its family, instead of
/// another one of ours. Those that others made stay.
result<void>
change_default_route(netns::kernel& kernel, netns::undo_stack& undo, int index,
                     const ip_address& gateway);

/// Sets a sysctl unless it has the value.
result<void>
change_sysctl(netns::kernel& kernel, netns::undo_stack& undo, netns::sysctl key,
              const std::string& interface, int value);

/// Those of one family.
std::vector<interface_address>
addresses_of(ip_family family, std::span<const interface_address> all);

/// True for an error that says that the object is not there.
bool is_missing(const error& why);

/// The wanted addresses that are not among `present`.
std::vector<interface_address>
missing_addresses(std::span<const interface_address> present,
                  std::span<const interface_address> wanted);

/// True if one of them is our default route through `index` to `gateway`.
bool has_default_route(std::span<const netns::route_info> routes, int index,
                       const ip_address& gateway);

} // namespace troupe::drivers
