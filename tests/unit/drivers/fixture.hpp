#pragma once

#include "troupe/drivers/driver.hpp"
#include "troupe/drivers/registry.hpp"
#include "troupe/netns/simulated/kernel.hpp"
#include "troupe/tests/fixtures/addresses.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace troupe::test {

/// Who the links of these tests belong to.
inline const instance owner = instance::of("/run/troupe-test");

/// An id made of one hex digit, so that names can be told at a glance.
inline std::string id_of(char digit) {
  return std::string(64, digit);
}

inline ipam_pool pool(std::string_view subnet, std::string_view gateway) {
  auto result = ipam_pool{};
  result.subnet = net(subnet);
  result.gateway = ip(gateway);
  return result;
}

/// A network with 10.1.0.0/16 as a record has it: everything decided.
inline network_spec network_v4(char digit = 'a') {
  auto result = network_spec{};
  result.id.value = id_of(digit);
  result.name = std::string{"net-"} + digit;
  result.pools = {pool("10.1.0.0/16", "10.1.0.1")};
  return result;
}

/// The same with fd00:1::/64 beside it.
inline network_spec network_dual(char digit = 'a') {
  auto result = network_v4(digit);
  result.enable_ipv6 = true;
  result.pools.push_back(pool("fd00:1::/64", "fd00:1::1"));
  return result;
}

/// A simulated host, the kernel object of its namespace, and a few sandboxes.
struct host {
  std::shared_ptr<netns::simulated_world> world
    = std::make_shared<netns::simulated_world>();
  std::unique_ptr<netns::kernel> kernel = netns::open_simulated_kernel(world);

  /// Makes a sandbox as the namespace actor does, which is another process's:
  /// `kernel` does not keep it open.
  netns::namespace_ref sandbox(const std::string& name) {
    return netns::open_simulated_kernel(world)->create_namespace(name).value();
  }

  std::string print() const {
    return netns::fingerprint(*world);
  }

  /// The link as an observer sees it; fails the test if it is not there.
  /// @param ns a sandbox's name; empty for the host.
  netns::simulated_link link(const std::string& ns, const std::string& name) {
    auto label = ns.empty() ? std::string{"host"} : ns;
    for (const auto& space : world->view().namespaces)
      if (space.label == label)
        for (const auto& x : space.links)
          if (x.info.name == name)
            return x;
    ADD_FAILURE() << "no link " << name << " in " << label << "\n" << print();
    return {};
  }

  bool has_link(const std::string& ns, const std::string& name) {
    auto label = ns.empty() ? std::string{"host"} : ns;
    for (const auto& space : world->view().namespaces)
      if (space.label == label)
        for (const auto& x : space.links)
          if (x.info.name == name)
            return true;
    return false;
  }

  /// Makes a bridge as an administrator would. @returns its index.
  int foreign_bridge(const std::string& name) {
    auto request = netns::bridge_request{};
    request.name = name;
    request.mac = {{2, 9, 9, 9, 9, 9}};
    request.mtu_bytes = 9000;
    auto index = kernel->add_bridge(request).value();
    auto change = netns::link_change{};
    change.up = true;
    EXPECT_TRUE(kernel->set_link(index, change));
    return index;
  }
};

/// The plan of the n-th endpoint of a network, with the n-th addresses after
/// the gateway's. @pre `n` > 0
inline drivers::endpoint_plan
plan_for(const network_spec& network, const netns::namespace_ref& ns,
         unsigned n = 1) {
  auto result = drivers::endpoint_plan{};
  result.network = network;
  result.endpoint.id.value = fmt::format("{:012x}{:052x}", n, n);
  result.endpoint.network = network.id;
  result.endpoint.name = fmt::format("ep-{}", n);
  for (const auto& x : network.pools)
    result.endpoint.addresses.push_back(
      {x.subnet->at(n + 1), x.subnet->length()});
  result.where = {ns, "eth0", true, true};
  return result;
}

/// A result's error as text, for failure messages.
template <class T>
std::string text(const result<T>& x) {
  return x ? "ok" : x.error().message + " [" + x.error().hint + "]";
}

} // namespace troupe::test
