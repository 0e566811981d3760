#include "troupe/tests/sim/reach/sim_world.hpp"

#include "troupe/testing/seeded_random.hpp"
#include "troupe/tests/sim/reach/sim_names.hpp"

#include <algorithm>
#include <set>

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
  : plan_{what}, now_{what.start()}, random_{what.seed} {
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
  return must(troupe::create_sandbox{spec});
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
    static_cast<void>(try_all());
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
  return wrong.empty() ? judge() : wrong;
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
    return judge();
  case kind::restart:
  case kind::kill: {
    if (x.what == kind::restart)
      host_.stop();
    else
      host_.crash();
    auto wrong = try_all(); // Nobody notices that there is no daemon.
    if (auto started = host_.start(); !started)
      return started.error().message;
    return wrong.empty() ? judge() : wrong;
  }
  case kind::foreign: {
    auto wrong = interfere(x);
    // It is found out by an event, or by the regular comparison.
    if (x.v6)
      host_.lose_events();
    else
      for (auto i = 0; i < 40; ++i)
        host_.advance(1s); // Each tick is due only after the one before.
    if (wrong.empty())
      wrong = judge(is_only_told(x.by));
    undo(x);
    return wrong.empty() && is_only_told(x.by) ? judge() : wrong;
  }
  default:
    return ask(x, after);
  }
}

// -- what must be so ----------------------------------------------------------

int sim_world::owner_of(const netns::simulated_view& view,
                        uint64_t inode) const {
  if (inode == 0)
    return from_neighbour;
  if (inode == view.namespaces.front().inode)
    return from_host;
  for (auto i = 0; i < sandbox_count; ++i)
    if (owners_.at(static_cast<size_t>(i)) == inode)
      return i;
  return -1;
}

std::string sim_world::try_one(const netns::simulated_view& view, size_t i) {
  const auto& f = flows_[i];
  auto packet = netns::simulated_packet{};
  if (f.from == from_neighbour) {
    packet.beyond = "eth0";
    packet.source = ip(neighbour_address(f.v6));
  } else {
    packet.from = f.from == from_host ? view.namespaces.front().inode
                                      : owners_[static_cast<size_t>(f.from)];
  }
  packet.to = target_of(f);
  packet.proto = f.tcp ? protocol::tcp : protocol::udp;
  packet.source_port = static_cast<uint16_t>(first_source_ + i);
  packet.port = f.port;
  auto listener
    = [this](protocol proto, const ip_address& at,
             uint16_t port) -> std::optional<std::pair<ip_address, uint16_t>> {
    for (const auto& x : host_.ports->served())
      if (x.proto == proto && x.host_port == port && x.target
          && (x.host_ip == at
              || (x.host_ip.is_unspecified()
                  && x.host_ip.family() == at.family())))
        return std::pair{*x.target, x.target_port};
    return std::nullopt;
  };
  auto is_own = [&](const auto& x) {
    return x.client_port == packet.source_port;
  };
  auto seen = netns::would_pass(view, tracked_, packet, listener);
  if (!seen.answered && f.tcp) {
    // The connection is given up, and begun anew.
    std::erase_if(tracked_, is_own);
    seen = netns::would_pass(view, tracked_, packet, listener);
  }
  std::erase_if(tracked_, is_own);
  if (seen.tracked && (seen.answered || !f.tcp))
    tracked_.push_back(*seen.tracked);
  auto must = expected(now_, f);
  auto server = seen.answered ? owner_of(view, seen.at) : -1;
  if (must.open || server == must.server)
    return {};
  leaks_ = leaks_ || server >= 0;
  return f.text() + ": must be answered by " + std::to_string(must.server)
         + ", is by " + std::to_string(server) + "\n";
}

/// What the daemon has asked the kernel to forget since the last time.
void sim_world::forget(const netns::simulated_view& view) {
  const auto& all = view.namespaces.front().flushed;
  for (; forgotten_ < all.size(); ++forgotten_) {
    const auto& filter = all[forgotten_];
    std::erase_if(tracked_, [&](const auto& x) {
      return x.client.family() == filter.family
             && (!filter.address || x.client == *filter.address
                 || x.server == *filter.address)
             && (!filter.host_address || x.host == *filter.host_address)
             && (!filter.proto || x.proto == *filter.proto)
             && (filter.host_port == 0 || x.host_port == filter.host_port);
    });
  }
}

std::string sim_world::try_all() {
  auto view = host_.world->view();
  forget(view);
  leaks_ = false;
  auto wrong = std::string{};
  for (size_t i = 0; i < flows_.size(); ++i)
    wrong += try_one(view, i);
  return wrong;
}

std::string sim_world::judge(bool told) {
  for (auto i = 0; i < sandbox_count; ++i)
    owners_[static_cast<size_t>(i)]
      = answer<sandbox_status>(host_.call(inspect_sandbox{s(i)}))
          .spec.netns_inode;
  host_.run();
  static_cast<void>(try_all()); // Nobody stops sending meanwhile.
  for (auto i = 0; i < 4; ++i)
    host_.advance(500ms);
  auto wrong = try_all();
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
  return doctor_is_silent() ? "" : "at the end the doctor has something to say";
}

std::string run_simulated(const plan& what) {
  auto wrong = std::string{};
  testing::with_seed(what.seed, [&] {
    wrong = sim_world{what}.run();
  });
  return wrong;
}

} // namespace troupe::test::reach
