#pragma once

// Records that no request of today makes: written by a newer or older version,
// edited by hand, half imported, referring to nothing. Whatever they are, the
// daemon starts, and everything can be seen and removed.

#include "live_system.hpp"
#include <stdexcept>

namespace troupe::test {

/// A daemon that has ended, and the records it left: two networks, one sandbox,
/// endpoints of both kinds, one with a port.
struct odd_records : live_system {
  odd_records() {
    before = fingerprint(*machine.world, true);
    make_network("web");
    make_network("other");
    make_sandbox("box");
    make_endpoint("web", "plain");
    make_endpoint("web", "kept");
    EXPECT_EQ(outcome(join_endpoint{"web", "kept", "box"}), "ok");
    auto port = port_spec{};
    port.port = 80;
    port.host_port = 8080;
    auto with_port = endpoint_spec{};
    with_port.name = "c1";
    with_port.ports = {port};
    EXPECT_EQ(outcome(attach_sandbox{"other", "box", with_port}), "ok");
    backend.reset();
  }

  persistence::snapshot& records() {
    return disk->content;
  }

  /// The sandbox's endpoint on network "other", with a port.
  endpoint_spec& attached() {
    for (auto& x : records().endpoints)
      if (x.ephemeral)
        return x;
    throw std::logic_error{"there is no ephemeral endpoint"};
  }

  endpoint_spec& endpoint_named(const std::string& name) {
    for (auto& x : records().endpoints)
      if (x.name == name)
        return x;
    throw std::logic_error{"there is no such endpoint"};
  }

  /// Starts, looks at everything in every way, removes everything, starts
  /// again.
  void survive() {
    ASSERT_NO_FATAL_FAILURE(start());
    look_at_all();
    EXPECT_EQ(outcome(run_doctor{true}), "ok");
    look_at_all();
    remove_all();
    EXPECT_EQ(records().networks.size(), 0U) << "networks";
    EXPECT_EQ(records().endpoints.size(), 0U) << "endpoints";
    EXPECT_EQ(records().sandboxes.size(), 0U) << "sandboxes";
    EXPECT_EQ(records().joins.size(), 0U) << "joins";
    ASSERT_NO_FATAL_FAILURE(restart());
    EXPECT_EQ(all_networks().size(), 0U);
    make_network("web"); // And works.
    EXPECT_EQ(outcome(remove_network{"web"}), "ok");
  }

  std::vector<network_status> all_networks() {
    return call<network_list>(list_networks{}).value().networks;
  }
  std::vector<endpoint_status> all_endpoints() {
    return call<endpoint_list>(list_endpoints{}).value().endpoints;
  }
  std::vector<sandbox_status> all_sandboxes() {
    return call<sandbox_list>(list_sandboxes{}).value().sandboxes;
  }

  void look_at_all() {
    for (const auto& x : all_networks())
      EXPECT_EQ(outcome(inspect_network{x.spec.id.value}), "ok");
    for (const auto& x : all_endpoints()) {
      EXPECT_EQ(outcome(inspect_endpoint{"", x.spec.id.value}), "ok");
      ++endpoints_seen;
    }
    for (const auto& x : all_sandboxes())
      EXPECT_EQ(outcome(inspect_sandbox{x.spec.id.value}), "ok");
    last_status = call<daemon_status>(get_status{}).value();
    EXPECT_EQ(outcome(run_doctor{false}), "ok");
  }

  void remove_all() {
    for (const auto& x : all_endpoints())
      EXPECT_EQ(outcome(remove_endpoint{"", x.spec.id.value, true}), "ok")
        << x.spec.name;
    for (const auto& x : all_sandboxes())
      EXPECT_EQ(outcome(remove_sandbox{x.spec.id.value}), "ok") << x.spec.name;
    for (const auto& x : all_networks())
      EXPECT_EQ(outcome(remove_network{x.spec.id.value}), "ok") << x.spec.name;
  }

  /// Is there a warning with this text?
  bool is_warned(std::string_view text) const {
    for (const auto& x : last_status.warnings)
      if (x.find(text) != std::string::npos)
        return true;
    return false;
  }

  std::string before;
  daemon_status last_status;
  size_t endpoints_seen = 0;
};

} // namespace troupe::test
