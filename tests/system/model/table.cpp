#include "troupe/tests/system/model/table.hpp"

#include <algorithm>

namespace troupe::test::reach {

namespace {

// Of a routed network, which has no host ports: of the host's address only the
// family counts, and those of one family are IPv4.
bool publishes_inside(const endpoint& who, const flow& f) {
  return std::ranges::any_of(who.ports, [&](const port& x) {
    return x.inside == f.port && x.tcp == f.tcp
           && (x.at == host_side::any || !f.v6);
  });
}

// What a network lets in that does not come from itself or from the host.
bool lets_in(const network& n, const endpoint& who, const flow& f) {
  return n.how == mode::unprotected
         || (n.how == mode::routed && publishes_inside(who, f));
}

expectation answered_by(int server, std::initializer_list<int> serials) {
  auto result = expectation{};
  result.server = server;
  for (auto x : serials)
    result.path += std::to_string(x) + " ";
  return result;
}

// Of a sandbox, in the network that its packets leave by.
std::string own_address(const state& now, const flow& f, int way) {
  return address_of(way, now.find(f.from, way)->address, f.v6);
}

expectation to_inside(const state& now, const flow& f) {
  const auto& n = now.networks[static_cast<size_t>(f.network)];
  if (f.v6 && !n.v6)
    return {};
  for (const auto& [where, who] : now.endpoints) {
    auto [sandbox, number] = where;
    if (number != f.network || who.address != f.address)
      continue;
    auto there = answered_by(sandbox, {who.serial});
    const auto gateway = address_of(number, 1, f.v6);
    if (f.from == from_host || f.from == sandbox) {
      there.seen_as
        = f.from == from_host ? gateway : address_of(number, who.address, f.v6);
      return there;
    }
    if (f.from == from_neighbour) {
      there.seen_as = neighbour_address(f.v6);
      return lets_in(n, who, f) ? there : expectation{};
    }
    if (const auto* beside = now.find(f.from, number)) {
      there = answered_by(sandbox, {who.serial, beside->serial});
      there.seen_as = own_address(now, f, number);
      return n.icc ? there : expectation{};
    }
    auto way = now.gateway(f.from, f.v6);
    if (way < 0 || !lets_in(n, who, f))
      return {};
    there = answered_by(sandbox, {who.serial, now.find(f.from, way)->serial});
    there.seen_as = own_address(now, f, way);
    return there;
  }
  return {};
}

bool is_at(host_side at, const flow& f) {
  if (at == host_side::any)
    return true;
  auto loopback = f.to == flow::target::loopback;
  return !f.v6 && loopback == (at == host_side::loopback);
}

expectation to_port(const state& now, const flow& f) {
  for (const auto& [where, who] : now.endpoints) {
    auto [sandbox, number] = where;
    const auto& n = now.networks[static_cast<size_t>(number)];
    if (n.how == mode::routed)
      continue; // has no host ports
    for (const auto& x : who.ports) {
      if (x.host != f.port || x.tcp != f.tcp || !is_at(x.at, f))
        continue;
      auto there = answered_by(sandbox, {who.serial, x.serial});
      if (f.from == from_neighbour)
        there.seen_as = n.v6 || !f.v6 ? neighbour_address(f.v6)
                                      : address_of(number, 1, false);
      if (f.from >= from_neighbour)
        return there;
      auto way = now.gateway(f.from, f.v6);
      if (way < 0)
        return {};
      // Its own packet would come to it with an address of its own.
      if (f.from == sandbox && way != number) {
        auto own = expectation{};
        own.open = true;
        return own;
      }
      return answered_by(sandbox,
                         {who.serial, x.serial, now.find(f.from, way)->serial});
    }
  }
  return {};
}

expectation to_neighbour(const state& now, const flow& f) {
  auto way = now.gateway(f.from, f.v6);
  if (way < 0)
    return {};
  auto there = answered_by(from_neighbour, {now.find(f.from, way)->serial});
  const auto is_translated
    = now.networks[static_cast<size_t>(way)].how != mode::routed;
  there.seen_as
    = is_translated ? uplink_address(f.v6) : own_address(now, f, way);
  return there;
}

std::string name_of(int who) {
  if (who == from_neighbour)
    return "neighbour";
  return who == from_host ? "host" : "s" + std::to_string(who);
}

} // namespace

const endpoint* state::find(int sandbox, int network) const {
  auto found = endpoints.find({sandbox, network});
  return found == endpoints.end() ? nullptr : &found->second;
}

endpoint* state::find(int sandbox, int network) {
  return const_cast<endpoint*>(std::as_const(*this).find(sandbox, network));
}

bool state::is_taken(uint16_t host_port, bool tcp) const {
  return std::ranges::any_of(endpoints, [&](const auto& x) {
    return std::ranges::any_of(x.second.ports, [&](const port& y) {
      return y.host == host_port && y.tcp == tcp;
    });
  });
}

bool state::is_used(int network) const {
  return std::ranges::any_of(endpoints, [&](const auto& x) {
    return x.first.second == network;
  });
}

bool state::is_attached(int sandbox) const {
  return std::ranges::any_of(endpoints, [&](const auto& x) {
    return x.first.first == sandbox;
  });
}

int state::gateway(int sandbox, bool v6) const {
  auto result = -1;
  auto best = -1;
  for (const auto& [where, who] : endpoints) {
    const auto& n = networks[static_cast<size_t>(where.second)];
    if (where.first != sandbox || n.how == mode::internal || (v6 && !n.v6)
        || who.priority <= best)
      continue;
    best = who.priority;
    result = where.second;
  }
  return result;
}

std::string flow::text() const {
  auto result = name_of(from) + " -> ";
  if (to == target::uplink)
    result += "uplink";
  else if (to == target::loopback)
    result += "loopback";
  else if (to == target::neighbour)
    result += "neighbour";
  else
    result += "n" + std::to_string(network) + "." + std::to_string(address);
  return result + ":" + std::to_string(port) + (tcp ? "/tcp" : "/udp")
         + (v6 ? " IPv6" : " IPv4");
}

std::string uplink_address(bool v6) {
  return v6 ? "2001:db8:ffff::1" : "192.0.2.1";
}

std::string neighbour_address(bool v6) {
  return v6 ? "2001:db8:ffff::2" : "192.0.2.2";
}

std::string subnet_of(int network, bool v6) {
  auto n = std::to_string(network);
  return v6 ? "fd00:6" + n + "::/64" : "10.6" + n + ".0.0/24";
}

std::string address_of(int network, int last, bool v6) {
  auto n = std::to_string(network);
  return (v6 ? "fd00:6" + n + "::" : "10.6" + n + ".0.") + std::to_string(last);
}

std::string listing(const state& now) {
  auto lines = std::vector<std::string>{};
  for (const auto& [where, who] : now.endpoints) {
    auto line = "n" + std::to_string(where.second) + "/" + "s"
                + std::to_string(where.first) + " "
                + address_of(where.second, who.address, false);
    auto ports = std::vector<std::string>{};
    for (const auto& x : who.ports)
      ports.push_back(std::to_string(x.inside) + (x.tcp ? "/tcp" : "/udp"));
    std::ranges::sort(ports);
    for (const auto& x : ports)
      line += " " + x;
    lines.push_back(line);
  }
  std::ranges::sort(lines);
  auto result = std::string{};
  for (const auto& x : lines)
    result += x + "\n";
  return result;
}

expectation expected(const state& now, const flow& what) {
  if (what.to == flow::target::inside)
    return to_inside(now, what);
  if (what.to == flow::target::neighbour)
    return to_neighbour(now, what);
  return to_port(now, what);
}

std::vector<flow> all_flows() {
  using target = flow::target;
  auto result = std::vector<flow>{};
  for (auto v6 : {false, true})
    for (auto tcp : {true, false}) {
      for (auto port : {uint16_t{8080}, uint16_t{8081}}) {
        result.push_back({from_neighbour, v6, tcp, target::uplink, 0, 0, port});
        result.push_back({from_host, v6, tcp, target::loopback, 0, 0, port});
      }
      for (auto from = 0; from <= from_host; ++from) {
        if (from != from_neighbour)
          result.push_back({from, v6, tcp, target::uplink, 0, 0, 8080});
        if (from < from_neighbour)
          result.push_back({from, v6, tcp, target::neighbour, 0, 0, 80});
        for (auto network = 0; network < network_count; ++network)
          result.push_back(
            {from, v6, tcp, target::inside, network, 10 + network % 2, 80});
      }
    }
  return result;
}

} // namespace troupe::test::reach
