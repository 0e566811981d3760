#include "troupe/netns/ports/simulated_ports.hpp"

#include <algorithm>
#include <utility>

namespace troupe::netns {

namespace {

bool collide(const ip_address& a, const ip_address& b) {
  return a.family() == b.family()
         && (a == b || a.is_unspecified() || b.is_unspecified());
}

auto same(const proxy_port& wanted) {
  return [&wanted](const auto& x) {
    return same_socket(x.first, wanted);
  };
}

} // namespace

class simulated_held_port : public held_port {
public:
  simulated_held_port(simulated_ports& world,
                      std::vector<simulated_ports::place> where)
    : world_{&world}, where_{std::move(where)} {
  }
  simulated_held_port(const simulated_held_port&) = delete;
  simulated_held_port& operator=(const simulated_held_port&) = delete;

  ~simulated_held_port() override {
    for (const auto& x : where_)
      world_->taken_.erase(x);
  }

  int descriptor() const override {
    return -1;
  }

private:
  simulated_ports* world_;
  std::vector<simulated_ports::place> where_;
};

class simulated_sockets : public port_sockets {
public:
  explicit simulated_sockets(simulated_ports& world) : world_{&world} {
  }

  result<std::shared_ptr<held_port>>
  hold(protocol proto, const ip_address& address, uint16_t port,
       bool) override {
    return world_->hold({{proto, port, address}});
  }

  result<std::shared_ptr<held_port>>
  hold_both(protocol proto, uint16_t port, bool) override {
    return world_->hold(
      {{proto, port, ip_address::from_number(ip_family::v6, 0)},
       {proto, port, ip_address{}}});
  }

  bool has_family(ip_family family) override {
    return family == ip_family::v4 || world_->has_ipv6;
  }

  port_limits limits() override {
    return world_->limits;
  }

  std::optional<port_user>
  user_of(protocol proto, const ip_address& address, uint16_t port) override {
    const auto* other = world_->in_the_way({proto, port, address});
    if (other == nullptr)
      return std::nullopt;
    return world_->taken_.at(*other);
  }

private:
  simulated_ports* world_;
};

class simulated_proxy : public port_proxy {
public:
  explicit simulated_proxy(simulated_ports& world) : world_{&world} {
  }

  proxy_health health() override {
    if (world_->stopped_)
      return proxy_health::stopped;
    return world_->served_.empty() ? proxy_health::absent : proxy_health::well;
  }

  result<void> wake() override {
    world_->stopped_ = false;
    return {};
  }

  result<std::vector<proxy_port>> list() override {
    if (auto ok = expect_nothing_begun(); !ok)
      return fail(std::move(ok.error()));
    if (auto fault = world_->ask(simulated_ports::call::list);
        fault.os_error != 0)
      return fail(os_failure(fault.os_error, "ask the proxy"));
    return world_->served();
  }

  result<void>
  add(std::span<const proxy_port> ports,
      std::span<const std::shared_ptr<held_port>> sockets) override {
    if (auto ok = expect_nothing_begun(); !ok)
      return fail(std::move(ok.error()));
    auto fault = world_->ask(simulated_ports::call::add);
    if (fault.os_error != 0 && !fault.done_though)
      return fail(os_failure(fault.os_error, "tell the proxy"));
    auto& served = world_->served_;
    for (size_t i = 0; i < ports.size(); ++i)
      if (!sockets[i] && !(ports[i].shared && i > 0 && sockets[i - 1])
          && std::none_of(served.begin(), served.end(), same(ports[i])))
        return fail(ec::not_found, "tell the proxy: it lacks the port");
    for (size_t i = 0; i < ports.size(); ++i) {
      auto present = std::find_if(served.begin(), served.end(), same(ports[i]));
      if (present != served.end())
        present->first = ports[i];
      else
        served.emplace_back(ports[i], sockets[i]);
    }
    if (fault.os_error != 0)
      return fail(os_failure(fault.os_error, "tell the proxy"));
    return {};
  }

  bool begin_add(std::span<const proxy_port> ports,
                 std::span<const std::shared_ptr<held_port>> sockets) override {
    begun_.push_back(
      {{ports.begin(), ports.end()}, {sockets.begin(), sockets.end()}});
    return true;
  }

  result<void> finish_add() override {
    auto result = troupe::result<void>{};
    for (const auto& x : std::exchange(begun_, {}))
      if (auto done = add(x.ports, x.sockets); !done && result)
        result = std::move(done);
    return result;
  }

  result<void> remove(std::span<const proxy_port> ports) override {
    if (auto ok = expect_nothing_begun(); !ok)
      return fail(std::move(ok.error()));
    auto fault = world_->ask(simulated_ports::call::remove);
    if (fault.os_error == 0 || fault.done_though)
      for (const auto& port : ports)
        world_->drop(port);
    if (fault.os_error != 0)
      return fail(os_failure(fault.os_error, "tell the proxy"));
    return {};
  }

private:
  struct parcel {
    std::vector<proxy_port> ports;
    std::vector<std::shared_ptr<held_port>> sockets;
  };

  // The next answer would be that of another question.
  result<void> expect_nothing_begun() const {
    if (begun_.empty())
      return {};
    return fail(os_failure(EPROTO, "ask the proxy"));
  }

  simulated_ports* world_;
  std::vector<parcel> begun_;
};

void simulated_ports::occupy(protocol proto, const ip_address& address,
                             uint16_t port, port_user who) {
  taken_.insert_or_assign(place{proto, port, address}, std::move(who));
}

void simulated_ports::vacate(protocol proto, const ip_address& address,
                             uint16_t port) {
  taken_.erase({proto, port, address});
}

result<std::shared_ptr<held_port>>
simulated_ports::hold(std::vector<place> wanted) {
  auto number = ask(call::hold).os_error;
  for (const auto& where : wanted) {
    const auto& [proto, port, address] = where;
    auto is_here = address.is_unspecified() || address.is_loopback()
                   || addresses.contains(address);
    if (number == 0 && address.is_v6() && !has_ipv6)
      number = EAFNOSUPPORT;
    else if (number == 0 && proto == protocol::sctp && !has_sctp)
      number = EPROTONOSUPPORT;
    else if (number == 0 && !is_here)
      number = EADDRNOTAVAIL;
    else if (number == 0 && in_the_way(where) != nullptr)
      number = EADDRINUSE;
  }
  if (number != 0)
    return fail(os_failure(number, "bind"));
  for (const auto& where : wanted)
    taken_.emplace(where, port_user{});
  return std::make_shared<simulated_held_port>(*this, std::move(wanted));
}

/// A shared socket goes with the first of the two that have it.
void simulated_ports::drop(const proxy_port& gone) {
  auto found = std::ranges::find_if(served_, same(gone));
  if (found == served_.end())
    return;
  const auto parts = found->first.shared;
  std::erase_if(served_, [&](const auto& x) {
    return same_socket(x.first, gone)
           || (parts && x.first.shared && x.first.proto == gone.proto
               && x.first.host_port == gone.host_port);
  });
}

void simulated_ports::kill_proxy() {
  stopped_ = false;
  served_.clear();
}

std::vector<std::string> simulated_ports::held() const {
  auto result = std::vector<std::string>{};
  for (const auto& [where, who] : taken_) {
    const auto& [proto, port, address] = where;
    if (who.name.empty())
      result.push_back(host_text(address, port) + "/" + to_string(proto));
  }
  return result;
}

std::vector<proxy_port> simulated_ports::served() const {
  auto result = std::vector<proxy_port>{};
  for (const auto& [port, socket] : served_)
    result.push_back(port);
  return result;
}

std::unique_ptr<port_sockets> simulated_ports::make_sockets() {
  return std::make_unique<simulated_sockets>(*this);
}

std::unique_ptr<port_proxy> simulated_ports::make_proxy() {
  return std::make_unique<simulated_proxy>(*this);
}

simulated_ports::fault simulated_ports::ask(call what) const {
  return on_call ? on_call(what) : fault{};
}

const simulated_ports::place*
simulated_ports::in_the_way(const place& wanted) const {
  const auto& [proto, port, address] = wanted;
  auto i = taken_.lower_bound({proto, port, ip_address{}});
  for (; i != taken_.end() && std::get<0>(i->first) == proto
         && std::get<1>(i->first) == port;
       ++i)
    if (collide(std::get<2>(i->first), address))
      return &i->first;
  return nullptr;
}

} // namespace troupe::netns
