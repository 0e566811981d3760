#include "troupe/tests/system/cni/fixture.hpp"

#include "troupe/tests/system/harness/isolation.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace troupe::test {

std::string answered::text() const {
  return std::to_string(code) + " " + body.dump() + " " + err;
}

int answered::error_code() const {
  return body.is_object() ? body.value("code", 0) : 0;
}

std::string answered::address() const {
  if (!body.is_object() || !body.contains("ips") || body["ips"].empty())
    return {};
  return without_length(body["ips"][0].value("address", ""));
}

void cni_test::SetUp() {
  // What `ip netns` mounts once and for all.
  if (isolation_refusal().empty()) {
    run({"ip", "netns", "add", "first"});
    run({"ip", "netns", "del", "first"});
  }
  system_test::SetUp();
  if (IsSkipped() || HasFatalFailure())
    return;
  socket_ = daemon().socket();
  // As every container host does; the daemon would ask for it as well.
  std::ofstream{"/proc/sys/net/ipv4/ip_forward"} << 1;
}

void cni_test::TearDown() {
  // Not the daemon's to remove.
  while (!namespaces_.empty())
    remove_namespace(namespaces_.back());
  system_test::TearDown();
}

std::string cni_test::make_namespace(const std::string& name) {
  auto made = run({"ip", "netns", "add", name});
  EXPECT_EQ(made.code, 0) << made.err;
  run({"ip", "-n", name, "link", "set", "lo", "up"});
  namespaces_.push_back(name);
  return "/run/netns/" + name;
}

void cni_test::make_neighbour() {
  make_namespace("neighbour");
  ASSERT_EQ(run({"ip", "link", "add", "up0", "type", "veth", "peer", "name",
                 "eth0", "netns", "neighbour"})
              .code,
            0);
  run({"ip", "addr", "add", "192.0.2.1/24", "dev", "up0"});
  run({"ip", "link", "set", "up0", "up"});
  run({"ip", "-n", "neighbour", "addr", "add", "192.0.2.2/24", "dev", "eth0"});
  run({"ip", "-n", "neighbour", "link", "set", "eth0", "up"});
}

void cni_test::remove_namespace(const std::string& name) {
  run({"ip", "netns", "del", name});
  std::erase(namespaces_, name);
}

nlohmann::json
cni_test::configuration(const std::string& name, nlohmann::json more) const {
  more["cniVersion"] = more.value("cniVersion", "1.0.0");
  more["name"] = name;
  more["type"] = "troupe-cni";
  more["socket"] = daemon_socket();
  return more;
}

std::vector<std::string>
cni_test::variables(const std::string& command, const std::string& container,
                    const std::string& netns, const std::string& interface,
                    const std::string& args) {
  return {"CNI_COMMAND=" + command, "CNI_CONTAINERID=" + container,
          "CNI_NETNS=" + netns,     "CNI_IFNAME=" + interface,
          "CNI_ARGS=" + args,       "CNI_PATH=/opt/cni/bin"};
}

void cni_test::restart() {
  ASSERT_EQ(daemon().start(), "");
  warm_up();
}

void cni_test::warm_up() {
  reconnect();
  create_network("warm");
  create_sandbox("warm");
  attach("warm", "warm");
  (void)doctor(); // It keeps what it reads the kernel with.
  must("DELETE", "/v1/sandboxes/warm");
  must("DELETE", "/v1/networks/warm");
  observe_daemon();
}

std::string cni_test::input_file(const nlohmann::json& config) {
  auto path = "/run/cni-input-" + std::to_string(++inputs_);
  std::ofstream{path} << config.dump();
  return path;
}

answered cni_test::cni(const std::string& command, const std::string& container,
                       const std::string& netns, const nlohmann::json& config,
                       const std::string& interface, const std::string& args) {
  auto input = input_file(config);
  auto ran
    = run({"sh", "-c", std::string{"exec "} + TROUPE_CNI + " < " + input},
          variables(command, container, netns, interface, args));
  auto body = ran.out.empty() ? nlohmann::json{}
                              : nlohmann::json::parse(ran.out, nullptr, false);
  EXPECT_FALSE(body.is_discarded()) << ran.out;
  std::filesystem::remove(input);
  return {ran.code, std::move(body), ran.err};
}

answered
cni_test::add(const std::string& container, const nlohmann::json& config,
              const std::string& interface, const std::string& args) {
  auto made
    = cni("ADD", container, "/run/netns/" + container, config, interface, args);
  EXPECT_EQ(made.code, 0) << made.text();
  return made;
}

answered
cni_test::del(const std::string& container, const nlohmann::json& config,
              const std::string& interface) {
  return cni("DEL", container, "/run/netns/" + container, config, interface);
}

bool cni_test::pings(const std::string& from, const std::string& address) {
  return run(
           {"ip", "netns", "exec", from, "ping", "-c", "1", "-W", "3", address})
           .code
         == 0;
}

size_t cni_test::known_objects() {
  return must("GET", "/v1/endpoints")["endpoints"].size()
         + must("GET", "/v1/sandboxes")["sandboxes"].size();
}

size_t cni_test::deferred() const {
  auto why = std::error_code{};
  auto dir = std::filesystem::path{daemon_socket()}.parent_path();
  return static_cast<size_t>(std::distance(
    std::filesystem::directory_iterator{dir / "adapters/deferred", why},
    std::filesystem::directory_iterator{}));
}

} // namespace troupe::test
