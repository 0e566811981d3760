#include "troupe/netns/faulty/kernel.hpp"

#include <utility>

namespace troupe::netns {

namespace {

/// Asks the plan before each call.
class faulty_kernel : public kernel {
public:
  faulty_kernel(std::unique_ptr<kernel> behind,
                std::shared_ptr<fault_source> plan)
    : behind_{std::move(behind)}, plan_{std::move(plan)} {
  }

  result<namespace_ref> create_namespace(const std::string& name) override {
    return guard(call::create_namespace, [&] {
      return behind_->create_namespace(name);
    });
  }

  result<namespace_ref>
  adopt_namespace(const std::string& name, const std::string& path) override {
    return guard(call::adopt_namespace, [&] {
      return behind_->adopt_namespace(name, path);
    });
  }

  result<void> remove_namespace(const std::string& name) override {
    return guard(call::remove_namespace, [&] {
      return behind_->remove_namespace(name);
    });
  }

  // Not counted: without it there is only less to fall back on.
  void
  keep_namespace(const std::string& name, const namespace_ref& ns) override {
    behind_->keep_namespace(name, ns);
  }

  result<std::string> find_namespace(uint64_t inode) override {
    return guard(call::find_namespace, [&] {
      return behind_->find_namespace(inode);
    });
  }

  result<std::vector<std::pair<std::string, namespace_ref>>>
  namespaces() override {
    return guard(call::namespaces, [&] {
      return behind_->namespaces();
    });
  }

  // Not counted: a failure is nobody's, the next creation makes its own.
  result<bool> prepare_namespace(size_t wanted) override {
    return behind_->prepare_namespace(wanted);
  }

  result<std::unique_ptr<kernel>> enter(const namespace_ref& ns) override {
    auto inner = guard(call::enter, [&] {
      return behind_->enter(ns);
    });
    if (!inner)
      return inner;
    return std::make_unique<faulty_kernel>(std::move(*inner), plan_);
  }

  result<int> add_bridge(const bridge_request& request) override {
    return guard(call::add_bridge, [&] {
      return behind_->add_bridge(request);
    });
  }

  result<int> add_veth(const veth_request& request) override {
    return guard(call::add_veth, [&] {
      return behind_->add_veth(request);
    });
  }

  result<void> del_link(int index) override {
    return guard(call::del_link, [&] {
      return behind_->del_link(index);
    });
  }

  result<void> del_group(uint32_t group) override {
    return guard(call::del_group, [&] {
      return behind_->del_group(group);
    });
  }

  result<void> set_link(int index, const link_change& change) override {
    return guard(call::set_link, [&] {
      return behind_->set_link(index, change);
    });
  }

  result<void> set_port_flags(int index, const port_flags& flags) override {
    return guard(call::set_port_flags, [&] {
      return behind_->set_port_flags(index, flags);
    });
  }

  result<void> bind_mac(int index, const mac_address& mac) override {
    return guard(call::bind_mac, [&] {
      return behind_->bind_mac(index, mac);
    });
  }

  result<int> link_index(const std::string& name) override {
    return guard(call::link_index, [&] {
      return behind_->link_index(name);
    });
  }

  result<link_info> link(int index) override {
    return guard(call::link, [&] {
      return behind_->link(index);
    });
  }

  result<std::vector<link_info>> links() override {
    return guard(call::links, [&] {
      return behind_->links();
    });
  }

  result<link_statistics> statistics(int index) override {
    return guard(call::statistics, [&] {
      return behind_->statistics(index);
    });
  }

  result<void> add_address(int index, const interface_address& x) override {
    return guard(call::add_address, [&] {
      return behind_->add_address(index, x);
    });
  }

  result<void> del_address(int index, const interface_address& x) override {
    return guard(call::del_address, [&] {
      return behind_->del_address(index, x);
    });
  }

  result<std::vector<interface_address>> addresses(int index) override {
    return guard(call::addresses, [&] {
      return behind_->addresses(index);
    });
  }

  result<std::vector<placed_address>> all_addresses() override {
    return guard(call::all_addresses, [&] {
      return behind_->all_addresses();
    });
  }

  result<void> announce(const neighbour_info& x) override {
    return guard(call::announce, [&] {
      return behind_->announce(x);
    });
  }

  result<void> add_route(const route_info& x) override {
    return guard(call::add_route, [&] {
      return behind_->add_route(x);
    });
  }

  result<void> del_route(const route_info& x) override {
    return guard(call::del_route, [&] {
      return behind_->del_route(x);
    });
  }

  result<std::vector<route_info>> routes() override {
    return guard(call::routes, [&] {
      return behind_->routes();
    });
  }

  result<std::vector<route_info>> link_routes(int index) override {
    return guard(call::link_routes, [&] {
      return behind_->link_routes(index);
    });
  }

  result<void> add_rule(const rule_info& x) override {
    return guard(call::add_rule, [&] {
      return behind_->add_rule(x);
    });
  }

  result<void> del_rule(const rule_info& x) override {
    return guard(call::del_rule, [&] {
      return behind_->del_rule(x);
    });
  }

  result<std::vector<rule_info>> rules() override {
    return guard(call::rules, [&] {
      return behind_->rules();
    });
  }

  result<std::vector<prefix>> routed_subnets() override {
    return guard(call::routed_subnets, [&] {
      return behind_->routed_subnets();
    });
  }

  result<void> set_neighbour(const neighbour_info& x) override {
    return guard(call::set_neighbour, [&] {
      return behind_->set_neighbour(x);
    });
  }

  result<void> del_neighbour(const neighbour_info& x) override {
    return guard(call::del_neighbour, [&] {
      return behind_->del_neighbour(x);
    });
  }

  result<std::vector<neighbour_info>> neighbours(int index) override {
    return guard(call::neighbours, [&] {
      return behind_->neighbours(index);
    });
  }

  result<neighbour_info>
  neighbour(int index, const ip_address& address) override {
    return guard(call::neighbour, [&] {
      return behind_->neighbour(index, address);
    });
  }

  result<void>
  set_sysctl(sysctl key, const std::string& interface, int value) override {
    return guard(call::set_sysctl, [&] {
      return behind_->set_sysctl(key, interface, value);
    });
  }

  result<int> read_sysctl(sysctl key, const std::string& interface) override {
    return guard(call::read_sysctl, [&] {
      return behind_->read_sysctl(key, interface);
    });
  }

  result<void>
  load_firewall(const firewall::settings& rules,
                std::span<const firewall::element> elements) override {
    return guard(call::load_firewall, [&] {
      return behind_->load_firewall(rules, elements);
    });
  }

  result<void>
  change_elements(const std::string& table,
                  std::span<const firewall::element_change> changes) override {
    return guard(call::change_elements, [&] {
      return behind_->change_elements(table, changes);
    });
  }

  result<std::vector<firewall::element>>
  list_elements(const std::string& table) override {
    return guard(call::list_elements, [&] {
      return behind_->list_elements(table);
    });
  }

  result<void> remove_firewall(const std::string& table) override {
    return guard(call::remove_firewall, [&] {
      return behind_->remove_firewall(table);
    });
  }

  result<std::vector<firewall::foreign_chain>> forward_blockers() override {
    return guard(call::forward_blockers, [&] {
      return behind_->forward_blockers();
    });
  }

  result<void>
  flush_conntrack(std::span<const conntrack_filter> filters) override {
    return guard(call::flush_conntrack, [&] {
      return behind_->flush_conntrack(filters);
    });
  }

  result<std::vector<connection_info>> connections() override {
    return guard(call::connections, [&] {
      return behind_->connections();
    });
  }

private:
  /// Does the call, or what the plan says instead.
  template <class F>
  auto guard(call what, F f) -> decltype(f()) {
    if (!plan_->armed())
      return f();
    auto verdict = plan_->judge(what);
    if (verdict.dead)
      return fail(crash_error(what));
    for (const auto& action : verdict.actions)
      if (action)
        action();
    using effect = fault_rule::effect;
    if (!verdict.effect)
      return f();
    if (*verdict.effect == effect::crash_before) {
      plan_->crash();
      return fail(crash_error(what));
    }
    if (*verdict.effect == effect::fail)
      return fail(
        os_failure(verdict.os_error, to_string(what), "injected fault"));
    // A call that fails by itself has no effect to hide; its own error stays.
    auto done = f();
    if (*verdict.effect == effect::crash_after) {
      plan_->crash();
      return fail(crash_error(what));
    }
    if (!done)
      return done;
    return fail(os_failure(verdict.os_error, to_string(what),
                           "injected loss of the reply"));
  }

  std::unique_ptr<kernel> behind_;
  std::shared_ptr<fault_source> plan_;
};

} // namespace

std::unique_ptr<kernel> open_faulty_kernel(std::unique_ptr<kernel> behind,
                                           std::shared_ptr<fault_source> plan) {
  return std::make_unique<faulty_kernel>(std::move(behind), std::move(plan));
}

kernel_factory faulty_kernel_factory(kernel_factory behind,
                                     std::shared_ptr<fault_source> plan) {
  return [behind = std::move(behind),
          plan = std::move(plan)]() -> result<std::unique_ptr<kernel>> {
    auto inner = behind();
    if (!inner)
      return inner;
    return open_faulty_kernel(std::move(*inner), plan);
  };
}

} // namespace troupe::netns
