#include "troupe/actors/api/helper_program.hpp"
#include "troupe/actors/api/log.hpp"
#include "troupe/actors/embedded/embedded.hpp"
#include "troupe/config/model/instance.hpp"
#include "troupe/netns/ports/proxy_client.hpp"
#include "troupe/netns/real/kernel.hpp"
#include "troupe/netns/real/rights.hpp"

namespace troupe {

namespace {

std::unique_ptr<netns::port_proxy> make_proxy(const settings& how) {
  auto where = netns::proxy_settings{};
  where.run_dir = how.run_dir;
  where.program = how.proxy_program.empty()
                    ? find_helper_program("troupe-proxy")
                    : how.proxy_program;
  if (!where.program.empty())
    return netns::make_proxy_client(std::move(where));
  log().warn("published ports: troupe-proxy was not found; they are not served "
             "on loopback addresses");
  return nullptr;
}

} // namespace

embedded_parts real_parts(const settings& how) {
  const auto pins = how.run_dir + "/netns";
  // Whose changes of the firewall are ours: the watch tells only the others'.
  auto senders = std::make_shared<netns::firewall::sender_list>();
  auto table = netns::firewall::table_name(instance::of(how.run_dir));
  return {
    [=] {
      return netns::open_netlink_kernel(pins, senders);
    },
    [=] {
      return persistence::open_lmdb(how.state_dir, how.run_dir);
    },
    [=]() -> result<std::unique_ptr<netns::event_source>> {
      return netns::watch::open(pins, {table, senders});
    },
    [=](std::span<const netns::promised_network> networks) {
      return netns::read_audit(pins, networks, table);
    },
    [](std::span<const netns::promised_network> networks) {
      return netns::read_obstructions(networks);
    },
    [=](std::span<const netns::path_probe> ways) {
      return netns::send_path_probes(pins, ways);
    },
    [how] {
      return std::make_unique<drivers::port_book>(netns::make_port_sockets(),
                                                  make_proxy(how));
    },
    [] {
      auto allowed = netns::check_rights();
      if (auto announcing = netns::check_announcing(); allowed && !announcing)
        log().warn("{}; {}", announcing.error().message,
                   announcing.error().hint);
      return allowed;
    },
    netns::probe_kernel,
    netns::open_firewalld,
  };
}

} // namespace troupe
