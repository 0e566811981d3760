#include "town.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace troupe::test {

namespace {

using netns::sysctl;

std::vector<port_binding> bindings_of(const std::string& name) {
  auto result = std::vector<port_binding>{};
  if (name != "a1" && name != "b1")
    return result;
  auto number = static_cast<uint16_t>(name == "a1" ? 8080 : 9090);
  for (auto proto : {protocol::tcp, protocol::udp})
    for (const auto* host : {"0.0.0.0", "::"})
      result.push_back({proto, 80, ip(host), number});
  return result;
}

} // namespace

int shell(const std::string& command) {
  auto status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string output_of(const std::string& command) {
  auto result = std::string{};
  auto* pipe = popen(command.c_str(), "r");
  auto buffer = std::array<char, 4096>{};
  if (pipe == nullptr)
    return result;
  while (auto size = fread(buffer.data(), 1, buffer.size(), pipe))
    result.append(buffer.data(), size);
  pclose(pipe);
  return result;
}

void show_bridged_packets(bool on) {
  for (const auto* key :
       {"bridge-nf-call-iptables", "bridge-nf-call-ip6tables"})
    std::ofstream{std::string{"/proc/sys/net/bridge/"} + key} << on;
}

network_spec town::make_network(char letter) {
  auto number = std::string{static_cast<char>(letter - 'a' + '1')};
  auto result = network_spec{};
  result.id.value = std::string(64, letter);
  result.name = std::string{"net-"} + letter;
  result.enable_ipv6 = true;
  result.pools.resize(2);
  result.pools[0].subnet = prefix::parse("10." + number + ".0.0/16").value();
  result.pools[0].gateway = ip("10." + number + ".0.1");
  result.pools[1].subnet = prefix::parse("fd00:" + number + "::/64").value();
  result.pools[1].gateway = ip("fd00:" + number + "::1");
  return result;
}

void town::SetUp() {
  scratch_test::SetUp();
  if (IsSkipped())
    return;
  auto opened = netns::open_netlink_kernel(pin_dir(), senders);
  ASSERT_TRUE(opened) << text(opened);
  kernel = std::move(*opened);
  auto owner = instance::of(run_dir());
  driver = drivers::make("bridge", owner);
  rules = netns::firewall::settings_of(owner);
  auto raise = netns::link_change{};
  raise.up = true;
  ASSERT_TRUE(kernel->set_link(1, raise));
  for (auto key : {sysctl::ipv4_forwarding, sysctl::ipv6_forwarding})
    ASSERT_TRUE(kernel->set_sysctl(key, "all", 1));
  auto done = kernel->load_firewall(rules, {});
  if (!done && done.error().code == ec::unsupported) {
    GTEST_SKIP() << text(done);
  }
  ASSERT_TRUE(done) << text(done);
}

void town::TearDown() {
  if (!kernel)
    return;
  auto pins = kernel->namespaces();
  ASSERT_TRUE(pins) << text(pins);
  for (const auto& [name, ref] : *pins)
    EXPECT_TRUE(kernel->remove_namespace(name));
  kernel.reset();
}

void town::build_uplink() {
  auto ns = kernel->create_namespace("neighbour").value();
  places["host"] = "";
  places["neighbour"] = ns.path;
  auto request = netns::veth_request{};
  request.name = "up0";
  request.peer_name = "eth0";
  request.peer_mac = mac_address{{2, 0, 0, 0, 0, 2}};
  request.peer_namespace = ns;
  auto host_end = kernel->add_veth(request);
  ASSERT_TRUE(host_end) << text(host_end);
  auto inside = kernel->enter(ns).value();
  ASSERT_TRUE(inside->set_sysctl(sysctl::ipv6_disable, "eth0", 0));
  auto peer = inside->link_index("eth0").value();
  auto raise = netns::link_change{};
  raise.up = true;
  ASSERT_TRUE(inside->set_link(peer, raise));
  // Without a link-local address the host cannot look for neighbours.
  for (const auto* x : {"192.0.2.1/24", "2001:db8::1/64", "fe80::1/64"})
    ASSERT_TRUE(
      kernel->add_address(*host_end, interface_address::parse(x).value()));
  for (const auto* x : {"192.0.2.2/24", "2001:db8::2/64"})
    ASSERT_TRUE(inside->add_address(peer, interface_address::parse(x).value()));
  for (const auto& network : {a, b})
    for (const auto& pool : network.pools) {
      auto gateway = ip(pool.subnet->family() == ip_family::v4 ? "192.0.2.1"
                                                               : "2001:db8::1");
      auto route = netns::route_info{};
      route.family = gateway.family();
      route.destination = pool.subnet;
      route.gateway = gateway;
      route.index = peer;
      ASSERT_TRUE(inside->add_route(route));
    }
}

void town::build_sandbox(const network_spec& network, const std::string& name,
                         unsigned number) {
  auto plan = drivers::endpoint_plan{};
  plan.network = network;
  plan.endpoint.id.value = std::string(62, network.id.value[0]) + name;
  plan.endpoint.id.value.replace(0, 2, name);
  plan.endpoint.name = name;
  for (const auto& x : network.pools)
    plan.endpoint.addresses.push_back(
      {x.subnet->at(number + 1), x.subnet->length()});
  if (!bindings_of(name).empty())
    plan.endpoint.ports.push_back({protocol::tcp, 80, 0, {}, 8080, 0});
  auto ns = kernel->create_namespace(name);
  ASSERT_TRUE(ns) << text(ns);
  plan.where = {*ns, "eth0", true, true};
  auto made = driver->create_endpoint(*kernel, plan);
  ASSERT_TRUE(made) << text(made);
  places[name] = ns->path;
  plans_[name] = plan;
}

void town::build() {
  build_uplink();
  for (auto* network : {&a, &b}) {
    std::erase_if(network->pools, [&](const ipam_pool& x) {
      return x.subnet->family() == ip_family::v4 ? !network->enable_ipv4
                                                 : !network->enable_ipv6;
    });
    auto made = driver->create_network(*kernel, *network);
    ASSERT_TRUE(made) << text(made);
  }
  build_sandbox(a, "a1", 1);
  build_sandbox(a, "a2", 2);
  build_sandbox(b, "b1", 1);
  build_sandbox(b, "b2", 2);
  load();
  for (const auto& [name, where] : places)
    if (name != "host")
      for (auto port : {80, 81})
        servers.add(where, static_cast<uint16_t>(port));
  servers.start();
  settle();
}

void town::settle() {
  // Link-local addresses are looked for duplicates for a second or two; until
  // then nothing can be asked for with them.
  auto is_settled = [this] {
    for (const auto& [name, where] : places) {
      auto enter
        = where.empty() ? std::string{} : "nsenter --net=" + where + " ";
      if (!output_of(enter + "ip -6 -o address show tentative").empty())
        return false;
    }
    return true;
  };
  for (int i = 0; i < 100 && !is_settled(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
}

std::vector<netns::firewall::element> town::wanted() const {
  auto result = std::vector<netns::firewall::element>{};
  auto take = [&](const troupe::result<drivers::firewall_elements>& xs) {
    EXPECT_TRUE(xs) << text(xs);
    if (xs)
      result.insert(result.end(), xs->begin(), xs->end());
  };
  take(driver->network_elements(a));
  take(driver->network_elements(b));
  for (const auto& [name, plan] : plans_)
    take(driver->endpoint_elements(plan.network, plan.endpoint,
                                   bindings_of(name)));
  std::ranges::sort(result);
  return result;
}

void town::load() {
  auto done = kernel->load_firewall(rules, wanted());
  ASSERT_TRUE(done) << text(done);
}

ip_address town::address_of(const std::string& name, ip_family family) const {
  for (const auto& x : plans_.at(name).endpoint.addresses)
    if (x.address.family() == family)
      return x.address;
  return {};
}

} // namespace troupe::test
