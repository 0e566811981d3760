// The half of the book that deals with the proxy and with restarts.

#include "troupe/drivers/publish/port_book.hpp"
#include "troupe/drivers/publish/runs.hpp"

#include <algorithm>
#include <functional>
#include <iterator>
#include <set>
#include <utility>

namespace troupe::drivers {

namespace {

using netns::port_set;
using netns::proxy_port;

proxy_port
port_of(const port_binding& x, const std::optional<ip_address>& target,
        bool shared = false) {
  return {
    x.proto, x.host_ip, x.host_port, target, target ? x.port : uint16_t{0},
    shared};
}

const proxy_port* find_port(const port_set& ports, const proxy_port& wanted) {
  auto i = ports.find(wanted);
  return i == ports.end() ? nullptr : &*i;
}

} // namespace

/// What `port_proxy::add` takes.
struct port_book::parcel {
  std::vector<proxy_port> ports;
  std::vector<socket_ptr> sockets;
};

port_book::parcel port_book::parcel_of(std::span<const entry> entries) {
  auto result = parcel{};
  for (const auto& x : entries) {
    if (x.where == place::nowhere)
      continue;
    result.ports.push_back(port_of(x.binding, x.target, x.shared));
    result.sockets.push_back(x.socket);
  }
  return result;
}

// -- handing over and taking back ---------------------------------------------

/// Sends sockets, if the proxy is there to take them.
void port_book::send(std::span<entry> entries) {
  const auto next = parcel_of(entries);
  if (!proxy_ || next.ports.empty()
      || !proxy_->begin_add(next.ports, next.sockets))
    return;
  for (auto& x : entries)
    if (x.where == place::here)
      x.where = place::sent;
}

/// Waits for all that is on its way, before anything else is asked. Whatever
/// one of the parcels met with, all of them count as not sent then.
void port_book::settle() {
  if (!proxy_)
    return;
  const auto arrived = proxy_->finish_add().has_value();
  for (const auto& owner : std::exchange(on_their_way_, {})) {
    auto account = accounts_.find(owner);
    if (account == accounts_.end())
      continue;
    for (auto& x : account->second.entries) {
      if (x.where != place::sent)
        continue;
      x.where = arrived ? place::proxy : place::here;
      if (arrived)
        x.socket.reset();
    }
  }
}

/// The proxy gives up what it has, or may have, of these.
void port_book::withdraw(std::span<const entry> entries, place where) {
  auto ports = std::vector<proxy_port>{};
  for (const auto& x : entries)
    if (x.where == where)
      ports.push_back(port_of(x.binding, x.target));
  if (!ports.empty())
    static_cast<void>(proxy_->remove(ports));
}

result<void> port_book::hand_over(std::span<entry> entries) {
  if (!proxy_)
    return {};
  const auto all = parcel_of(entries);
  if (all.ports.empty())
    return {};
  const auto is_first = !needs_proxy();
  if (auto ok = proxy_->add(all.ports, all.sockets); !ok) {
    // It may have been done though: a port that we free must not stay there.
    withdraw(entries, place::here);
    return fail(with_context(std::move(ok.error()), "publish"));
  }
  // One that had no ports may have ended since, and lacks nothing.
  if (is_first)
    static_cast<void>(proxy_->list());
  for (auto& x : entries) {
    if (x.where == place::nowhere)
      continue;
    x.where = place::proxy;
    x.socket.reset();
  }
  return {};
}

result<void> port_book::finish_publish(const endpoint_id& owner) {
  settle();
  auto account = accounts_.find(owner);
  if (account == accounts_.end())
    return {};
  auto& entries = account->second.entries;
  const auto fresh
    = std::span{std::ranges::find(entries, true, &entry::fresh), entries.end()};
  const auto is_here = [](const entry& x) {
    return x.where == place::here;
  };
  if (std::ranges::any_of(fresh, is_here))
    if (auto ok = hand_over(fresh); !ok) {
      withdraw(fresh, place::proxy);
      give_back(fresh);
      std::erase_if(entries, std::mem_fn(&entry::fresh));
      if (entries.empty())
        accounts_.erase(account);
      return ok;
    }
  for (auto& x : fresh)
    x.fresh = false;
  return {};
}

result<void> port_book::take_from_proxy(std::span<const entry> entries) {
  auto ports = std::vector<proxy_port>{};
  for (const auto& x : entries)
    // What was sent may have arrived.
    if (x.where == place::proxy || (x.fresh && x.where == place::here))
      ports.push_back(port_of(x.binding, x.target));
  if (!proxy_ || ports.empty())
    return {};
  if (auto ok = proxy_->remove(ports); !ok)
    return fail(with_context(std::move(ok.error()), "release ports"));
  return {};
}

result<void> port_book::release(const endpoint_id& owner) {
  settle();
  auto i = accounts_.find(owner);
  if (i == accounts_.end())
    return {};
  auto done = take_from_proxy(i->second.entries);
  give_back(i->second.entries);
  accounts_.erase(i);
  return done;
}

result<void> port_book::release(const endpoint_id& owner,
                                std::span<const port_binding> bindings) {
  settle();
  auto account = accounts_.find(owner);
  auto wanted
    = std::set<port_binding, binding_less>{bindings.begin(), bindings.end()};
  auto leaving = std::vector<entry>{};
  if (account != accounts_.end())
    for (const auto& x : account->second.entries)
      if (wanted.erase(x.binding) > 0)
        leaving.push_back(x);
  if (!wanted.empty())
    return fail(ec::not_found, "unpublish " + to_string(*wanted.begin())
                                 + ": it is not published");
  if (leaving.empty())
    return {};
  auto done = take_from_proxy(leaving);
  give_back(leaving);
  wanted.insert(bindings.begin(), bindings.end());
  auto& entries = account->second.entries;
  std::erase_if(entries, [&](const entry& x) {
    return wanted.contains(x.binding);
  });
  if (done)
    part(entries, leaving);
  if (entries.empty())
    accounts_.erase(account);
  return done;
}

/// The other halves of shared sockets get some of their own. If that fails, the
/// next repair tries again.
void port_book::part(std::vector<entry>& entries,
                     std::span<const entry> leaving) {
  auto parted = std::set<std::pair<protocol, uint16_t>>{};
  for (const auto& x : leaving)
    if (x.shared)
      parted.emplace(x.binding.proto, x.binding.host_port);
  for (auto& x : entries)
    if (x.shared && parted.contains({x.binding.proto, x.binding.host_port}))
      static_cast<void>(repair_entry(x, {}));
}

// -- after a restart ----------------------------------------------------------

result<void> port_book::restore(const publisher& owner,
                                std::span<const port_binding> bindings) {
  settle();
  auto taken = std::vector<entry>{};
  auto undo = [&](error why) {
    give_back(taken);
    return fail(std::move(why));
  };
  for (const auto& binding : bindings) {
    auto resumed = resume(owner, binding);
    if (!resumed)
      return undo(std::move(resumed.error()));
    if (binding.host_port != 0)
      allocator_.claim({&binding.host_ip, 1}, binding.proto,
                       {binding.host_port, binding.host_port},
                       binding.host_port, label_of(owner));
    taken.push_back(std::move(*resumed));
  }
  if (auto ok = hand_over(taken); !ok)
    return undo(std::move(ok.error()));
  for (const auto& x : taken)
    left_over_.erase(port_of(x.binding, x.target));
  enter(owner, std::move(taken));
  return {};
}

std::vector<refused_port>
port_book::restore_possible(const publisher& owner,
                            std::span<const port_binding> bindings) {
  auto refused = std::vector<refused_port>{};
  if (restore(owner, bindings))
    return refused;
  for (const auto& x : bindings)
    if (auto ok = restore(owner, {&x, 1}); !ok)
      refused.push_back({x, std::move(ok.error())});
  return refused;
}

result<port_book::entry>
port_book::resume(const publisher& owner, const port_binding& binding) {
  if (binding.host_port == 0)
    return entry{binding, {}, place::nowhere, {}};
  if (const auto* other
      = allocator_.holder(binding.proto, binding.host_ip, binding.host_port))
    return fail(ec::conflict, "publish " + to_string(binding)
                                + ": the port is already published by "
                                + *other);
  auto target = proxy_target(binding, {owner.ipv4, owner.ipv6});
  if (const auto* found = find_port(left_over_, port_of(binding, target)))
    return entry{binding, target, place::proxy, {}, found->shared};
  return hold(owner, binding);
}

result<void> port_book::finish_restore() {
  settle();
  auto parted = false;
  if (auto ok = close_strays(left_over_, parted); !ok)
    return ok;
  left_over_.clear();
  restoring_ = false;
  return parted ? repair() : result<void>{};
}

/// @param parted Set if a shared socket was closed: its other half has none.
result<void>
port_book::close_strays(const netns::port_set& strays, bool& parted) {
  if (strays.empty())
    return {};
  auto done = proxy_->remove(std::vector(strays.begin(), strays.end()));
  parted = done && std::ranges::any_of(strays, &proxy_port::shared);
  return done;
}

bool port_book::needs_proxy() const {
  return proxy_ && std::ranges::any_of(accounts_, [](const auto& account) {
           return std::ranges::any_of(account.second.entries,
                                      [](const entry& x) {
                                        return x.where == place::proxy;
                                      });
         });
}

bool port_book::has_lost_ports() const {
  return std::ranges::any_of(accounts_, [](const auto& account) {
    return std::ranges::any_of(account.second.entries, [](const entry& x) {
      return !x.problem.empty();
    });
  });
}

std::string port_book::look_after_proxy() {
  if (!needs_proxy())
    return {};
  auto found = std::string{};
  switch (proxy_->health()) {
  case netns::proxy_health::absent:
    static_cast<void>(repair());
    return "troupe-proxy was gone";
  case netns::proxy_health::stopped:
    if (auto done = proxy_->wake(); !done)
      return {}; // `problems` tells.
    return "troupe-proxy was stopped";
  default:
    if (has_lost_ports())
      static_cast<void>(repair());
    return {};
  }
}

std::vector<std::string> port_book::problems() {
  auto result = std::vector<std::string>{};
  if (needs_proxy()) {
    const auto health = proxy_->health();
    if (health == netns::proxy_health::absent)
      result.emplace_back("troupe-proxy is gone: nobody holds or serves the "
                          "published ports");
    if (health == netns::proxy_health::stopped)
      result.emplace_back("troupe-proxy is stopped: it holds the published "
                          "ports and serves none");
  }
  for (const auto& [owner, account] : accounts_) {
    auto told = std::vector<told_port>{};
    for (const auto& x : account.entries)
      if (!x.problem.empty())
        told.push_back({x.binding, reason_of(x.problem)});
    for (const auto& x : in_runs(std::move(told)))
      result.push_back("endpoint " + account.who.name + ": publish "
                       + to_string(x.binding) + ": " + x.reason);
  }
  return result;
}

result<void> port_book::repair() {
  auto parted = false;
  auto done = repair_once(parted);
  if (done && parted)
    done = repair_once(parted);
  return done;
}

/// @param parted As of `close_strays`.
result<void> port_book::repair_once(bool& parted) {
  auto limits = sockets_->limits();
  allocator_.set_automatic({limits.first, limits.last}, limits.reserved);
  if (!proxy_)
    return {};
  settle();
  auto list = proxy_->list();
  if (!list)
    return fail(std::move(list.error()));
  const auto present = port_set{list->begin(), list->end()};
  auto strays = present;
  auto first = result<void>{};
  for (auto& [id, account] : accounts_) {
    for (auto& x : account.entries) {
      if (x.where == place::nowhere)
        continue;
      strays.erase(port_of(x.binding, x.target));
      auto ok = repair_entry(x, present);
      x.problem = ok ? std::string{} : ok.error().message;
      if (!ok && first)
        first = std::move(ok);
    }
  }
  if (!restoring_)
    if (auto ok = close_strays(strays, parted); !ok && first)
      first = std::move(ok);
  return first;
}

result<void> port_book::repair_entry(entry& x, const port_set& present) {
  auto wanted = port_of(x.binding, x.target, x.shared);
  const auto* found = find_port(present, wanted);
  if (found != nullptr && *found == wanted)
    return {};
  if (found == nullptr && !x.socket) {
    auto socket
      = sockets_->hold(x.binding.proto, x.binding.host_ip, x.binding.host_port);
    if (!socket)
      return fail(explain(std::move(socket.error()), x.binding));
    x.socket = std::move(*socket);
    x.where = place::here;
    x.shared = false;
  }
  return hand_over({&x, 1});
}

} // namespace troupe::drivers
