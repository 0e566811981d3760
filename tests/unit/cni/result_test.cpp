#include "troupe/tools/cni/inspection.hpp"
#include "troupe/tools/cni/result.hpp"

#include <gtest/gtest.h>

namespace troupe::cni {

namespace {

addition sample() {
  auto result = addition{};
  result.interfaces = {{"br-1", "06:00:00:00:00:01", 1450, {}},
                       {"trp1", "fe:00:00:00:00:01", 1450, {}},
                       {"eth0", "02:42:0a:01:00:05", 1450, "/run/netns/c1"}};
  result.addresses = {*interface_address::parse("10.1.0.5/16"),
                      *interface_address::parse("fd00::5/64")};
  result.gateway = *ip_address::parse("10.1.0.1");
  result.gateway_v6 = *ip_address::parse("fd00::1");
  result.gives_default_v4 = true;
  result.gives_default_v6 = true;
  return result;
}

// The form of 1.0.0.
json sample_result(const char* version) {
  return json::parse(R"({
    "interfaces": [
      {"name": "br-1", "mac": "06:00:00:00:00:01"},
      {"name": "trp1", "mac": "fe:00:00:00:00:01"},
      {"name": "eth0", "mac": "02:42:0a:01:00:05", "sandbox": "/run/netns/c1"}],
    "ips": [
      {"address": "10.1.0.5/16", "gateway": "10.1.0.1", "interface": 2},
      {"address": "fd00::5/64", "gateway": "fd00::1", "interface": 2}],
    "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.0.1"},
               {"dst": "::/0", "gw": "fd00::1"}],
    "dns": {}, "cniVersion": ")"
                     + std::string{version} + "\"}");
}

} // namespace

TEST(CniResult, HasTheFormOfEachVersion) {
  EXPECT_EQ(result_of(sample(), "1.0.0", nullptr), sample_result("1.0.0"));
  for (const auto* version : {"0.3.1", "0.4.0"}) {
    auto wanted = sample_result(version);
    wanted["ips"][0]["version"] = "4";
    wanted["ips"][1]["version"] = "6";
    EXPECT_EQ(result_of(sample(), version, nullptr), wanted);
  }
  auto newest = sample_result("1.1.0");
  for (auto& x : newest["interfaces"])
    x["mtu"] = 1450;
  EXPECT_EQ(result_of(sample(), "1.1.0", nullptr), newest);
}

TEST(CniResult, ExtendsWhatWasThere) {
  auto previous = json::parse(R"({
    "cniVersion": "0.4.0",
    "interfaces": [{"name": "lo", "sandbox": "/run/netns/c1"}],
    "ips": [{"version": "4", "address": "127.0.0.1/8", "interface": 0}],
    "routes": [{"dst": "10.9.0.0/16"}],
    "dns": {"nameservers": ["10.1.0.1"]},
    "extra": {"kept": true}
  })");
  auto result = result_of(sample(), "1.0.0", previous);
  EXPECT_EQ(result["interfaces"].size(), 4U);
  EXPECT_EQ(result["interfaces"][0]["name"], "lo");
  EXPECT_EQ(result["ips"].size(), 3U);
  EXPECT_FALSE(result["ips"][0].contains("version"));
  EXPECT_EQ(result["ips"][1]["interface"], 3);
  EXPECT_EQ(result["routes"].size(), 3U);
  EXPECT_EQ(result["dns"], previous["dns"]);
  EXPECT_EQ(result["extra"], previous["extra"]);
  EXPECT_EQ(result["cniVersion"], "1.0.0");
  // Nonsense of another plugin is no reason to fall over.
  auto odd = json{{"ips", 3}, {"interfaces", "x"}, {"dns", nullptr}};
  EXPECT_EQ(result_of(sample(), "1.0.0", odd)["ips"].size(), 2U);
  odd = {{"ips", {1, {{"address", 3}}}}};
  EXPECT_EQ(result_of(sample(), "0.4.0", odd)["ips"].size(), 4U);
}

TEST(CniResult, SaysNoRouteThatIsNotThere) {
  auto x = sample();
  x.gives_default_v4 = false;
  x.gateway_v6.reset();
  auto result = result_of(x, "1.0.0", nullptr);
  EXPECT_EQ(result["routes"], json::array());
  EXPECT_FALSE(result["ips"][1].contains("gateway"));
}

TEST(CniResult, ErrorsHaveCodeAndDetails) {
  auto x = error_of({code::bad_config, "subnet", "why"}, "0.4.0");
  EXPECT_EQ(x, (json{{"cniVersion", "0.4.0"},
                     {"code", 7},
                     {"msg", "subnet"},
                     {"details", "why"}}));
}

TEST(CniResult, VersionsAreListed) {
  auto x = versions_of("1.0.0");
  EXPECT_EQ(x["cniVersion"], "1.0.0");
  EXPECT_EQ(x["supportedVersions"], json({"0.3.1", "0.4.0", "1.0.0", "1.1.0"}));
  EXPECT_EQ(versions_of("9.9.9")["cniVersion"], "1.1.0");
}

TEST(CniResult, APromiseIsReadFromEveryVersion) {
  auto env = environment{};
  env.ifname = "eth0";
  for (const auto* version : {"0.4.0", "1.0.0", "1.1.0"}) {
    auto document = json{{"prevResult", result_of(sample(), version, nullptr)}};
    auto promise = read_promise(document, env);
    ASSERT_TRUE(promise) << version;
    EXPECT_EQ(promise->mac, "02:42:0a:01:00:05");
    EXPECT_EQ(promise->addresses,
              (std::vector<std::string>{"10.1.0.5/16", "fd00::5/64"}));
    EXPECT_TRUE(promise->default_v4 && promise->default_v6);
  }
  EXPECT_FALSE(read_promise(json::object(), env));
  env.ifname = "eth9";
  EXPECT_FALSE(read_promise(
    json{{"prevResult", result_of(sample(), "1.0.0", nullptr)}}, env));
}

} // namespace troupe::cni
