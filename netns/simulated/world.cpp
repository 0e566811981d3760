#include "troupe/netns/simulated/model.hpp"

#include <algorithm>
#include <cerrno>
#include <tuple>
#include <utility>

namespace troupe::netns {

namespace simulation {

std::string about(std::string_view operation, std::string_view object) {
  return std::string{operation} + " " + std::string{object};
}

void model::emit_pin(const std::string& name) {
  auto event = kernel_event{};
  event.what = kernel_event::kind::namespaces_changed;
  event.namespace_path = pins_directory + "/" + name;
  for (const auto& [id, notify] : observers)
    notify(event);
}

void model::emit(const space& ns, kernel_event::kind what,
                 const link_state* link) {
  if (observers.empty())
    return;
  auto event = kernel_event{};
  event.what = what;
  if (link != nullptr) {
    const auto of_link = what == kernel_event::kind::link_changed
                         || what == kernel_event::kind::link_removed;
    event.index = link->info.index;
    if (of_link || ns.inode == host)
      event.link_name = link->info.name;
    if (of_link)
      event.group = link->info.group;
  }
  auto tell = [&] {
    for (const auto& [id, notify] : observers)
      notify(event);
  };
  if (ns.inode == host)
    tell();
  for (const auto& [name, inode] : pinned)
    if (inode == ns.inode) {
      event.namespace_path = pins_directory + "/" + name;
      tell();
    }
}

} // namespace simulation

using simulation::about;
using simulation::link_state;
using simulation::model;
using simulation::space;

namespace {

/// Finds a link by the names a third party uses.
result<std::pair<space*, link_state*>>
find(model& m, const std::string& ns, const std::string& link) {
  auto where = m.named(ns);
  if (!where)
    return fail(std::move(where.error()));
  auto* found = (*where)->find(link);
  if (found == nullptr)
    return fail(os_failure(ENODEV, about("find link", link)));
  return std::pair{*where, found};
}

/// Between the same two, before translation.
auto has_ends_of(const connection_info& x) {
  return [&x](const connection_info& y) {
    return std::tie(x.proto, x.client, x.client_port, x.host, x.host_port)
           == std::tie(y.proto, y.client, y.client_port, y.host, y.host_port);
  };
}

} // namespace

simulated_world::simulated_world(std::string pins)
  : model_{std::make_unique<model>(std::move(pins))} {
}

simulated_world::~simulated_world() = default;

namespace_ref
simulated_world::make_external_namespace(const std::string& path) {
  return with_model([&](model& m) {
    return m.make_external(path);
  });
}

void simulated_world::make_plain_file(const std::string& path) {
  with_model([&](model& m) {
    m.plain_files.insert(path);
  });
}

int simulated_world::add_hardware(const std::string& name) {
  return with_model([&](model& m) {
    auto link = link_state{};
    link.info.name = name;
    link.info.mtu_bytes = 1500;
    link.info.up = true;
    return m.add_device(m.spaces.at(m.host), std::move(link));
  });
}

void simulated_world::defer_teardown(bool on) {
  with_model([&](model& m) {
    m.defer_teardown = on;
  });
}

int simulated_world::finish_teardown() {
  return with_model([](model& m) {
    return m.finish_teardown();
  });
}

void simulated_world::set_release(int major, int minor) {
  auto lock = std::lock_guard{mutex_};
  model_->renames_running_links = std::pair{major, minor} >= std::pair{6, 2};
}

void simulated_world::set_sysctls_read_only(bool on) {
  with_model([&](model& m) {
    m.read_only_sysctls = on;
  });
}

result<void>
simulated_world::set_statistics(const std::string& ns, const std::string& link,
                                const link_statistics& value) {
  return with_model([&](model& m) -> result<void> {
    auto found = find(m, ns, link);
    if (!found)
      return fail(std::move(found.error()));
    found->second->counters = value;
    return {};
  });
}

void simulated_world::reboot() {
  with_model([](model& m) {
    m.reboot();
  });
}

result<void> simulated_world::drop_external_namespace(const std::string& path) {
  return with_model([&](model& m) {
    return m.drop_external(path);
  });
}

result<void> simulated_world::unmount_pin(const std::string& name) {
  return with_model([&](model& m) {
    return m.unmount_pin(name);
  });
}

result<void> simulated_world::replace_pin(const std::string& name) {
  return with_model([&](model& m) {
    return m.replace_pin(name);
  });
}

result<void>
simulated_world::delete_link(const std::string& ns, const std::string& link) {
  return with_model([&](model& m) -> result<void> {
    auto found = find(m, ns, link);
    if (!found)
      return fail(std::move(found.error()));
    return m.del_link(*found->first, found->second->info.index);
  });
}

result<void>
simulated_world::change_link(const std::string& ns, const std::string& link,
                             const link_change& change) {
  return with_model([&](model& m) -> result<void> {
    auto found = find(m, ns, link);
    if (!found)
      return fail(std::move(found.error()));
    return m.set_link(*found->first, found->second->info.index, change);
  });
}

result<void>
simulated_world::move_link(const std::string& ns, const std::string& link,
                           const std::string& to) {
  return with_model([&](model& m) -> result<void> {
    auto found = find(m, ns, link);
    if (!found)
      return fail(std::move(found.error()));
    auto target = m.named(to);
    if (!target)
      return fail(std::move(target.error()));
    m.move_link(*found->first, found->second->info.index, **target);
    return {};
  });
}

result<void> simulated_world::flush_addresses(const std::string& ns,
                                              const std::string& link) {
  return with_model([&](model& m) -> result<void> {
    auto found = find(m, ns, link);
    if (!found)
      return fail(std::move(found.error()));
    auto& [where, target] = *found;
    while (!target->addresses.empty()) {
      auto done
        = m.del_address(*where, target->info.index, target->addresses.back());
      if (!done)
        return done;
    }
    return {};
  });
}

result<void> simulated_world::flush_routes(const std::string& ns) {
  return with_model([&](model& m) -> result<void> {
    auto where = m.named(ns);
    if (!where)
      return fail(std::move(where.error()));
    const auto tell = [&](const route_info& x) {
      m.emit(**where, kernel_event::kind::route_changed,
             (*where)->find(x.index));
    };
    for (const auto& x : std::exchange((*where)->routes, {}))
      tell(x);
    for (auto& x : simulation::connected_routes(**where)) {
      tell(x);
      (*where)->lost.insert(std::move(x));
    }
    return {};
  });
}

result<void>
simulated_world::flush_rules(const std::string& ns, const std::string& table) {
  return with_model([&](model& m) -> result<void> {
    auto where = m.named(ns);
    if (!where)
      return fail(std::move(where.error()));
    auto found = (*where)->firewalls.find(table);
    if (found == (*where)->firewalls.end())
      return fail(os_failure(ENOENT, about("flush table", table)));
    found->second.has_rules = false;
    m.emit(**where, kernel_event::kind::firewall_changed);
    return {};
  });
}

result<void>
simulated_world::track(const std::string& ns, const connection_info& x) {
  return with_model([&](model& m) -> result<void> {
    auto where = m.named(ns);
    if (!where)
      return fail(std::move(where.error()));
    auto& all = (*where)->connections;
    std::erase_if(all, has_ends_of(x));
    all.push_back(x);
    return {};
  });
}

result<void>
simulated_world::untrack(const std::string& ns, const connection_info& x) {
  return with_model([&](model& m) -> result<void> {
    auto where = m.named(ns);
    if (!where)
      return fail(std::move(where.error()));
    std::erase_if((*where)->connections, has_ends_of(x));
    return {};
  });
}

result<void>
simulated_world::drop_route(const std::string& ns, const std::string& link,
                            const prefix& destination) {
  return with_model([&](model& m) -> result<void> {
    auto where = m.named(ns);
    if (!where)
      return fail(std::move(where.error()));
    auto* target = (*where)->find(link);
    if (target == nullptr)
      return fail(os_failure(ENODEV, "drop a route of " + link));
    for (auto& x : simulation::kernel_routes(**where)) {
      if (x.index != target->info.index || x.destination != destination)
        continue;
      (*where)->lost.insert(std::move(x));
      m.emit(**where, kernel_event::kind::route_changed, target);
      return {};
    }
    return fail(os_failure(ESRCH, "drop a route of " + link));
  });
}

result<void>
simulated_world::block_port(const std::string& ns, const std::string& link) {
  return with_model([&](model& m) -> result<void> {
    auto where = m.named(ns);
    if (!where)
      return fail(std::move(where.error()));
    auto* target = (*where)->find(link);
    if (target == nullptr)
      return fail(os_failure(ENODEV, "block port " + link));
    if (!target->info.port)
      return fail(os_failure(EOPNOTSUPP, "block port " + link));
    target->info.port_blocked = true;
    m.emit(**where, kernel_event::kind::link_changed, target);
    return {};
  });
}

result<void>
simulated_world::write_sysctl(const std::string& ns, sysctl key,
                              const std::string& interface, int value) {
  return with_model([&](model& m) -> result<void> {
    auto where = m.named(ns);
    if (!where)
      return fail(std::move(where.error()));
    return m.set_sysctl(**where, key, interface, value);
  });
}

result<void> simulated_world::flush_ruleset(const std::string& ns) {
  return with_model([&](model& m) -> result<void> {
    auto where = m.named(ns);
    if (!where)
      return fail(std::move(where.error()));
    auto had_some = !(*where)->firewalls.empty();
    (*where)->firewalls.clear();
    (*where)->foreign_chains.clear();
    (*where)->user_chain = false;
    if (had_some)
      m.emit(**where, kernel_event::kind::firewall_changed);
    return {};
  });
}

result<void>
simulated_world::change_elements(const std::string& ns,
                                 const std::string& table,
                                 std::span<const firewall::element_change> xs) {
  return with_model([&](model& m) -> result<void> {
    auto where = m.named(ns);
    if (!where)
      return fail(std::move(where.error()));
    auto done = m.change_elements(**where, table, xs);
    if (done)
      m.emit(**where, kernel_event::kind::firewall_changed);
    return done;
  });
}

result<void>
simulated_world::add_foreign_chain(const std::string& ns,
                                   const firewall::foreign_chain& chain) {
  return with_model([&](model& m) -> result<void> {
    auto where = m.named(ns);
    if (!where)
      return fail(std::move(where.error()));
    (*where)->foreign_chains.insert(chain);
    return {};
  });
}

} // namespace troupe::netns
