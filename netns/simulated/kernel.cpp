#include "troupe/netns/simulated/kernel.hpp"

#include "troupe/netns/simulated/model.hpp"

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

namespace troupe::netns {

namespace {

using simulation::about;
using simulation::link_state;
using simulation::model;
using simulation::space;

/// One open "socket": the world and the namespace it was opened in.
class simulated_kernel : public kernel {
public:
  /// @pre the caller has acquired `inode` in the model.
  simulated_kernel(std::shared_ptr<simulated_world> world, uint64_t inode)
    : world_{std::move(world)}, inode_{inode} {
  }

  simulated_kernel(const simulated_kernel&) = delete;
  simulated_kernel& operator=(const simulated_kernel&) = delete;

  ~simulated_kernel() override {
    world_->with_model([this](model& m) {
      while (!kept_.empty())
        forget(m, kept_.begin()->first);
      m.release(inode_);
    });
  }

  result<namespace_ref> create_namespace(const std::string& name) override {
    auto made = world_->with_model([&](model& m) {
      return m.create_namespace(name);
    });
    if (made)
      keep_namespace(name, *made);
    return made;
  }

  result<namespace_ref>
  adopt_namespace(const std::string& name, const std::string& path) override {
    auto adopted = world_->with_model([&](model& m) {
      return m.adopt_namespace(name, path);
    });
    if (adopted)
      keep_namespace(name, *adopted);
    return adopted;
  }

  result<void> remove_namespace(const std::string& name) override {
    return world_->with_model([&](model& m) {
      forget(m, name);
      return m.remove_namespace(name);
    });
  }

  void
  keep_namespace(const std::string& name, const namespace_ref& ns) override {
    world_->with_model([&](model& m) {
      m.acquire(ns.inode);
      forget(m, name);
      kept_[name] = ns.inode;
    });
  }

  result<std::string> find_namespace(uint64_t inode) override {
    return world_->with_model([&](model& m) {
      auto is_kept = std::ranges::any_of(kept_, [&](const auto& x) {
        return x.second == inode;
      });
      return m.find_namespace(inode, is_kept);
    });
  }

  result<std::vector<std::pair<std::string, namespace_ref>>>
  namespaces() override {
    return world_->with_model([](model& m) {
      return m.pins();
    });
  }

  result<std::unique_ptr<kernel>> enter(const namespace_ref& ns) override {
    auto inode = world_->with_model([&](model& m) -> result<uint64_t> {
      auto found = m.open(ns);
      if (!found)
        return fail(std::move(found.error()));
      m.acquire((*found)->inode);
      return (*found)->inode;
    });
    if (!inode)
      return fail(std::move(inode.error()));
    return std::make_unique<simulated_kernel>(world_, *inode);
  }

  result<int> add_bridge(const bridge_request& request) override {
    return here<int>([&](model& m, space& ns) {
      return m.add_bridge(ns, request);
    });
  }

  result<int> add_veth(const veth_request& request) override {
    return here<int>([&](model& m, space& ns) {
      return m.add_veth(ns, request);
    });
  }

  result<void> del_link(int index) override {
    return here<void>([&](model& m, space& ns) {
      return m.del_link(ns, index);
    });
  }

  result<void> del_group(uint32_t group) override {
    return here<void>([&](model& m, space& ns) {
      return m.del_group(ns, group);
    });
  }

  result<void> set_link(int index, const link_change& change) override {
    return here<void>([&](model& m, space& ns) {
      return m.set_link(ns, index, change);
    });
  }

  result<void> set_port_flags(int index, const port_flags& flags) override {
    return here<void>([&](model& m, space& ns) {
      return m.set_port_flags(ns, index, flags);
    });
  }

  result<void> bind_mac(int index, const mac_address& mac) override {
    return here<void>([&](model& m, space& ns) {
      return m.bind_mac(ns, index, mac);
    });
  }

  result<int> link_index(const std::string& name) override {
    return here<int>([&](model&, space& ns) -> result<int> {
      if (const auto* found = ns.find(name); found != nullptr)
        return found->info.index;
      return fail(os_failure(ENODEV, about("find link", name)));
    });
  }

  result<link_info> link(int index) override {
    return on_link<link_info>("read link", index, [](link_state& x) {
      return x.info;
    });
  }

  result<std::vector<link_info>> links() override {
    using list = std::vector<link_info>;
    return here<list>([](model&, space& ns) -> result<list> {
      auto result = list{};
      for (const auto& [index, link] : ns.links)
        result.push_back(link.info);
      return result;
    });
  }

  result<link_statistics> statistics(int index) override {
    return on_link<link_statistics>("read statistics of", index,
                                    [](link_state& x) {
                                      return x.counters;
                                    });
  }

  result<void> add_address(int index, const interface_address& x) override {
    return here<void>([&](model& m, space& ns) {
      return m.add_address(ns, index, x);
    });
  }

  result<void> del_address(int index, const interface_address& x) override {
    return here<void>([&](model& m, space& ns) {
      return m.del_address(ns, index, x);
    });
  }

  result<std::vector<interface_address>> addresses(int index) override {
    return on_link<std::vector<interface_address>>("list addresses of", index,
                                                   [](link_state& x) {
                                                     return x.listed();
                                                   });
  }

  result<std::vector<placed_address>> all_addresses() override {
    using list = std::vector<placed_address>;
    return here<list>([](model&, space& ns) -> result<list> {
      auto found = list{};
      for (const auto& [index, link] : ns.links)
        for (const auto& x : link.listed())
          found.push_back({index, x});
      return found;
    });
  }

  result<void> announce(const neighbour_info& x) override {
    return here<void>([&](model& m, space& ns) {
      return m.announce(ns, x);
    });
  }

  result<void> add_route(const route_info& x) override {
    return here<void>([&](model& m, space& ns) {
      return m.add_route(ns, x);
    });
  }

  result<void> del_route(const route_info& x) override {
    return here<void>([&](model& m, space& ns) {
      return m.del_route(ns, x);
    });
  }

  result<std::vector<route_info>> routes() override {
    using list = std::vector<route_info>;
    return here<list>([](model&, space& ns) -> result<list> {
      auto found = list{ns.routes.begin(), ns.routes.end()};
      std::erase_if(found, [](const auto& x) {
        return x.table != main_table || x.protocol == made_by_kernel
               || x.type != route_type::unicast;
      });
      return found;
    });
  }

  result<std::vector<route_info>> link_routes(int index) override {
    using list = std::vector<route_info>;
    return here<list>([&](model&, space& ns) -> result<list> {
      auto found = simulation::kernel_routes(ns, index);
      found.insert(found.end(), ns.routes.begin(), ns.routes.end());
      std::erase_if(found, [&](const auto& x) {
        return x.index != index;
      });
      return found;
    });
  }

  result<void> add_rule(const rule_info& x) override {
    return here<void>([&](model& m, space& ns) {
      return m.add_rule(ns, x);
    });
  }

  result<void> del_rule(const rule_info& x) override {
    return here<void>([&](model& m, space& ns) {
      return m.del_rule(ns, x);
    });
  }

  result<std::vector<rule_info>> rules() override {
    using list = std::vector<rule_info>;
    return here<list>([](model&, space& ns) -> result<list> {
      return ns.rules;
    });
  }

  result<std::vector<prefix>> routed_subnets() override {
    using list = std::vector<prefix>;
    return here<list>([](model&, space& ns) -> result<list> {
      auto found = std::set<prefix>{};
      for (const auto& x : simulation::connected_routes(ns))
        if (!x.destination->address().is_link_local())
          found.insert(*x.destination);
      for (const auto& x : ns.routes)
        if (x.destination && x.table == main_table)
          found.insert(*x.destination);
      return list{found.begin(), found.end()};
    });
  }

  result<void> set_neighbour(const neighbour_info& x) override {
    return here<void>([&](model& m, space& ns) {
      return m.set_neighbour(ns, x);
    });
  }

  result<void> del_neighbour(const neighbour_info& x) override {
    return here<void>([&](model& m, space& ns) {
      return m.del_neighbour(ns, x);
    });
  }

  result<std::vector<neighbour_info>> neighbours(int index) override {
    using list = std::vector<neighbour_info>;
    return here<list>([&](model&, space& ns) -> result<list> {
      auto found = list{};
      for (const auto& [key, mac] : ns.neighbours)
        if (key.first == index)
          found.push_back({index, key.second, mac});
      return found;
    });
  }

  result<neighbour_info>
  neighbour(int index, const ip_address& address) override {
    return here<neighbour_info>([&](model& m, space& ns) {
      return m.neighbour(ns, index, address);
    });
  }

  result<void>
  set_sysctl(sysctl key, const std::string& interface, int value) override {
    return here<void>([&](model& m, space& ns) {
      return m.set_sysctl(ns, key, interface, value);
    });
  }

  result<int> read_sysctl(sysctl key, const std::string& interface) override {
    return here<int>([&](model& m, space& ns) {
      return m.read_sysctl(ns, key, interface);
    });
  }

  result<void>
  load_firewall(const firewall::settings& rules,
                std::span<const firewall::element> elements) override {
    return here<void>([&](model& m, space& ns) {
      return m.load_firewall(ns, rules, elements);
    });
  }

  result<void>
  change_elements(const std::string& table,
                  std::span<const firewall::element_change> changes) override {
    return here<void>([&](model& m, space& ns) {
      return m.change_elements(ns, table, changes);
    });
  }

  result<std::vector<firewall::element>>
  list_elements(const std::string& table) override {
    return here<std::vector<firewall::element>>([&](model& m, space& ns) {
      return m.list_elements(ns, table);
    });
  }

  result<void> remove_firewall(const std::string& table) override {
    return here<void>([&](model&, space& ns) -> result<void> {
      ns.firewalls.erase(table);
      return {};
    });
  }

  result<std::vector<firewall::foreign_chain>> forward_blockers() override {
    using list = std::vector<firewall::foreign_chain>;
    return here<list>([](model&, space& ns) -> result<list> {
      return list{ns.foreign_chains.begin(), ns.foreign_chains.end()};
    });
  }

  result<void>
  flush_conntrack(std::span<const conntrack_filter> filters) override {
    return here<void>([&](model&, space& ns) {
      return model::flush_conntrack(ns, filters);
    });
  }

  result<std::vector<connection_info>> connections() override {
    using list = std::vector<connection_info>;
    return here<list>([](model&, space& ns) -> result<list> {
      return ns.connections;
    });
  }

private:
  void forget(model& m, const std::string& name) {
    if (auto it = kept_.find(name); it != kept_.end()) {
      m.release(it->second);
      kept_.erase(it);
    }
  }

  /// Calls `f(model, namespace)` with the world locked.
  template <class T, class F>
  result<T> here(F f) {
    return world_->with_model([&](model& m) -> result<T> {
      auto ns = m.held(inode_);
      if (!ns)
        return fail(std::move(ns.error()));
      return f(m, **ns);
    });
  }

  /// Reads one link.
  template <class T, class F>
  result<T> on_link(std::string_view operation, int index, F read) {
    return here<T>([&](model& m, space& ns) -> result<T> {
      auto found = m.link(ns, index, operation);
      if (!found)
        return fail(std::move(found.error()));
      return read(**found);
    });
  }

  std::shared_ptr<simulated_world> world_;
  uint64_t inode_;
  std::map<std::string, uint64_t> kept_; ///< By the names of their pins.
};

} // namespace

std::unique_ptr<kernel>
open_simulated_kernel(std::shared_ptr<simulated_world> world) {
  auto inode = world->with_model([](model& m) {
    m.acquire(m.host);
    return m.host;
  });
  return std::make_unique<simulated_kernel>(std::move(world), inode);
}

kernel_factory
simulated_kernel_factory(std::shared_ptr<simulated_world> world) {
  return [world = std::move(world)]() -> result<std::unique_ptr<kernel>> {
    return open_simulated_kernel(world);
  };
}

} // namespace troupe::netns
