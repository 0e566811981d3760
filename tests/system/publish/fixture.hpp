#pragma once

#include "troupe/tests/fixtures/addresses.hpp"
#include "troupe/tests/system/firewall/traffic.hpp"
#include "troupe/tests/system/harness/system_test.hpp"
#include "troupe/tests/system/publish/connection.hpp"

#include <map>
#include <string>
#include <vector>

namespace troupe::test {

inline constexpr auto uplink_v4 = "192.0.2.1";
inline constexpr auto uplink_v6 = "2001:db8:ffff::1";

/// A neighbour on the uplink; the networks `a` (with the sandboxes `web` and
/// `peer`) and `b` (with `far`), both of both families.
class Publish : public system_test {
protected:
  void SetUp() override {
    system_test::SetUp();
    if (IsSkipped() || HasFatalFailure())
      return;
    for (const auto& words : std::vector<std::vector<std::string>>{
           {"ip", "netns", "add", "street"},
           {"ip", "link", "add", "up0", "type", "veth", "peer", "name", "eth0",
            "netns", "street"},
           {"ip", "address", "add", "192.0.2.1/24", "dev", "up0"},
           {"ip", "address", "add", "2001:db8:ffff::1/64", "dev", "up0",
            "nodad"},
           {"ip", "link", "set", "up0", "up"},
           {"ip", "-n", "street", "address", "add", "192.0.2.2/24", "dev",
            "eth0"},
           {"ip", "-n", "street", "address", "add", "2001:db8:ffff::2/64",
            "dev", "eth0", "nodad"},
           {"ip", "-n", "street", "link", "set", "eth0", "up"},
           {"ip", "-n", "street", "route", "add", "default", "via", uplink_v4},
           {"ip", "-n", "street", "-6", "route", "add", "default", "via",
            uplink_v6}}) {
      auto ran = run(words);
      ASSERT_EQ(ran.code, 0) << ran.err;
    }
    for (const auto* name : {"a", "b"})
      create_network(name, {{"enable_ipv6", true}});
    for (const auto* name : {"web", "peer", "far"})
      keys_[name] = create_sandbox(name).value("key", "");
    attach("a", "peer");
    attach("b", "far");
    ASSERT_FALSE(HasFailure());
  }

  void TearDown() override {
    if (!IsSkipped()) {
      // The daemon keeps its connection with the proxy.
      remove_everything();
      observe_daemon();
      run({"pkill", "-x", "troupe-proxy"}); // Of this program's namespace.
      run({"ip", "link", "del", "up0"});
      run({"ip", "netns", "del", "street"});
      run({"umount", "/run/netns"});
    }
    system_test::TearDown();
  }

  /// Attaches `web`; ports as `-p` has them. @returns its addresses.
  std::vector<ip_address> attach_web(const std::vector<std::string>& ports,
                                     const std::string& network = "a") {
    auto words
      = std::vector<std::string>{"attach", network, "web", "--name", "w"};
    for (const auto& x : ports) {
      words.push_back("-p");
      words.push_back(x);
    }
    auto ran = daemon().troupe(words);
    EXPECT_EQ(ran.code, 0) << ran.err << daemon().log();
    auto seen = must("GET", "/v1/networks/" + network + "/endpoints/w");
    auto result = std::vector<ip_address>{};
    for (const auto& x : seen.at("spec").at("addresses"))
      result.push_back(ip(without_length(x.get<std::string>())));
    return result;
  }

  const std::string street_ = "/run/netns/street";
  std::map<std::string, std::string> keys_;
};

} // namespace troupe::test
