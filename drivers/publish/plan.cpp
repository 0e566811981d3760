#include "troupe/drivers/publish/plan.hpp"

#include <algorithm>
#include <tuple>

namespace troupe::drivers {

namespace {

const ip_address any_v4{};

ip_address any_v6() {
  return ip_address::from_number(ip_family::v6, 0);
}

// One container port at one host address, or in routed mode at none.
struct single {
  protocol proto = protocol::tcp;
  uint16_t port = 0;
  port_range host;
  ip_address address;
  bool routed = false;
};

// What one wish means for the one container port that it is now about.
class wish_reader {
public:
  wish_reader(const port_targets& targets, const publish_options& options)
    : targets_{targets}, options_{options} {
    if (options.default_address)
      default_ = *options.default_address;
  }

  void read(const port_spec& wish, uint16_t offset, std::vector<single>& out) {
    auto base = single{};
    base.proto = wish.proto;
    base.port = static_cast<uint16_t>(wish.port + offset);
    if (wish.last_port() == wish.port) {
      base.host = {wish.host_port, wish.last_host_port()};
    } else if (wish.host_port != 0) {
      auto host = static_cast<uint16_t>(wish.host_port + offset);
      base.host = {host, host};
    }
    if (auto address = host_v4(wish))
      add(base, *address, options_.mode_v4, out);
    if (auto address = host_v6(wish))
      add(base, *address, mode_at_v6(), out);
  }

private:
  static void add(single base, const ip_address& address, publish_mode mode,
                  std::vector<single>& out) {
    if (mode == publish_mode::none)
      return;
    base.address = address;
    base.routed = mode == publish_mode::routed;
    if (base.routed) {
      base.host = {};
      base.address = address.is_v4() ? any_v4 : any_v6();
    }
    out.push_back(base);
  }

  // Through the proxy it is the IPv4 side that counts.
  publish_mode mode_at_v6() const {
    return targets_.ipv6 ? options_.mode_v6 : options_.mode_v4;
  }

  std::optional<ip_address> host_v4(const port_spec& wish) const {
    if (!targets_.ipv4)
      return std::nullopt;
    auto address = wish.host_ip.value_or(default_);
    return address.is_v4() ? std::optional{address} : std::nullopt;
  }

  bool leads_from_v6() const {
    if (targets_.ipv6)
      return true;
    return targets_.ipv4 && options_.proxy && options_.six_to_four
           && options_.mode_v4 == publish_mode::nat;
  }

  std::optional<ip_address> host_v6(const port_spec& wish) const {
    if (!leads_from_v6())
      return std::nullopt;
    auto address = wish.host_ip.value_or(default_);
    if (address.is_v6())
      return address;
    // All addresses of the host, of which the IPv6 ones are some.
    auto everywhere = !wish.host_ip && address.is_unspecified();
    auto routed = targets_.ipv6 && options_.mode_v6 == publish_mode::routed;
    if (everywhere && (options_.host_ipv6 || routed))
      return any_v6();
    return std::nullopt;
  }

  const port_targets& targets_;
  const publish_options& options_;
  ip_address default_;
};

// Exact ports, then small ranges, then large ones, then automatic ports.
auto order_of(const single& x) {
  auto automatic = x.host.is_automatic();
  auto span = x.host.last - x.host.first;
  return std::tuple{automatic, span,         x.port,
                    x.proto,   x.host.first, x.host.last};
}

bool collide(const port_group& group, const ip_address& address) {
  return std::any_of(group.addresses.begin(), group.addresses.end(),
                     [&](const ip_address& x) {
                       return x.family() == address.family()
                              && (x == address || x.is_unspecified()
                                  || address.is_unspecified());
                     });
}

bool belongs(const port_group& group, const single& x) {
  return group.proto == x.proto && group.port == x.port && group.host == x.host
         && !collide(group, x.address);
}

std::vector<port_group> group(std::vector<single> xs) {
  std::stable_sort(xs.begin(), xs.end(), [](const auto& a, const auto& b) {
    return order_of(a) < order_of(b);
  });
  auto result = std::vector<port_group>{};
  for (const auto& x : xs) {
    if (result.empty() || !belongs(result.back(), x))
      result.push_back({x.proto, x.port, x.host, {}});
    result.back().addresses.push_back(x.address);
  }
  return result;
}

// Why nothing came of a wish, if it should have.
result<void> check_outcome(const port_spec& wish, const port_targets& targets,
                           const publish_options& options) {
  auto refuse = [&](std::string reason, std::string hint = {}) {
    return fail(ec::invalid_argument,
                "publish " + to_string(wish) + ": " + reason, std::move(hint));
  };
  if (options.mode_v4 == publish_mode::none
      && options.mode_v6 == publish_mode::none)
    return refuse("the network publishes nothing");
  if (!targets.ipv4 && !targets.ipv6)
    return refuse("the endpoint has no address");
  auto address = wish.host_ip ? wish.host_ip : options.default_address;
  if (address && address->is_v4() && !targets.ipv4)
    return refuse("nothing leads from an IPv4 host address to an endpoint "
                  "without IPv4");
  if (address && address->is_v6() && !targets.ipv6)
    return refuse("nothing leads from an IPv6 host address to an endpoint "
                  "without IPv6",
                  "turn IPv6 on in the network, or publish at an IPv4 address");
  return refuse("the network publishes nothing in that family");
}

} // namespace

publish_options
publish_options_of(const driver& how, const network_spec& network) {
  auto result = publish_options{};
  result.mode_v4 = how.publishing(network, ip_family::v4);
  result.mode_v6 = how.publishing(network, ip_family::v6);
  result.default_address = how.publish_address(network);
  return result;
}

std::vector<ip_address>
default_addresses(const port_targets& targets, const publish_options& options) {
  auto any_port = port_spec{};
  any_port.port = 1;
  auto singles = std::vector<single>{};
  wish_reader{targets, options}.read(any_port, 0, singles);
  auto result = std::vector<ip_address>{};
  for (const auto& x : singles)
    result.push_back(x.address);
  return result;
}

result<publish_plan>
plan_ports(std::span<const port_spec> wishes, const port_targets& targets,
           const publish_options& options) {
  auto reader = wish_reader{targets, options};
  auto singles = std::vector<single>{};
  auto total = size_t{0};
  for (const auto& wish : wishes) {
    if (auto ok = check_port(wish); !ok)
      return fail(std::move(ok.error()));
    auto count = size_t{1} + wish.last_port() - wish.port;
    total += count;
    if (total > max_published_ports)
      return fail(ec::invalid_argument, "publish " + to_string(wish)
                                          + ": more than "
                                          + std::to_string(max_published_ports)
                                          + " ports in one request");
    auto before = singles.size();
    for (size_t i = 0; i < count; ++i)
      reader.read(wish, static_cast<uint16_t>(i), singles);
    if (singles.size() == before)
      if (auto ok = check_outcome(wish, targets, options); !ok)
        return fail(std::move(ok.error()));
  }
  auto result = publish_plan{};
  for (const auto& x : singles)
    if (x.routed)
      result.routed.push_back({x.proto, x.port, x.address, 0});
  sort_bindings(result.routed);
  auto twice = std::unique(result.routed.begin(), result.routed.end());
  result.routed.erase(twice, result.routed.end());
  std::erase_if(singles, [](const auto& x) {
    return x.routed;
  });
  result.groups = group(std::move(singles));
  return result;
}

std::vector<port_spec> with_exposed(std::vector<port_spec> wishes,
                                    std::span<const exposed_port> exposed) {
  auto is_named = [&](const exposed_port& x) {
    return std::any_of(wishes.begin(), wishes.end(), [&](const auto& wish) {
      return wish.proto == x.proto && wish.port <= x.port
             && x.port <= wish.last_port();
    });
  };
  for (const auto& x : exposed) {
    if (is_named(x))
      continue;
    auto wish = port_spec{};
    wish.proto = x.proto;
    wish.port = x.port;
    wishes.push_back(wish);
  }
  return wishes;
}

std::optional<ip_address>
proxy_target(const port_binding& binding, const port_targets& targets) {
  const auto& host = binding.host_ip;
  if (binding.host_port == 0)
    return std::nullopt;
  const auto& same = host.is_v4() ? targets.ipv4 : targets.ipv6;
  if (!same)
    return host.is_v6() ? targets.ipv4 : std::nullopt;
  // Of what comes to other addresses the firewall leaves it some: what the host
  // sends from a loopback address, above all.
  return same;
}

} // namespace troupe::drivers
