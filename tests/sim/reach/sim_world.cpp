#include "troupe/tests/sim/reach/sim_world.hpp"

#include "troupe/netns/simulated/watch.hpp"
#include "troupe/tests/lab/seeded_random.hpp"
#include "troupe/tests/sim/reach/sim_names.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace troupe::test::reach {

namespace {

using namespace std::chrono_literals;
using kind = step::kind;

port_spec spec_of(const port& x) {
  auto result = port_spec{};
  result.proto = x.tcp ? protocol::tcp : protocol::udp;
  result.port = x.inside;
  result.host_port = x.host;
  if (x.at == host_side::uplink)
    result.host_ip = ip(uplink_address(false));
  if (x.at == host_side::loopback)
    result.host_ip = ip("127.0.0.1");
  return result;
}

std::optional<std::pair<ip_address, uint16_t>>
nobody(protocol, const ip_address&, uint16_t) {
  return std::nullopt;
}

ip_address target_of(const flow& f) {
  switch (f.to) {
  case flow::target::uplink:
    return ip(uplink_address(f.v6));
  case flow::target::loopback:
    return ip(f.v6 ? "::1" : "127.0.0.1");
  case flow::target::neighbour:
    return ip(neighbour_address(f.v6));
  case flow::target::inside:
    return ip(address_of(f.network, f.address, f.v6));
  }
  return {};
}

} // namespace

sim_world::sim_world(const plan& what)
  : plan_{what}, now_{what.start()},
    clients_(flows_.size()), random_{what.seed} {
}

std::string sim_world::must(request x) {
  auto done = host_.call(std::move(x));
  return done ? "" : done.error().message;
}

// -- the beginning ------------------------------------------------------------

std::string sim_world::build() {
  auto kernel = netns::open_simulated_kernel(host_.world);
  auto card = kernel->link_index("eth0").value();
  for (auto v6 : {false, true}) {
    auto address = uplink_address(v6) + (v6 ? "/64" : "/24");
    (void)kernel->add_address(card, *interface_address::parse(address));
    host_.ports->addresses.insert(ip(uplink_address(v6)));
    // Half of the hosts forward before they have a daemon.
    if (plan_.seed % 2 == 0)
      (void)kernel->set_sysctl(v6 ? netns::sysctl::ipv6_forwarding
                                  : netns::sysctl::ipv4_forwarding,
                               "all", 0);
  }
  if (auto started = host_.start(); !started)
    return started.error().message;
  auto wrong = std::string{};
  for (auto i = 0; i < network_count; ++i)
    wrong += create_network(i);
  for (auto i = 0; i < sandbox_count; ++i)
    wrong += create_sandbox(i);
  return wrong;
}

std::string sim_world::create_network(int number) {
  const auto& x = now_.networks[static_cast<size_t>(number)];
  auto spec = network_spec{};
  spec.name = n(number);
  spec.enable_ipv6 = x.v6;
  spec.internal = x.how == mode::internal;
  for (auto v6 : {false, true})
    if (!v6 || x.v6) {
      auto pool = ipam_pool{};
      pool.subnet = prefix::parse(subnet_of(number, v6)).value();
      spec.pools.push_back(pool);
    }
  if (!x.icc)
    spec.options["icc"] = "false";
  if (x.how == mode::routed || x.how == mode::unprotected)
    for (const auto* family : {"4", "6"})
      spec.options[std::string{"gateway_mode_ipv"} + family]
        = x.how == mode::routed ? "routed" : "nat-unprotected";
  return must(troupe::create_network{spec});
}

std::string sim_world::create_sandbox(int number) {
  auto spec = sandbox_spec{};
  spec.name = s(number);
  auto wrong = must(troupe::create_sandbox{spec});
  owners_[static_cast<size_t>(number)]
    = answer<sandbox_status>(host_.call(inspect_sandbox{s(number)}))
        .spec.netns_inode;
  return wrong;
}

// -- requests -----------------------------------------------------------------

std::vector<request> sim_world::requests_of(const step& x) const {
  switch (x.what) {
  case kind::attach: {
    auto spec = endpoint_spec{};
    spec.name = s(x.sandbox);
    spec.priority = x.priority;
    spec.ipv4 = ip(address_of(x.network, x.address, false));
    if (now_.networks[static_cast<size_t>(x.network)].v6)
      spec.ipv6 = ip(address_of(x.network, x.address, true));
    return {attach_sandbox{n(x.network), s(x.sandbox), spec}};
  }
  case kind::detach:
    return {detach_sandbox{n(x.network), s(x.sandbox)}};
  case kind::publish:
    return {publish_ports{n(x.network), s(x.sandbox), {spec_of(x.port)}}};
  case kind::unpublish:
    return {unpublish_ports{n(x.network), s(x.sandbox), {spec_of(x.port)}}};
  case kind::replace_sandbox:
    return {remove_sandbox{s(x.sandbox)}};
  case kind::replace_network:
    return {remove_network{n(x.network)}};
  default:
    return {};
  }
}

std::string sim_world::ask(const step& x, const state& after) {
  const auto& call = crash_calls()[static_cast<size_t>(x.call)];
  if (x.hit == blow::crash_before || x.hit == blow::crash_after) {
    auto rule = netns::fault_rule{};
    rule.what = x.hit == blow::crash_before
                  ? netns::fault_rule::effect::crash_before
                  : netns::fault_rule::effect::crash_after;
    rule.on = netns::call_from_string(call);
    host_.kernel_faults->add(rule);
  }
  auto wrong = std::string{"no answer"};
  for (auto& request : requests_of(x))
    if (x.hit == blow::kill) {
      host_.submit(std::move(request), [&](result<reply> got) {
        wrong = got ? "" : got.error().message;
      });
      host_.run_shuffled(random_, static_cast<size_t>(x.wait_us % 150));
      host_.crash();
    } else {
      wrong = must(std::move(request));
    }
  host_.run();
  host_.heal();
  if (host_.crashed()) {
    // Whoever sends goes on while nobody is there.
    static_cast<void>(keep_sending());
    if (auto started = host_.start(); !started)
      return "start: " + started.error().message;
    if (!wrong.empty())
      wrong = settle_unknown(after);
    else
      now_ = after;
  } else if (wrong.empty()) {
    now_ = after;
  }
  if (!wrong.empty())
    return wrong;
  // The second half of a replacement.
  if (x.what == kind::replace_sandbox) {
    static_cast<void>(must(remove_sandbox{s(x.sandbox)}));
    now_ = after;
    wrong = create_sandbox(x.sandbox);
  } else if (x.what == kind::replace_network) {
    static_cast<void>(must(remove_network{n(x.network)}));
    now_ = after;
    wrong = create_network(x.network);
  }
  if (!wrong.empty())
    return wrong;
  // Some are in a hurry; a crash is a pause.
  hurries_ = x.hit == blow::none && x.wait_us % 3 == 0;
  if (hurries_)
    return keep_sending();
  return judge(x);
}

std::string sim_world::settle_unknown(const state& after) {
  auto seen = listed();
  if (seen == listing(after))
    now_ = after;
  else if (seen != listing(now_))
    return "neither done nor undone; listed is\n" + seen;
  return {};
}

std::string sim_world::listed() {
  auto names = std::map<network_id, std::string>{};
  for (const auto& x :
       answer<network_list>(host_.call(list_networks{})).networks)
    names[x.spec.id] = x.spec.name;
  auto lines = std::set<std::string>{};
  for (const auto& x :
       answer<endpoint_list>(host_.call(list_endpoints{})).endpoints) {
    auto line = names[x.spec.network] + "/" + x.sandbox_name;
    for (const auto& y : x.spec.addresses)
      if (y.address.is_v4())
        line += " " + to_string(y.address);
    auto ports = std::set<std::string>{};
    for (const auto& y : x.bindings)
      ports.insert(std::to_string(y.port) + "/" + to_string(y.proto));
    for (const auto& y : ports)
      line += " " + y;
    lines.insert(line + "\n");
  }
  auto result = std::string{};
  for (const auto& x : lines)
    result += x;
  return result;
}

std::string sim_world::carry_out(const step& x) {
  auto after = now_;
  if (!apply(after, x))
    return {};
  switch (x.what) {
  case kind::new_clients:
    first_source_ += flows_.size();
    clients_.assign(flows_.size(), {});
    return judge(x);
  case kind::restart:
  case kind::kill: {
    if (x.what == kind::restart)
      host_.stop();
    else
      host_.crash();
    // Nobody notices that there is no daemon.
    auto wrong = std::exchange(hurries_, false) ? keep_sending() : try_all();
    if (auto started = host_.start(); !started)
      return started.error().message;
    return wrong.empty() ? judge(x) : wrong;
  }
  case kind::foreign: {
    auto wrong = interfere(x);
    if (wrong.empty())
      wrong = judge(x, is_only_told(x.by));
    undo(x);
    return wrong.empty() && is_only_told(x.by) ? judge(x) : wrong;
  }
  default:
    return ask(x, after);
  }
}

// -- what must be so ----------------------------------------------------------

/// The machine at one instant.
struct sim_world::look {
  const netns::simulated_view& view;
  const netns::simulated_forwarding& ways;
  /// By the client's port; as they are now, in spite of `view`.
  std::map<uint16_t, std::vector<netns::connection_info>> tracked;
};

/// An event says what was done, or that events were lost, or nothing does
/// until the regular comparison.
std::string sim_world::interfere(const step& x) {
  auto watch = netns::simulated_watch{host_.world};
  auto wrong = do_harm(x);
  // What passes while there are no rules is tracked, and passes ever after:
  // not mended yet.
  if (x.by != hand::rules_flushed)
    static_cast<void>(keep_sending());
  switch (x.wait_us % 3) {
  case 0:
    host_.report(watch.wait(0ms).value_or(std::vector<netns::kernel_event>{}));
    break;
  case 1:
    host_.lose_events();
    break;
  default:
    for (auto i = 0; i < 40; ++i)
      host_.advance(1s); // Each tick is due only after the one before.
  }
  return wrong;
}

int sim_world::owner_of(const look& at, uint64_t inode) const {
  if (inode == 0)
    return from_neighbour;
  if (inode == at.view.namespaces.front().inode)
    return from_host;
  for (auto i = 0; i < sandbox_count; ++i)
    if (owners_.at(static_cast<size_t>(i)) == inode)
      return i;
  return -1;
}

netns::simulated_packet sim_world::packet_of(size_t i, uint64_t host) const {
  const auto& f = flows_[i];
  auto packet = netns::simulated_packet{};
  if (f.from == from_neighbour) {
    packet.beyond = "eth0";
    packet.source = ip(neighbour_address(f.v6));
  } else {
    packet.from
      = f.from == from_host ? host : owners_[static_cast<size_t>(f.from)];
  }
  packet.to = target_of(f);
  packet.proto = f.tcp ? protocol::tcp : protocol::udp;
  packet.source_port = static_cast<uint16_t>(first_source_ + i);
  packet.port = f.port;
  return packet;
}

/// The proxy.
netns::simulated_listener sim_world::listener() const {
  return
    [this](protocol proto, const ip_address& to,
           uint16_t port) -> std::optional<std::pair<ip_address, uint16_t>> {
      for (const auto& x : host_.ports->served())
        if (x.proto == proto && x.host_port == port && x.target
            && (x.host_ip == to
                || (x.host_ip.is_unspecified()
                    && x.host_ip.family() == to.family())))
          return std::pair{*x.target, x.target_port};
      return std::nullopt;
    };
}

/// A client that is asked to be patient keeps a connection that is silent.
netns::simulated_passage sim_world::send(look& at, size_t i, bool is_patient) {
  auto& who = clients_[i];
  auto packet = packet_of(i, at.view.namespaces.front().inode);
  auto& known = at.tracked[packet.source_port];
  auto seen = at.ways.pass(packet, known, listener());
  auto is_same = seen.answered && owner_of(at, seen.at) == who.server
                 && seen.proxied == who.proxied;
  if (who.connected && !is_same && (seen.answered || !is_patient)) {
    // What comes is of no connection of his; or nothing comes.
    give_up(at, i);
    seen = at.ways.pass(packet, {}, listener());
  }
  if (seen.tracked && flows_[i].tcp && seen.refused) {
    static_cast<void>(host_.world->untrack("", *seen.tracked));
    known.clear();
  } else if (seen.tracked) {
    static_cast<void>(host_.world->track("", *seen.tracked));
    known = {*seen.tracked};
  }
  if (flows_[i].tcp && seen.answered && !who.connected) {
    who.connected = true;
    who.server = owner_of(at, seen.at);
    who.proxied = seen.proxied;
  }
  return seen;
}

/// Ends a connection of TCP.
void sim_world::give_up(look& at, size_t i) {
  auto& known = at.tracked[static_cast<uint16_t>(first_source_ + i)];
  for (const auto& x : known)
    static_cast<void>(host_.world->untrack("", x));
  known.clear();
  clients_[i].broke = clients_[i].broke || clients_[i].connected;
  clients_[i].connected = false;
}

std::string sim_world::disagreement(look& at, size_t i) {
  auto must = expected(now_, flows_[i]);
  auto seen = send(at, i, false);
  if (must.open)
    return {};
  auto server = seen.answered ? owner_of(at, seen.at) : -1;
  auto is_seen_rightly = [&] {
    return must.seen_as.empty() || seen.seen_as == ip(must.seen_as);
  };
  // One made while the port was between proxy and rules may stay there.
  if (flows_[i].tcp && server == must.server && !is_seen_rightly()) {
    give_up(at, i);
    seen = send(at, i, false);
    server = seen.answered ? owner_of(at, seen.at) : -1;
  }
  if (server != must.server) {
    leaks_ = leaks_ || server >= 0;
    return flows_[i].text() + ": must be answered by "
           + std::to_string(must.server) + ", is by " + std::to_string(server)
           + "\n";
  }
  if (server >= 0 && !is_seen_rightly())
    return flows_[i].text() + ": must be seen as " + must.seen_as + ", is as "
           + to_string(seen.seen_as) + "\n";
  return {};
}

/// @param f is called with what is seen; returns what is wrong.
template <class F>
std::string sim_world::look_at_all(F f) {
  auto view = host_.world->view();
  auto ways = netns::simulated_forwarding::of(view);
  if (!ways)
    return ways.error().message + "\n";
  auto at = look{view, *ways, {}};
  for (const auto& x : view.namespaces.front().connections)
    at.tracked[x.client_port].push_back(x);
  auto wrong = std::string{};
  for (size_t i = 0; i < flows_.size(); ++i)
    wrong += f(at, i);
  auto tricks = try_tricks(at);
  leaks_ = leaks_ || !tricks.empty();
  return wrong + tricks;
}

/// Packets of everybody, and what is wrong with the answers.
std::string sim_world::try_all() {
  leaks_ = false;
  return look_at_all([this](look& at, size_t i) {
    return disagreement(at, i);
  });
}

/// Nobody stops sending. @returns who is reached and must not be.
std::string sim_world::keep_sending() {
  return look_at_all([this](look& at, size_t i) {
    auto must = expected(now_, flows_[i]);
    auto seen = send(at, i, true);
    auto server = seen.answered ? owner_of(at, seen.at) : -1;
    if (must.open || server < 0 || server == must.server)
      return std::string{};
    return flows_[i].text() + ": is still answered by " + std::to_string(server)
           + "\n";
  });
}

/// Nobody gets what is sent from another's address.
std::string
sim_world::try_lies(const look& at, const netns::simulated_packet& from,
                    int network, int address) const {
  auto wrong = std::string{};
  auto v6 = from.source->is_v6();
  auto packet = from;
  packet.source = ip(address_of(network, address + 1, v6));
  for (const auto& to :
       {neighbour_address(v6), uplink_address(v6), address_of(network, 1, v6),
        address_of(network, 10, v6), address_of(network, 11, v6),
        address_of(network, 12, v6)}) {
    packet.to = ip(to);
    if (packet.to != *from.source && at.ways.pass(packet, {}, nobody).arrived)
      wrong += to_string(*from.source) + " lies to " + to + " that it is "
               + to_string(*packet.source) + "\n";
  }
  return wrong;
}

/// A route that a container gives itself leads it out of no internal network:
/// it reaches the host alone.
std::string
sim_world::try_routes(const look& at, netns::simulated_packet packet,
                      int network) const {
  auto wrong = std::string{};
  auto v6 = packet.source->is_v6();
  packet.via = ip(address_of(network, 1, v6));
  auto targets = std::vector{neighbour_address(v6), uplink_address(v6)};
  for (auto other = 0; other < network_count; ++other)
    for (auto last : {1, 10, 11})
      if (other != network)
        targets.push_back(address_of(other, last, v6));
  for (auto proto : {protocol::tcp, protocol::udp})
    for (auto port : {uint16_t{80}, uint16_t{8080}, uint16_t{8081}})
      for (const auto& to : targets) {
        packet.proto = proto;
        packet.port = port;
        packet.to = ip(to);
        auto seen = at.ways.pass(packet, {}, listener());
        if (seen.arrived && !seen.refused && seen.at != packet.from)
          wrong += to_string(*packet.source) + " gets to " + to + ":"
                   + std::to_string(port) + " by a route of its own\n";
      }
  return wrong;
}

std::string sim_world::try_tricks(const look& at) const {
  auto wrong = std::string{};
  for (const auto& [where, who] : now_.endpoints)
    for (auto v6 : {false, true}) {
      auto [sandbox, network] = where;
      const auto& n = now_.networks[static_cast<size_t>(network)];
      if (v6 && !n.v6)
        continue;
      auto packet = netns::simulated_packet{};
      packet.from = owners_[static_cast<size_t>(sandbox)];
      packet.source = ip(address_of(network, who.address, v6));
      packet.source_port = 40'000;
      packet.port = 80;
      wrong += try_lies(at, packet, network, who.address);
      if (n.how == mode::internal)
        wrong += try_routes(at, packet, network);
    }
  return wrong;
}

// A connection lives as long as what it depends on.
std::string sim_world::broken_connections() const {
  auto wrong = std::string{};
  for (size_t i = 0; i < flows_.size(); ++i) {
    auto must = expected(now_, flows_[i]);
    const auto& x = clients_[i];
    if (x.lasts && x.broke && !must.open && must.path == x.last_path)
      wrong += flows_[i].text() + ": its connection broke\n";
  }
  return wrong;
}

void sim_world::remember() {
  for (size_t i = 0; i < flows_.size(); ++i) {
    auto must = expected(now_, flows_[i]);
    auto& x = clients_[i];
    x.lasts = x.connected && must.server >= 0;
    x.last_path = must.path;
    x.broke = false;
  }
}

std::string sim_world::judge(const step& x, bool told) {
  hurries_ = false;
  host_.run();
  auto at_once = keep_sending();
  for (auto i = 0; i < 4; ++i)
    host_.advance(500ms);
  auto wrong = try_all();
  // Whoever is told that something is closed finds it closed.
  if (x.what != kind::foreign)
    wrong += at_once + broken_connections();
  remember();
  if (told && !wrong.empty() && !leaks_ && !doctor_is_silent())
    return {};
  return wrong;
}

bool sim_world::doctor_is_silent() {
  return answer<doctor_report>(host_.call(run_doctor{})).findings.empty();
}

std::string sim_world::run() {
  auto wrong = build();
  if (!wrong.empty())
    return "cannot build the world: " + wrong;
  for (const auto& x : plan_.steps)
    if (wrong = carry_out(x); !wrong.empty())
      return "after \"" + x.text() + "\":\n" + wrong;
  auto report = answer<doctor_report>(host_.call(run_doctor{}));
  for (const auto& x : report.findings)
    wrong
      += "at the end the doctor says: " + x.object + ": " + x.problem + "\n";
  return wrong;
}

std::string run_simulated(const plan& what) {
  auto wrong = std::string{};
  testing::with_seed(what.seed, [&] {
    wrong = sim_world{what}.run();
  });
  return wrong;
}

} // namespace troupe::test::reach
