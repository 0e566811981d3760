#pragma once

#include "troupe/config/model/error.hpp"
#include "troupe/drivers/publish/port_book.hpp"
#include "troupe/netns/audit/audit.hpp"
#include "troupe/netns/audit/path_probe.hpp"
#include "troupe/netns/firewall/firewalld.hpp"
#include "troupe/netns/kernel.hpp"
#include "troupe/netns/real/probe.hpp"
#include "troupe/netns/watch.hpp"
#include "troupe/persistence/store.hpp"

#include <functional>
#include <memory>

namespace troupe {

/// What an embedded controller stands on. Each function is called on the
/// thread that uses the result. Tests and benchmarks put simulated or faulty
/// parts here.
struct embedded_parts {
  netns::kernel_factory open_kernel;
  persistence::store_factory open_store;
  /// Empty: changes by others are found by the regular comparison only.
  std::function<result<std::unique_ptr<netns::event_source>>()> open_watch;
  /// Reads the kernel for the doctor; empty: the doctor compares store and
  /// actors only.
  std::function<result<netns::audit_view>(
    std::span<const netns::promised_network>)>
    read_audit;
  /// The same of `obstructions` alone, for the status; empty: it tells none.
  std::function<result<std::vector<netns::obstruction>>(
    std::span<const netns::promised_network>)>
    read_obstructions;
  /// Sends packets for the doctor, as `netns::send_path_probes`; empty: none
  /// are sent.
  std::function<result<std::vector<std::string>>(
    std::span<const netns::path_probe>)>
    send_path_probes;
  /// The host's ports; empty: nothing can be published.
  std::function<std::unique_ptr<drivers::port_book>()> make_ports;
  /// May this process do all this? Asked before anything else; empty: yes.
  std::function<result<void>()> check_rights;
  /// Finds out what the kernel lacks, once after start; empty: nobody does.
  std::function<result<netns::kernel_probe>()> probe_kernel;
  /// Tells firewalld about our bridges; empty: nobody does.
  std::function<result<std::unique_ptr<netns::firewalld>>()> open_firewalld;
};

} // namespace troupe
