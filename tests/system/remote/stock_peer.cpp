// A peer made of CAF's own parts alone: what somebody writes who has remote.hpp
// and not our client, and what a malicious one can do with them.
//
// Usage: remote_stock_peer WHAT CERTIFICATE KEY AUTHORITY; prints a line for
// each thing that happened.

#include "troupe/actors/remote.hpp"

#include <caf/io/all.hpp>
#include <caf/openssl/all.hpp>

#include <iostream>

namespace {

using namespace std::chrono_literals;
namespace wire = troupe::remote;

constexpr uint16_t port = 7433;

struct peer_config : caf::actor_system_config {
  explicit peer_config(char** files) {
    load<caf::io::middleman>();
    load<caf::openssl::manager>();
    add_message_types<caf::id_block::troupe>();
    add_message_types<caf::id_block::troupe_remote>();
    openssl_certificate = files[0];
    openssl_key = files[1];
    openssl_cafile = files[2];
  }
};

class peer {
public:
  peer(caf::actor_system& system, wire::door_actor door)
    : system_{system}, self_{system}, door_{std::move(door)} {
  }

  wire::hello greeting() const {
    return {wire::protocol, wire::schema(), "stock", std::string(32, 'f')};
  }

  wire::welcome say(const wire::hello& x) {
    auto result = wire::welcome{};
    self_->request(door_, 3s, x)
      .receive(
        [&](wire::welcome& y) {
          result = std::move(y);
        },
        [&](caf::error& why) {
          print(why);
        });
    return result;
  }

  void status() {
    auto there = say(greeting());
    if (!there.controller)
      return;
    std::cout << "welcome " << there.version << "\n";
    ask_status(there.controller);
  }

  void other_versions() {
    auto x = greeting();
    x.schema = "0123456789abcdef";
    say(x);
    x = greeting();
    x.protocol = 99;
    say(x);
    x = greeting();
    x.client = "../../etc/passwd";
    say(x);
  }

  // The exit message that a handler cannot refuse.
  void kill() {
    caf::anon_send_exit(door_, caf::exit_reason::kill);
    say(greeting());
  }

  void look_up() {
    for (const auto* name : {"SpawnServ", "ConfigServ", "secret", "BASP"}) {
      auto text = caf::atom_from_string(std::string{name});
      auto found = system_.middleman().remote_lookup(text, door_->node());
      std::cout << name << (found ? " found" : " nothing") << "\n";
    }
  }

private:
  void ask_status(const wire::controller_actor& to) {
    self_->request(to, 10s, wire::ticket{1, {}, 5'000}, troupe::get_status{})
      .receive(
        [&](troupe::daemon_status& y) {
          std::cout << "status " << y.version << "\n";
        },
        [&](caf::error& why) {
          print(why);
        });
  }

  void print(const caf::error& why) {
    auto x = troupe::from_caf(why);
    std::cout << troupe::to_string(x.code) << " " << x.message << "\n";
  }

  caf::actor_system& system_;
  caf::scoped_actor self_;
  wire::door_actor door_;
};

} // namespace

int main(int argc, char** argv) {
  if (argc != 5)
    return 2;
  auto config = peer_config{argv + 2};
  auto system = caf::actor_system{config};
  auto door
    = caf::openssl::remote_actor<wire::door_actor>(system, "127.0.0.1", port);
  if (!door) {
    std::cout << "not connected\n";
    return 1;
  }
  auto what = std::string{argv[1]};
  auto x = peer{system, *door};
  if (what == "status")
    x.status();
  else if (what == "versions")
    x.other_versions();
  else if (what == "kill")
    x.kill();
  else
    x.look_up();
  return 0;
}
