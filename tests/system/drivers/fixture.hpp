#pragma once

#include "troupe/drivers/registry.hpp"
#include "troupe/netns/real/kernel.hpp"
#include "troupe/tests/fixtures/addresses.hpp"
#include "troupe/tests/fixtures/scratch.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "probe.hpp"
#include <memory>
#include <string>
#include <vector>

namespace troupe::test {

/// A result's error as text, for failure messages.
template <class T>
std::string text(const result<T>& x) {
  return x ? "ok" : x.error().message + " [" + x.error().hint + "]";
}

/// The bridge driver on the real kernel, in a network namespace of the test's
/// own. At the end of each test everything is removed and the namespace is
/// compared with what it was at the beginning.
class bridge_system : public scratch_test {
protected:
  std::unique_ptr<netns::kernel> kernel;
  std::unique_ptr<drivers::driver> driver;
  network_spec network;
  std::vector<drivers::endpoint_plan> plans;
  std::string pristine;

  void SetUp() override {
    scratch_test::SetUp();
    if (IsSkipped())
      return;
    auto opened = netns::open_netlink_kernel(pin_dir());
    ASSERT_TRUE(opened) << text(opened);
    kernel = std::move(*opened);
    driver = drivers::make("bridge", instance::of(run_dir()));
    raise_loopback();
    network = dual_network();
    pristine = snapshot();
  }

  void TearDown() override {
    if (!kernel)
      return;
    remove_all();
    EXPECT_EQ(snapshot(), pristine);
    kernel.reset();
    scratch_test::TearDown();
  }

  static network_spec dual_network() {
    auto result = network_spec{};
    result.id.value = "abcdef012345" + std::string(52, '0');
    result.name = "net";
    result.enable_ipv6 = true;
    result.pools.resize(2);
    result.pools[0].subnet = prefix::parse("10.1.0.0/16").value();
    result.pools[0].gateway = ip("10.1.0.1");
    result.pools[1].subnet = prefix::parse("fd00:1::/64").value();
    result.pools[1].gateway = ip("fd00:1::1");
    return result;
  }

  /// Makes the network and `count` sandboxes with an endpoint each.
  void build(unsigned count) {
    create_network();
    for (auto n = 1U; n <= count; ++n) {
      plans.push_back(plan_for(sandbox(fmt::format("box-{}", n)), n));
      create(plans.back());
    }
  }

  void create_network() {
    auto done = driver->create_network(*kernel, network);
    ASSERT_TRUE(done) << text(done);
  }

  void create(const drivers::endpoint_plan& plan) {
    auto done = driver->create_endpoint(*kernel, plan);
    ASSERT_TRUE(done) << text(done);
  }

  void remove_all() {
    auto done = driver->remove_endpoints(*kernel, plans);
    EXPECT_TRUE(done) << text(done);
    done = driver->remove_network(*kernel, network);
    EXPECT_TRUE(done) << text(done);
    auto pins = kernel->namespaces();
    ASSERT_TRUE(pins);
    for (const auto& [name, ref] : *pins)
      EXPECT_TRUE(kernel->remove_namespace(name));
  }

  netns::namespace_ref sandbox(const std::string& name) {
    auto made = kernel->create_namespace(name);
    EXPECT_TRUE(made) << text(made);
    return made.value_or(netns::namespace_ref{});
  }

  drivers::endpoint_plan plan_for(const netns::namespace_ref& ns, unsigned n) {
    auto result = drivers::endpoint_plan{};
    result.network = network;
    result.endpoint.id.value = fmt::format("{:012x}{:052x}", n, n);
    for (const auto& x : network.pools)
      result.endpoint.addresses.push_back(
        {x.subnet->at(n + 1), x.subnet->length()});
    result.where = {ns, "eth0", true, true};
    return result;
  }

  std::unique_ptr<netns::kernel> inside(unsigned n) {
    return kernel->enter(plans[n - 1].where.ns).value();
  }

  static std::string host_end(unsigned n) {
    return fmt::format("trp{:012x}", n);
  }

  /// Both families, both ways, between the first two sandboxes.
  void expect_connected(bool expected = true) {
    auto a = plans[0].where.ns.path;
    auto b = plans[1].where.ns.path;
    auto tries = expected ? 50 : 5;
    EXPECT_EQ(can_reach(a, b, ip("10.1.0.3"), tries), expected);
    EXPECT_EQ(can_reach(b, a, ip("10.1.0.2"), tries), expected);
    EXPECT_EQ(can_reach(a, b, ip("fd00:1::3"), tries), expected);
    EXPECT_EQ(can_reach(b, a, ip("fd00:1::2"), tries), expected);
  }

  /// The host over its gateway addresses.
  void expect_host_reachable() {
    for (const auto& plan : plans) {
      EXPECT_TRUE(can_reach(plan.where.ns.path, "", ip("10.1.0.1")));
      EXPECT_TRUE(can_reach(plan.where.ns.path, "", ip("fd00:1::1")));
    }
  }

  std::vector<std::string> complaints() {
    auto result = driver->inspect_network(*kernel, network).value();
    for (const auto& plan : plans) {
      auto lines = driver->inspect_endpoint(*kernel, plan).value();
      result.insert(result.end(), lines.begin(), lines.end());
    }
    return result;
  }

  /// A bridge as an administrator would make it.
  int host_bridge(const std::string& name) {
    auto request = netns::bridge_request{};
    request.name = name;
    request.mac = {{2, 9, 9, 9, 9, 9}};
    request.mtu_bytes = 9000;
    auto index = kernel->add_bridge(request);
    EXPECT_TRUE(index) << text(index);
    return index.value_or(0);
  }

  void change(netns::kernel& where, const std::string& link,
              const netns::link_change& wanted) {
    auto index = where.link_index(link);
    ASSERT_TRUE(index) << text(index);
    // Before Linux 6.2 a link that is up has its name for good.
    auto down = netns::link_change{};
    down.up = false;
    if (wanted.name) {
      ASSERT_TRUE(where.set_link(*index, down));
    }
    auto done = where.set_link(*index, wanted);
    ASSERT_TRUE(done) << text(done);
  }

  /// Links, addresses, routes and pins of the namespace as text.
  std::string snapshot() {
    auto result = std::string{};
    auto links = kernel->links().value();
    for (const auto& x : links) {
      result
        += fmt::format("{} {} {} mtu {} {} master {} group {} alias \"{}\"",
                       x.name, x.kind, to_string(x.mac), x.mtu_bytes,
                       x.up ? "up" : "down", x.master, x.group, x.alias);
      auto addresses = kernel->addresses(x.index).value();
      for (const auto& y : addresses)
        result += " " + to_string(y);
      auto off = kernel->read_sysctl(netns::sysctl::ipv6_disable, x.name);
      result += fmt::format(" ipv6 off {}\n", off.value_or(-1));
    }
    auto routes = kernel->routes().value();
    for (const auto& x : routes)
      result += fmt::format("route dev {} via {}\n", x.index,
                            x.gateway ? to_string(*x.gateway) : "-");
    auto pins = kernel->namespaces().value();
    for (const auto& [name, ref] : pins)
      result += "pin " + name + "\n";
    return result;
  }

private:
  void raise_loopback() {
    auto up = netns::link_change{};
    up.up = true;
    change(*kernel, "lo", up);
  }
};

} // namespace troupe::test
