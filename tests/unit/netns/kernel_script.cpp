#include "troupe/tests/unit/netns/kernel_script.hpp"

#include "troupe/tests/unit/netns/kernel_contract.hpp"

#include <algorithm>

namespace troupe::test {

namespace {

using netns::kernel;
using netns::sysctl;

constexpr int step_kinds = 16;
constexpr const char* step_names[step_kinds]
  = {"add_bridge", "add_veth",   "del_link",    "del_group",
     "set up",     "set master", "set mtu",     "rename",
     "set alias",  "port flags", "add_address", "del_address",
     "add_route",  "del_route",  "neighbour",   "sysctl"};

constexpr const char* names[] = {"l0", "l1", "l2", "l3", "l4", "lo"};
constexpr const char* addresses[]
  = {"10.0.0.1/24", "10.0.0.2/24", "10.0.0.1/16", "10.1.0.1/24", "10.2.0.1/32",
     "fd00::1/64",  "fd00::2/64",  "fd00::1/80",  "fd01::1/64",  "fd02::1/128"};
constexpr const char* destinations[]
  = {"", "10.0.0.0/24", "10.5.0.0/16", "10.6.0.0/16", "fd00::/64", "fd05::/64"};
constexpr const char* gateways[]
  = {"", "10.0.0.9", "10.1.0.9", "10.5.0.9", "fd00::9", "fd05::9", "fd00::1"};
constexpr uint32_t mtus[] = {67, 1000, 1280, 1400, 1500, 65536};
constexpr uint32_t good_mtus[] = {1280, 1400, 1500};

template <class T, size_t N>
T pick(const T (&pool)[N], int number) {
  return pool[static_cast<size_t>(number) % N];
}

template <class T>
int outcome(const result<T>& x) {
  if (x)
    return 0;
  return x.error().os_error != 0 ? x.error().os_error : -1;
}

/// The index of a pool name, or one that does not exist.
int index_of(kernel& k, int number) {
  return k.link_index(pick(names, number)).value_or(9999);
}

mac_address mac_of(int number) {
  return {{0x02, 0, 0, 0, 1, static_cast<uint8_t>(number % 8)}};
}

std::string name_of(kernel& k, int index) {
  auto link = k.link(index);
  return link ? link->name : std::to_string(index);
}

netns::route_info make_route(kernel& k, const script_step& step) {
  auto x = netns::route_info{};
  auto destination = std::string_view{pick(destinations, step.args[0])};
  auto gateway = std::string_view{pick(gateways, step.args[1])};
  if (!destination.empty())
    x.destination = net(destination);
  if (!gateway.empty())
    x.gateway = ip(gateway);
  x.family = x.destination ? x.destination->family()
             : x.gateway   ? x.gateway->family()
                           : ip_family::v4;
  // A gateway of the other family is a mistake of the caller's.
  if (x.gateway && x.gateway->family() != x.family)
    x.gateway.reset();
  x.index = index_of(k, step.args[2]);
  x.metric = static_cast<uint32_t>(step.args[3] % 2) * 5;
  return x;
}

std::string text_of(kernel& k, const netns::link_info& x) {
  auto text = x.name + " " + x.kind + " " + to_string(x.mac) + " mtu "
              + std::to_string(x.mtu_bytes) + (x.up ? " up" : " down")
              + " group " + std::to_string(x.group) + " alias " + x.alias;
  if (x.master != 0)
    text += " master " + name_of(k, x.master);
  if (x.port)
    text += " port " + std::to_string(x.port->isolated)
            + std::to_string(x.port->hairpin)
            + std::to_string(x.port->learning);
  auto ipv6 = k.read_sysctl(sysctl::ipv6_disable, x.name);
  text += " ipv6 off " + (ipv6 ? std::to_string(*ipv6) : std::string{"?"});
  return text;
}

} // namespace

script_step random_step(std::mt19937& random) {
  auto number = [&random](int below) {
    return static_cast<int>(random() % static_cast<unsigned>(below));
  };
  auto step = script_step{};
  step.what = number(step_kinds);
  step.place = number(3);
  for (auto& x : step.args)
    x = number(1000);
  return step;
}

script_runner::script_runner(std::unique_ptr<kernel> host) {
  places_.push_back({{}, std::move(host)});
  for (auto name : {"n1", "n2"}) {
    auto ref = places_[0].kernel->create_namespace(name);
    EXPECT_TRUE(works(ref));
    auto inside = places_[0].kernel->enter(ref.value());
    EXPECT_TRUE(works(inside));
    places_.push_back({ref.value(), std::move(inside.value())});
  }
}

std::string script_runner::describe(const script_step& step) {
  auto text = std::string{step_names[step.what]} + " in "
              + std::to_string(step.place) + ":";
  for (auto x : step.args)
    text += " " + std::to_string(x);
  return text;
}

int script_runner::add_link(place& at, const script_step& step) {
  auto& k = *at.kernel;
  if (step.what == 0) {
    auto request = netns::bridge_request{};
    request.name = pick(names, step.args[0]);
    request.mac = mac_of(step.args[1]);
    request.mtu_bytes = step.args[2] % 2 == 0 ? 0 : pick(mtus, step.args[3]);
    request.group = static_cast<uint32_t>(step.args[1] % 3);
    return outcome(k.add_bridge(request));
  }
  auto& there = places_[1 + static_cast<size_t>(step.args[1]) % 2];
  auto request = netns::veth_request{};
  request.name = pick(names, step.args[0]);
  request.peer_name = pick(names, step.args[2]);
  request.peer_mac = mac_of(step.args[2]);
  request.peer_namespace = there.ref;
  request.group = static_cast<uint32_t>(step.args[2] % 3);
  request.mtu_bytes = step.args[3] % 4 == 0 ? pick(good_mtus, step.args[2]) : 0;
  if (step.args[3] % 2 == 0)
    request.master = index_of(k, step.args[3]);
  auto index = k.add_veth(request);
  if (!index)
    return outcome(index);
  // The kernel makes up the MAC of this end.
  auto change = netns::link_change{};
  change.mac = mac_of(step.args[3]);
  return outcome(k.set_link(*index, change));
}

int script_runner::change_link(place& at, const script_step& step) {
  auto& k = *at.kernel;
  auto index = index_of(k, step.args[0]);
  auto change = netns::link_change{};
  switch (step.what) {
  case 2:
    return outcome(k.del_link(index));
  case 3:
    return outcome(k.del_group(static_cast<uint32_t>(step.args[0] % 3)));
  case 4:
    change.up = step.args[1] % 3 != 0;
    break;
  case 5:
    change.master = step.args[2] % 3 == 0 ? 0 : index_of(k, step.args[1]);
    break;
  case 6:
    // What a small MTU does to the loopback device is of no interest.
    if (index == 1)
      return 0;
    change.mtu_bytes = pick(mtus, step.args[1]);
    break;
  case 7:
    change.name = pick(names, step.args[1]);
    break;
  default:
    change.alias = std::string(static_cast<size_t>(step.args[1]), 'x');
  }
  return outcome(k.set_link(index, change));
}

int script_runner::change_addresses(place& at, const script_step& step) {
  auto& k = *at.kernel;
  auto index = index_of(k, step.args[0]);
  auto address = cidr(pick(addresses, step.args[1]));
  return outcome(step.what == 10 ? k.add_address(index, address)
                                 : k.del_address(index, address));
}

int script_runner::change_routes(place& at, const script_step& step) {
  auto& k = *at.kernel;
  auto route = make_route(k, step);
  // Routes through the loopback device are of no interest.
  if (route.index == 1)
    return 0;
  if (step.what == 12)
    return outcome(k.add_route(route));
  // The real kernel would take away the route of an address as well.
  for (auto text : {"10.0.0.0/24", "fd00::/64"})
    if (route.destination == net(text) && route.metric == 0)
      return 0;
  return outcome(k.del_route(route));
}

int script_runner::change_rest(place& at, const script_step& step) {
  auto& k = *at.kernel;
  auto index = index_of(k, step.args[0]);
  if (step.what == 9) {
    auto flags = netns::port_flags{};
    flags.isolated = step.args[1] % 2 != 0;
    flags.hairpin = step.args[2] % 2 != 0;
    flags.learning = step.args[3] % 2 != 0;
    return outcome(k.set_port_flags(index, flags));
  }
  if (step.what == 15) {
    constexpr const char* entries[]
      = {"l0", "l1", "l2", "l3", "l4", "all", "default"};
    return outcome(k.set_sysctl(sysctl::ipv6_disable,
                                pick(entries, step.args[0]), step.args[1] % 2));
  }
  // The loopback device has no neighbours worth knowing.
  if (index == 1)
    return 0;
  auto entry = netns::neighbour_info{};
  entry.index = index;
  entry.address = ip(step.args[1] % 2 == 0 ? "10.0.0.7" : "fd00::7");
  entry.mac = mac_of(1);
  return outcome(step.args[2] % 2 == 0 ? k.set_neighbour(entry)
                                       : k.del_neighbour(entry));
}

int script_runner::run(const script_step& step) {
  auto& at = places_[static_cast<size_t>(step.place)];
  if (step.what <= 1)
    return add_link(at, step);
  if (step.what <= 8)
    return change_link(at, step);
  if (step.what == 10 || step.what == 11)
    return change_addresses(at, step);
  if (step.what == 12 || step.what == 13)
    return change_routes(at, step);
  return change_rest(at, step);
}

std::string script_runner::dump() {
  auto lines = std::vector<std::string>{};
  for (size_t i = 0; i < places_.size(); ++i) {
    auto& k = *places_[i].kernel;
    auto where = std::to_string(i) + ": ";
    auto links = k.links();
    auto routes = k.routes();
    auto subnets = k.routed_subnets();
    EXPECT_TRUE(works(links) && works(routes) && works(subnets));
    if (!links || !routes || !subnets)
      return "cannot read";
    for (const auto& x : *links) {
      lines.push_back(where + text_of(k, x));
      auto all
        = k.addresses(x.index).value_or(std::vector<interface_address>{});
      for (const auto& y : all)
        lines.push_back(where + x.name + " has " + to_string(y));
    }
    for (const auto& x : *routes)
      lines.push_back(
        where + "route " + (x.destination ? to_string(*x.destination) : "-")
        + " via " + (x.gateway ? to_string(*x.gateway) : "-") + " dev "
        + name_of(k, x.index) + " metric " + std::to_string(x.metric));
    for (const auto& x : *subnets)
      lines.push_back(where + "subnet " + to_string(x));
  }
  std::ranges::sort(lines);
  auto text = std::string{};
  for (const auto& line : lines)
    text += line + "\n";
  return text;
}

} // namespace troupe::test
