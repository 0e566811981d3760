#include "troupe/tests/system/model/world.hpp"

#include "troupe/tests/system/harness/command.hpp"
#include "troupe/tests/system/harness/isolation.hpp"
#include "troupe/tests/system/harness/kernel_state.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include <sys/mount.h>
#include <unistd.h>

namespace troupe::test::reach {

namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using kind = step::kind;
using clock = std::chrono::steady_clock;

// How long what is wrong may stay wrong; the promise is 2 s, this machine is
// busy. What should be closed is tried some times before it counts as closed.
constexpr auto patience = 6s;
constexpr auto least_wait = 400ms;

const std::vector<std::string> flags
  = {"--enable-fault-injection", "--log-level", "warn"};

std::string s(int number) {
  return "s" + std::to_string(number);
}

std::string n(int number) {
  return "n" + std::to_string(number);
}

std::string name_of(int who) {
  if (who < 0)
    return "nobody";
  return who == from_neighbour ? "the neighbour" : s(who);
}

std::string port_text(const port& x) {
  auto result = (x.host == 0 ? "" : std::to_string(x.host) + ":")
                + std::to_string(x.inside) + (x.tcp ? "/tcp" : "/udp");
  if (x.at == host_side::uplink)
    return uplink_address(false) + ":" + result;
  return x.at == host_side::loopback ? "127.0.0.1:" + result : result;
}

} // namespace

world::world(const plan& what)
  : plan_{what}, dir_{[] {
      static auto count = 0;
      enter_fresh_network();
      return "/run/model-" + std::to_string(++count);
    }()},
    daemon_{dir_}, now_{what.start()} {
}

world::~world() {
  for (auto fd : taken_)
    ::close(fd);
  packets_.reset();
  daemon_.kill();
  // Of this program's process namespace.
  test::run({"pkill", "-KILL", "-x", "troupe-proxy"});
  for (const auto& path : pinned_namespaces())
    if (path.starts_with(dir_ + "/"))
      umount2(path.c_str(), MNT_DETACH);
  test::run({"ip", "netns", "del", "street"});
}

std::string world::must(const words& command) {
  auto ran = test::run(command);
  if (ran.code == 0)
    return {};
  auto text = std::string{};
  for (const auto& x : command)
    text += x + " ";
  return text + ": " + ran.out + ran.err;
}

std::string world::troupe(const words& command) {
  auto ran = daemon_.troupe(command);
  if (ran.code == 0)
    return {};
  auto text = std::string{"troupe"};
  for (const auto& x : command)
    text += " " + x;
  return text + ": code " + std::to_string(ran.code) + "\n" + ran.out + ran.err;
}

json world::get(const std::string& target) const {
  auto answer = daemon_.client().get(target);
  return answer && answer->ok() ? answer->body : json::object();
}

// -- the beginning ------------------------------------------------------------

std::string world::build() {
  for (const auto& command : std::vector<words>{
         {"ip", "netns", "add", "street"},
         {"ip", "link", "add", "up0", "type", "veth", "peer", "name", "eth0",
          "netns", "street"},
         {"ip", "address", "add", uplink_address(false) + "/24", "dev", "up0"},
         {"ip", "address", "add", uplink_address(true) + "/64", "dev", "up0",
          "nodad"},
         {"ip", "link", "set", "up0", "up"},
         {"ip", "-n", "street", "link", "set", "lo", "up"},
         {"ip", "-n", "street", "address", "add",
          neighbour_address(false) + "/24", "dev", "eth0"},
         {"ip", "-n", "street", "address", "add",
          neighbour_address(true) + "/64", "dev", "eth0", "nodad"},
         {"ip", "-n", "street", "link", "set", "eth0", "up"},
         {"ip", "-n", "street", "route", "add", "default", "via",
          uplink_address(false)},
         {"ip", "-n", "street", "-6", "route", "add", "default", "via",
          uplink_address(true)}})
    if (auto wrong = must(command); !wrong.empty())
      return wrong;
  if (auto wrong = daemon_.start(flags); !wrong.empty())
    return wrong;
  packets_ = std::make_unique<packets>(flows_);
  auto wrong = packets_->move_in(from_host, "");
  wrong += packets_->move_in(from_neighbour, "/run/netns/street");
  for (auto i = 0; i < network_count && wrong.empty(); ++i)
    wrong = create_network(i);
  for (auto i = 0; i < sandbox_count && wrong.empty(); ++i)
    wrong = create_sandbox(i);
  return wrong;
}

std::string world::create_network(int number) {
  const auto& x = now_.networks[static_cast<size_t>(number)];
  auto command = words{"network", "create", n(number), "--subnet",
                       subnet_of(number, false)};
  auto add = [&](std::initializer_list<std::string> more) {
    command.insert(command.end(), more);
  };
  if (x.v6)
    add({"--subnet", subnet_of(number, true)});
  if (!x.icc)
    add({"-o", "icc=false"});
  if (x.how == mode::internal)
    add({"--internal"});
  if (x.how == mode::routed || x.how == mode::unprotected)
    for (const auto* family : {"4", "6"})
      add({"-o", std::string{"gateway_mode_ipv"} + family + "="
                   + (x.how == mode::routed ? "routed" : "nat-unprotected")});
  return troupe(command);
}

std::string world::create_sandbox(int number) {
  if (auto wrong = troupe({"sandbox", "create", s(number)}); !wrong.empty())
    return wrong;
  return packets_->move_in(number,
                           get("/v1/sandboxes/" + s(number)).value("key", ""));
}

// -- requests -----------------------------------------------------------------

std::string world::carry_out(const step& x) {
  auto after = now_;
  if (!apply(after, x))
    return {};
  switch (x.what) {
  case kind::new_clients:
    packets_->renew();
    return judge(x);
  case kind::restart:
  case kind::kill:
    return stop_and_start(x);
  case kind::foreign: {
    auto wrong = interfere(x);
    if (wrong.empty())
      wrong = judge(x, is_only_told(x.by));
    if (wrong.empty())
      wrong = undo(x);
    return wrong.empty() && is_only_told(x.by) ? judge(x) : wrong;
  }
  default:
    return ask(x, after);
  }
}

std::string world::ask(const step& x, const state& after) {
  const auto& call = crash_calls()[static_cast<size_t>(x.call)];
  if (x.hit == blow::crash_before || x.hit == blow::crash_after) {
    auto wrong = troupe({"fault", "add",
                         x.hit == blow::crash_before ? "kernel-crash-before"
                                                     : "kernel-crash-after",
                         "--on", call});
    if (!wrong.empty())
      return wrong;
  }
  auto killer = std::thread{};
  if (x.hit == blow::kill)
    killer = std::thread{[&] {
      std::this_thread::sleep_for(std::chrono::microseconds{x.wait_us});
      daemon_.kill();
    }};
  auto replaces
    = x.what == kind::replace_sandbox || x.what == kind::replace_network;
  if (replaces)
    now_ = after;
  auto wrong = replaces ? replace(x) : request(x);
  if (killer.joinable())
    killer.join();
  if (x.hit != blow::none)
    daemon_.troupe({"fault", "clear"});
  auto died = is_dead();
  if (!wrong.empty() && !died)
    return wrong;
  if (died)
    if (auto refused = revive(); !refused.empty())
      return refused;
  if (replaces && !wrong.empty())
    wrong = replace(x);
  else if (wrong.empty())
    now_ = after;
  else
    wrong = settle_unknown(after);
  if (x.renew) {
    packets_->renew();
    before_.clear();
  }
  return wrong.empty() ? judge(x) : wrong;
}

std::string world::request(const step& x) {
  auto who = n(x.network) + "/" + s(x.sandbox);
  switch (x.what) {
  case kind::attach: {
    auto command = words{"attach",
                         n(x.network),
                         s(x.sandbox),
                         "--name",
                         s(x.sandbox),
                         "--ip",
                         address_of(x.network, x.address, false)};
    if (now_.networks[static_cast<size_t>(x.network)].v6)
      command.insert(command.end(),
                     {"--ip6", address_of(x.network, x.address, true)});
    command.insert(command.end(), {"--priority", std::to_string(x.priority)});
    return troupe(command);
  }
  case kind::detach:
    return troupe({"detach", n(x.network), s(x.sandbox)});
  case kind::publish:
    return troupe({"publish", who, port_text(x.port)});
  case kind::unpublish:
    return troupe({"unpublish", who, port_text(x.port)});
  default:
    return "no request";
  }
}

// Removes and makes it; again after a crash, as a runtime would.
std::string world::replace(const step& x) {
  constexpr auto not_found = 3;
  auto is_sandbox = x.what == kind::replace_sandbox;
  auto noun = std::string{is_sandbox ? "sandbox" : "network"};
  auto name = is_sandbox ? s(x.sandbox) : n(x.network);
  auto removed = daemon_.troupe({noun, "rm", name});
  if (removed.code != 0 && removed.code != not_found)
    return noun + " rm " + name + ": " + removed.err;
  if (!is_sandbox)
    return create_network(x.network);
  // Its processes live on until now.
  packets_->move_out(x.sandbox);
  return create_sandbox(x.sandbox);
}

// A request without an answer has happened or not, as a whole.
std::string world::settle_unknown(const state& after) {
  auto seen = listed();
  if (seen == listing(after)) {
    now_ = after;
    return {};
  }
  if (seen == listing(now_))
    return {};
  return "neither done nor undone; listed is\n" + seen + "before it was\n"
         + listing(now_);
}

std::string world::listed() const {
  auto names = std::map<std::string, std::string>{};
  auto networks = get("/v1/networks");
  for (const auto& x : networks.value("networks", json::array()))
    names[x.at("spec").value("id", "")] = x.at("spec").value("name", "");
  auto lines = std::vector<std::string>{};
  auto endpoints = get("/v1/endpoints");
  for (const auto& x : endpoints.value("endpoints", json::array())) {
    const auto& spec = x.at("spec");
    auto address = spec.at("addresses").at(0).get<std::string>();
    auto line = names[spec.value("network", "")] + "/"
                + x.value("sandbox_name", "") + " "
                + address.substr(0, address.find('/'));
    auto ports = std::set<std::string>{};
    for (const auto& y : x.value("bindings", json::array()))
      ports.insert(std::to_string(y.value("port", 0)) + "/"
                   + y.value("proto", ""));
    for (const auto& y : ports)
      line += " " + y;
    lines.push_back(line);
  }
  std::ranges::sort(lines);
  auto result = std::string{};
  for (const auto& x : lines)
    result += x + "\n";
  return result;
}

std::string world::stop_and_start(const step& x) {
  if (x.what == kind::restart && daemon_.terminate() != 0)
    return "the daemon does not stop in order";
  daemon_.kill();
  // Nobody notices that there is no daemon.
  auto wrong = judge(x);
  if (wrong.empty())
    wrong = revive();
  return wrong.empty() ? judge(x) : wrong;
}

bool world::is_dead() {
  return !daemon_.is_running() || !daemon_.wait_until_ready().empty();
}

std::string world::revive() {
  return daemon_.is_running() ? "" : daemon_.start(flags);
}

// -- what must be so ----------------------------------------------------------

std::string world::disagreement(size_t i) const {
  auto must = expected(now_, flows_[i]);
  auto seen = packets_->look(i);
  if (must.open)
    return {};
  if (seen.server != must.server)
    return flows_[i].text() + ": must be answered by " + name_of(must.server)
           + ", is by " + name_of(seen.server) + "\n";
  if (seen.server >= 0 && !must.seen_as.empty() && seen.seen_as != must.seen_as)
    return flows_[i].text() + ": must be seen as " + must.seen_as + ", is as "
           + seen.seen_as + "\n";
  return {};
}

// A connection lives as long as what it depends on.
std::string world::broken_connection(size_t i) const {
  const auto& [was, connection] = before_[i];
  auto must = expected(now_, flows_[i]);
  if (connection == 0 || was.server < 0 || must.open || was.path != must.path
      || packets_->look(i).connection == connection)
    return {};
  return flows_[i].text() + ": its connection broke\n";
}

void world::remember() {
  before_.clear();
  for (size_t i = 0; i < flows_.size(); ++i)
    before_.emplace_back(expected(now_, flows_[i]),
                         packets_->look(i).connection);
}

std::string world::judge(const step& x, bool told) {
  std::this_thread::sleep_for(least_wait); // New packets, not those of before.
  auto wrong = std::string{};
  for (auto until = clock::now() + patience;;) {
    wrong.clear();
    auto leaks = false;
    for (size_t i = 0; i < flows_.size(); ++i)
      if (auto text = disagreement(i); !text.empty()) {
        wrong += text;
        auto seen = packets_->look(i);
        leaks = leaks || seen.server >= 0;
        // One made while the port was between proxy and rules may stay there.
        if (flows_[i].tcp && seen.server == expected(now_, flows_[i]).server)
          packets_->reconnect(i);
      }
    if (x.what != kind::foreign && x.what != kind::new_clients)
      for (size_t i = 0; i < before_.size(); ++i)
        wrong += broken_connection(i);
    if (wrong.empty() || clock::now() > until)
      break;
    if (told && !leaks && daemon_.troupe({"doctor"}).code == 1)
      return {};
    std::this_thread::sleep_for(50ms);
  }
  remember();
  if (wrong.empty())
    return {};
  auto doctor = daemon_.troupe({"doctor"});
  return wrong + "doctor (" + std::to_string(doctor.code)
         + "): " + doctor.out.substr(0, 400) + doctor.err.substr(0, 400);
}

std::string world::run() {
  auto wrong = build();
  if (!wrong.empty())
    return "cannot build the world: " + wrong;
  remember();
  for (const auto& x : plan_.steps)
    if (wrong = carry_out(x); !wrong.empty())
      return "after \"" + x.text() + "\":\n" + wrong;
  auto doctor = daemon_.troupe({"doctor"});
  return doctor.code == 0 ? "" : "at the end: doctor: " + doctor.out;
}

std::string run_plan(const plan& what, std::string* log) {
  auto here = world{what};
  auto wrong = here.run();
  if (log != nullptr)
    *log = here.log();
  return wrong;
}

} // namespace troupe::test::reach
