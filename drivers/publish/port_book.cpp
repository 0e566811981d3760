#include "troupe/drivers/publish/port_book.hpp"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <iterator>

namespace troupe::drivers {

namespace {

// A busy host must not make one request walk through every port.
constexpr unsigned max_attempts = 2'048;

// Of many ports the proxy gets the first ones while others are bound.
constexpr size_t parcel_size = 32;

port_targets targets_of(const publisher& x) {
  return {x.ipv4, x.ipv6};
}

std::string text_of(protocol proto, const ip_address& address, uint16_t port) {
  return "publish " + host_text(address, port) + "/" + to_string(proto);
}

std::string text_of(const netns::port_user& x) {
  if (x.name.empty())
    return "a process that could not be found";
  return "process " + quoted(x.name) + " (pid " + std::to_string(x.pid) + ")";
}

} // namespace

std::string label_of(const publisher& x) {
  return "endpoint " + quoted(x.name) + " (" + x.id.brief() + ")";
}

port_book::port_book(std::unique_ptr<netns::port_sockets> sockets,
                     std::unique_ptr<netns::port_proxy> proxy)
  : sockets_{std::move(sockets)}, proxy_{std::move(proxy)} {
  auto limits = sockets_->limits();
  allocator_ = {{limits.first, limits.last}, limits.reserved};
}

result<void> port_book::start() {
  if (!proxy_)
    return {};
  auto present = proxy_->list();
  if (!present)
    return fail(std::move(present.error()));
  left_over_ = {present->begin(), present->end()};
  restoring_ = true;
  return {};
}

// -- taking -------------------------------------------------------------------

result<std::vector<port_binding>>
port_book::publish(const publisher& owner, std::span<const port_spec> wishes,
                   const publish_options& options) {
  auto bindings = begin_publish(owner, wishes, options);
  if (bindings)
    if (auto ok = finish_publish(owner.id); !ok)
      return fail(std::move(ok.error()));
  return bindings;
}

result<std::vector<port_binding>>
port_book::begin_publish(const publisher& owner,
                         std::span<const port_spec> wishes,
                         const publish_options& options) {
  auto effective = options;
  effective.proxy = options.proxy && proxy_ != nullptr;
  effective.host_ipv6 = sockets_->has_family(ip_family::v6);
  auto plan = plan_ports(wishes, targets_of(owner), effective);
  if (!plan)
    return fail(std::move(plan.error()));
  if (auto ok = check_room(plan->groups); !ok)
    return fail(std::move(ok.error()));
  auto taken = std::vector<entry>{};
  auto sent = size_t{0};
  for (const auto& group : plan->groups) {
    auto ok = hold_group(owner, group, taken);
    if (!ok) {
      settle();
      withdraw(taken, place::sent);
      give_back(taken);
      return fail(std::move(ok.error()));
    }
    if (taken.size() - sent >= parcel_size) {
      send(std::span{taken}.subspan(sent));
      sent = taken.size();
    }
  }
  send(std::span{taken}.subspan(sent));
  for (const auto& binding : plan->routed)
    taken.push_back({binding, {}, place::nowhere, {}});
  auto result = std::vector<port_binding>{};
  result.reserve(taken.size());
  for (auto& x : taken) {
    x.fresh = true;
    result.push_back(x.binding);
  }
  sort_bindings(result);
  if (proxy_)
    on_their_way_.push_back(owner.id);
  enter(owner, std::move(taken));
  return result;
}

/// A range that cannot be held is refused at once, not after thousands of
/// sockets. What else the proxy has open may still be too much.
result<void> port_book::check_room(std::span<const port_group> groups) const {
  constexpr auto few = size_t{256};
  const auto wanted = groups.size();
  if (wanted < few)
    return {};
  const auto limits = sockets_->limits();
  const auto automatic = std::ranges::count_if(groups, [](const auto& x) {
    return x.host.is_automatic();
  });
  if (automatic > limits.last - limits.first + 1)
    return fail(ec::unavailable,
                "publish " + std::to_string(automatic)
                  + " ports at automatic host ports: there are "
                  + std::to_string(limits.last - limits.first + 1),
                "give host ports, or widen net.ipv4.ip_local_port_range");
  auto held = size_t{0};
  for (const auto& [id, account] : accounts_)
    held += static_cast<size_t>(
      std::ranges::count_if(account.entries, [](const entry& x) {
        // Of two that share a socket one has it.
        return x.where != place::nowhere
               && !(x.shared && x.binding.host_ip.is_v4());
      }));
  if (held + wanted + few <= limits.descriptors)
    return {};
  return fail(ec::unavailable,
              "publish " + std::to_string(wanted)
                + " ports: each needs an open file, of which a process may "
                  "have "
                + std::to_string(limits.descriptors),
              "publish fewer, or raise the limit (LimitNOFILE of the service)");
}

result<void>
port_book::hold_group(const publisher& owner, const port_group& group,
                      std::vector<entry>& taken) {
  auto search = allocator_.find(group.addresses, group.proto, group.host);
  auto last = std::optional<error>{};
  for (auto attempt = 0U; attempt < max_attempts; ++attempt) {
    auto port = search.next();
    if (!port)
      break;
    auto held = hold_at(owner, group, *port);
    if (held) {
      allocator_.claim(group.addresses, group.proto, group.host, *port,
                       label_of(owner));
      std::move(held->begin(), held->end(), std::back_inserter(taken));
      return {};
    }
    last = std::move(held.error());
    // Another number may be free; nothing else changes with the number.
    if (last->os_error != EADDRINUSE || group.host.is_single())
      return fail(std::move(*last));
  }
  return fail(exhausted(owner, group, last));
}

error port_book::exhausted(const publisher& owner, const port_group& group,
                           const std::optional<error>& last) {
  auto range = group.host;
  auto what
    = "publish " + std::to_string(group.port) + "/" + to_string(group.proto);
  if (range.is_automatic())
    return {ec::unavailable, what + ": no automatic port is free",
            "widen net.ipv4.ip_local_port_range or give a host port", 0};
  // With a range, the last one's owner stands for all.
  for (const auto& address : group.addresses) {
    const auto* other = allocator_.holder(group.proto, address, range.last);
    if (other == nullptr)
      continue;
    auto one = text_of(group.proto, address, range.last)
               + (*other == label_of(owner)
                    ? ": this endpoint publishes it already, or it is given "
                      "twice"
                    : ": the port is already published by " + *other);
    if (range.is_single())
      return {ec::conflict, std::move(one), {}, 0};
    return {ec::conflict,
            what + ": all host ports from " + std::to_string(range.first)
              + " to " + std::to_string(range.last) + " are taken; " + one,
            {},
            0};
  }
  return {ec::conflict,
          what + ": all host ports from " + std::to_string(range.first) + " to "
            + std::to_string(range.last) + " are taken"
            + (last ? "; " + last->message : ""),
          {},
          0};
}

result<std::vector<port_book::entry>>
port_book::hold_at(const publisher& owner, const port_group& group,
                   uint16_t port) {
  if (auto both = hold_both(owner, group, port))
    return std::move(*both);
  auto result = std::vector<entry>{};
  for (const auto& address : group.addresses) {
    auto held = hold(owner, {group.proto, group.port, address, port});
    if (!held)
      return fail(std::move(held.error()));
    result.push_back(std::move(*held));
  }
  return result;
}

/// One socket for `0.0.0.0` and `::`, as nearly every port has them. Empty if
/// that is not it or cannot be: each address by itself tells why.
std::optional<std::vector<port_book::entry>>
port_book::hold_both(const publisher& owner, const port_group& group,
                     uint16_t port) {
  const auto everywhere
    = std::ranges::all_of(group.addresses, [](const auto& x) {
        return x.is_unspecified();
      });
  if (!proxy_ || !everywhere || group.addresses.size() != 2
      || group.proto == protocol::sctp)
    return std::nullopt;
  auto socket = sockets_->hold_both(group.proto, port, false);
  if (!socket)
    return std::nullopt;
  auto result = std::vector<entry>{};
  for (const auto& address : group.addresses) {
    auto x
      = entry{{group.proto, group.port, address, port}, {}, place::here, {}};
    x.target = proxy_target(x.binding, targets_of(owner));
    x.shared = true;
    if (address.is_v6())
      x.socket = *socket;
    result.push_back(std::move(x));
  }
  // In the order that the proxy wants.
  std::ranges::sort(result, std::greater{}, [](const auto& x) {
    return x.binding.host_ip.is_v6();
  });
  return result;
}

result<port_book::entry>
port_book::hold(const publisher& owner, const port_binding& binding) {
  auto target = proxy_target(binding, targets_of(owner));
  auto silent = !target || !proxy_;
  auto socket
    = sockets_->hold(binding.proto, binding.host_ip, binding.host_port, silent);
  if (socket)
    return entry{binding, target, place::here, std::move(*socket)};
  // Rules lead packets to the container without a socket as well.
  const auto& address = binding.host_ip;
  auto has_rules = !address.is_loopback()
                   && (address.is_v4() ? owner.ipv4 : owner.ipv6).has_value();
  if (socket.error().os_error == EPROTONOSUPPORT && has_rules)
    return entry{binding, {}, place::nowhere, {}};
  return fail(explain(std::move(socket.error()), binding));
}

error port_book::explain(error why, const port_binding& binding) {
  auto what = text_of(binding.proto, binding.host_ip, binding.host_port);
  switch (why.os_error) {
  case EADDRINUSE: {
    auto user
      = sockets_->user_of(binding.proto, binding.host_ip, binding.host_port);
    return {ec::conflict,
            what + ": the port is in use by "
              + text_of(user.value_or(netns::port_user{})),
            {},
            EADDRINUSE};
  }
  case EADDRNOTAVAIL:
    return {ec::invalid_argument,
            what + ": address " + to_string(binding.host_ip)
              + " is not on this host",
            "publish at an address that `ip address` shows", EADDRNOTAVAIL};
  case EPROTONOSUPPORT:
    return {ec::unsupported,
            what + ": this kernel has no " + to_string(binding.proto)
              + " sockets, which loopback addresses need",
            {},
            EPROTONOSUPPORT};
  case EAFNOSUPPORT:
    return {
      ec::unsupported, what + ": this host has no IPv6", {}, EAFNOSUPPORT};
  default:
    return with_context(std::move(why), what);
  }
}

void port_book::give_back(std::span<const entry> entries) {
  for (const auto& x : entries)
    if (x.binding.host_port != 0)
      allocator_.give_back(x.binding.proto, x.binding.host_ip,
                           x.binding.host_port);
}

void port_book::enter(const publisher& owner, std::vector<entry> entries) {
  if (entries.empty())
    return;
  auto& account = accounts_[owner.id];
  account.who = owner;
  std::move(entries.begin(), entries.end(),
            std::back_inserter(account.entries));
}

// -- looking ------------------------------------------------------------------

std::vector<port_binding> port_book::bindings(const endpoint_id& owner) const {
  auto result = std::vector<port_binding>{};
  auto i = accounts_.find(owner);
  if (i == accounts_.end())
    return result;
  for (const auto& x : i->second.entries)
    result.push_back(x.binding);
  sort_bindings(result);
  return result;
}

std::map<endpoint_id, std::vector<port_binding>> port_book::bindings() const {
  auto result = std::map<endpoint_id, std::vector<port_binding>>{};
  for (const auto& [id, account] : accounts_)
    result.emplace(id, bindings(id));
  return result;
}

} // namespace troupe::drivers
