#pragma once

#include "troupe/netns/kernel.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace troupe::netns {

namespace simulation {
class model;
} // namespace simulation

/// One link of a simulated namespace, as an observer of the machine sees it.
struct simulated_link {
  link_info info;
  std::string peer; ///< Other end of a veth as `namespace/name`, else empty.
  uint64_t peer_namespace = 0;              ///< Inode of its namespace.
  std::vector<interface_address> addresses; ///< As `kernel::addresses` has it.
  std::map<sysctl, int> sysctls;            ///< All of them.
  std::vector<mac_address> bound;           ///< By `kernel::bind_mac`, sorted.
};

/// One simulated namespace.
struct simulated_namespace {
  /// `host`, or the pins and external paths that name it joined by `,`, or
  /// `unnamed` when only open kernel objects (or a postponed teardown) hold it.
  std::string label;
  uint64_t inode = 0;
  std::vector<simulated_link> links;     ///< By name.
  std::vector<route_info> routes;        ///< Those of `kernel::routes`.
  std::vector<route_info> other_routes;  ///< Of other tables than the main one.
  std::vector<route_info> kernel_routes; ///< Those of addresses.
  std::vector<rule_info> rules;
  std::vector<neighbour_info> neighbours;
  std::vector<neighbour_info> announced; ///< The last ones.
  std::map<sysctl, int> sysctls_all;     ///< Of the entry `all`.
  std::map<sysctl, int> sysctls_default; ///< Of the entry `default`.

  /// Our tables by name, with their elements, sorted.
  std::map<std::string, std::vector<firewall::element>> firewalls;
  /// Those of them of which somebody has deleted the rules.
  std::vector<std::string> without_rules;
  /// The rules of the others, as `nft` reads them.
  std::map<std::string, std::shared_ptr<const std::string>> rulesets;
  std::vector<connection_info> connections; ///< Tracked, sorted.
};

/// Everything a simulated machine consists of, for invariant checkers.
struct simulated_view {
  std::vector<simulated_namespace> namespaces; ///< The host's first.
  std::map<std::string, uint64_t> pins;        ///< Name to inode, 0: unmounted.
};

/// A machine in memory: its network namespaces, pins, links, addresses,
/// routes, neighbours and sysctls. It outlives the kernel objects opened on
/// it, so a test can let a daemon "crash" (drop all its objects) and start it
/// again on the same machine.
///
/// Deterministic: the same calls give the same indices, inodes and MAC
/// addresses. The rules and errno values are those of Linux 6.18; the contract
/// test runs one script on this and on the real kernel.
///
/// The methods beside the first group play a *third party*: somebody else on
/// the host who changes things behind our back. There a namespace is named by
/// its pin, its external path, or "" for the host's own.
/// @thread_safety All methods, and all kernel objects of one world, may be
///                used from several threads.
class simulated_world {
public:
  /// A host with nothing but its loopback device.
  /// @param pins directory under which the pins appear.
  explicit simulated_world(std::string pins = "/run/troupe/netns");
  ~simulated_world();
  simulated_world(const simulated_world&) = delete;
  simulated_world& operator=(const simulated_world&) = delete;

  /// A consistent copy of everything.
  simulated_view view() const;

  // -- what is there before the test ----------------------------------------

  /// Makes a namespace as a container runtime would: held by a process,
  /// reachable under `path`, its loopback device down. Again with the same
  /// path: the old one is gone, as with a reused process number.
  namespace_ref make_external_namespace(const std::string& path);

  /// A file that is no namespace.
  void make_plain_file(const std::string& path);

  /// A network card: up, without addresses. @returns its index.
  int add_hardware(const std::string& name);

  // -- knobs -----------------------------------------------------------------

  /// From now on the links of a dead namespace, and the veth ends outside that
  /// they take along, stay until `finish_teardown`. Default: gone at once.
  void defer_teardown(bool on);

  /// Ends postponed teardowns. @returns how many namespaces died.
  int finish_teardown();

  /// Writing a sysctl that has another value now fails with EROFS.
  void set_sysctls_read_only(bool on);

  /// Behaves like an older kernel: before Linux 6.2 a link that is up cannot be
  /// renamed. Default: the newest one.
  void set_release(int major, int minor);

  /// What `kernel::statistics` shall report. Errors: ENODEV.
  result<void> set_statistics(const std::string& ns, const std::string& link,
                              const link_statistics& value);

  /// Power cycle: only a fresh host remains. Kernel objects opened before fail
  /// with ENODEV.
  void reboot();

  // -- third party -----------------------------------------------------------

  /// The process that held an external namespace ends; its path vanishes, the
  /// namespace too unless something else holds it. Errors: ENOENT.
  result<void> drop_external_namespace(const std::string& path);

  /// `umount` of a pin: its file stays. Errors: ENOENT.
  result<void> unmount_pin(const std::string& name);

  /// Mounts another, new namespace on the pin. Errors: ENOENT.
  result<void> replace_pin(const std::string& name);

  /// Errors: ENODEV.
  result<void> delete_link(const std::string& ns, const std::string& link);

  /// Anything `kernel::set_link` can do: rename, set down, other MTU, MAC,
  /// master, group or alias.
  result<void> change_link(const std::string& ns, const std::string& link,
                           const link_change& change);

  /// `ip link set LINK netns …`: into another namespace, where it is down.
  /// Errors: ENODEV, ENOENT.
  result<void> move_link(const std::string& ns, const std::string& link,
                         const std::string& to);

  /// `ip address flush`. Errors: ENODEV.
  result<void> flush_addresses(const std::string& ns, const std::string& link);

  /// `ip route flush table main`, and of the tables that are not the kernel's.
  result<void> flush_routes(const std::string& ns);

  /// `ip route del`, of a route that the kernel made for an address of this
  /// link. Errors: ENODEV; ESRCH.
  result<void> drop_route(const std::string& ns, const std::string& link,
                          const prefix& destination);

  /// `bridge link set dev LINK state 0`. Errors: ENODEV; EOPNOTSUPP.
  result<void> block_port(const std::string& ns, const std::string& link);

  /// `sysctl -w`. Errors: as `kernel::set_sysctl`.
  result<void> write_sysctl(const std::string& ns, sysctl key,
                            const std::string& interface, int value);

  /// `nft flush ruleset`.
  result<void> flush_ruleset(const std::string& ns);

  /// `nft flush table`: the rules are gone, the sets stay. Errors: ENOENT.
  result<void> flush_rules(const std::string& ns, const std::string& table);

  /// `nft add element` or `nft delete element`. Errors: as
  /// `kernel::change_elements`.
  result<void> change_elements(const std::string& ns, const std::string& table,
                               std::span<const firewall::element_change> xs);

  /// Adds a chain that drops forwarded packets.
  result<void> add_foreign_chain(const std::string& ns,
                                 const firewall::foreign_chain& chain);

  /// Packets of a connection have passed: it is tracked until it is flushed.
  /// What was known of one between the same ends is replaced.
  result<void> track(const std::string& ns, const connection_info& x);

  /// The two ends have closed a connection between them.
  result<void> untrack(const std::string& ns, const connection_info& x);

  /// Runs `f` on the model alone with it; for the classes of this folder.
  template <class F>
  decltype(auto) with_model(F&& f) {
    auto lock = std::lock_guard{mutex_};
    return std::forward<F>(f)(*model_);
  }

private:
  mutable std::mutex mutex_;
  std::unique_ptr<simulation::model> model_;
};

/// Opens a kernel object in the host's namespace of a simulated machine.
std::unique_ptr<kernel>
open_simulated_kernel(std::shared_ptr<simulated_world> world);

/// A factory for actors that open kernel objects themselves.
kernel_factory simulated_kernel_factory(std::shared_ptr<simulated_world> world);

/// The whole machine as sorted text, one line per fact, to show that the world
/// is as it was before. Links appear by name, peers and masters too, so the
/// text does not depend on the order in which things were made.
/// @param include_indices also the indices and inodes, for a strict comparison
///        around something that must not even replace an object.
std::string
fingerprint(const simulated_world& world, bool include_indices = false);

} // namespace troupe::netns
