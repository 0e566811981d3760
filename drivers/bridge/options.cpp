#include "troupe/drivers/bridge/options.hpp"

#include "troupe/config/model/nearest.hpp"
#include "troupe/drivers/bridge/names.hpp"
#include "troupe/drivers/bridge/wanted.hpp"
#include "troupe/drivers/options.hpp"
#include "troupe/netns/names.hpp"

#include <algorithm>
#include <array>

namespace troupe::drivers {

namespace {

// One constant per label, so that the table and the reads cannot disagree.
constexpr std::string_view l_name = "com.docker.network.bridge.name";
constexpr std::string_view l_default
  = "com.docker.network.bridge.default_bridge";
constexpr std::string_view l_icc = "com.docker.network.bridge.enable_icc";
constexpr std::string_view l_masquerade
  = "com.docker.network.bridge.enable_ip_masquerade";
constexpr std::string_view l_binding
  = "com.docker.network.bridge.host_binding_ipv4";
constexpr std::string_view l_inhibit = "com.docker.network.bridge.inhibit_ipv4";
constexpr std::string_view l_mode_v4
  = "com.docker.network.bridge.gateway_mode_ipv4";
constexpr std::string_view l_mode_v6
  = "com.docker.network.bridge.gateway_mode_ipv6";
constexpr std::string_view l_trusted
  = "com.docker.network.bridge.trusted_host_interfaces";
constexpr std::string_view l_mtu = "com.docker.network.driver.mtu";
constexpr std::string_view l_prefix
  = "com.docker.network.container_iface_prefix";
constexpr std::string_view l_host_v4 = "com.docker.network.host_ipv4";
constexpr std::string_view l_host_v6 = "com.docker.network.host_ipv6";
constexpr std::string_view l_nmsgs = "com.docker.network.advertise_addr_nmsgs";
constexpr std::string_view l_msgs_ms = "com.docker.network.advertise_addr_ms";

// libnetwork has nothing like these.
constexpr std::string_view l_allowed = "troupe.allowed_networks";
constexpr std::string_view l_guard = "troupe.spoof_guard";
constexpr std::string_view l_users = "troupe.existing_bridge";

constexpr auto network_options = std::array{
  option_name{l_name, "name"},
  option_name{l_default, "default_bridge"},
  option_name{l_icc, "icc"},
  option_name{l_masquerade, "ip_masquerade"},
  option_name{l_binding, "host_binding_ipv4"},
  option_name{l_inhibit, "inhibit_ipv4"},
  option_name{l_mode_v4, "gateway_mode_ipv4"},
  option_name{l_mode_v6, "gateway_mode_ipv6"},
  option_name{l_trusted, "trusted_host_interfaces"},
  option_name{l_mtu, "mtu"},
  option_name{l_prefix, "iface_prefix"},
  option_name{l_host_v4, "host_ipv4"},
  option_name{l_host_v6, "host_ipv6"},
  option_name{l_nmsgs, "advertise_addr_nmsgs"},
  option_name{l_msgs_ms, "advertise_addr_ms"},
  option_name{l_allowed, "allowed_networks"},
  option_name{l_users, "existing_bridge"},
  option_name{l_guard, "spoof_guard"},
};

constexpr std::string_view brief_of(std::string_view label) {
  for (const auto& x : network_options)
    if (x.label == label)
      return x.brief;
  return {};
}

constexpr std::string_view l_ifname = "com.docker.network.endpoint.ifname";
constexpr std::string_view l_mac = "com.docker.network.endpoint.macaddress";
constexpr std::string_view l_exposed
  = "com.docker.network.endpoint.exposedports";
constexpr std::string_view l_portmap = "com.docker.network.portmap";
constexpr std::string_view l_dns = "com.docker.network.endpoint.dnsservers";
constexpr std::string_view l_sysctls = "com.docker.network.endpoint.sysctls";

constexpr auto endpoint_options = std::array{
  option_name{l_ifname, "ifname"},
  option_name{l_mac, "macaddress"},
  option_name{l_exposed, "exposedports"},
  option_name{l_portmap, "portmap"},
  option_name{l_dns, "dnsservers"},
  option_name{l_sysctls, "sysctls"},
  option_name{l_nmsgs, "advertise_addr_nmsgs"},
  option_name{l_msgs_ms, "advertise_addr_ms"},
};

// The smallest MTU of IPv4 and of IPv6, the largest of a veth.
constexpr uint32_t least_mtu = 68;
constexpr uint32_t least_mtu_v6 = 1280;
constexpr uint32_t most_mtu = 65535;

// Leaves room for three digits in a name of 15 bytes.
constexpr size_t longest_prefix = 12;

// A value must not be accepted and then have no effect.
void refuse_effect(option_reader& reader, std::string_view label,
                   std::string_view effect) {
  reader.refuse(ec::unsupported, label,
                std::string{"this version has no "} + std::string{effect},
                "leave the option out");
}

bool is_plain_name(std::string_view text) {
  auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  };
  // "all" and "default" are directories beside those of the interfaces.
  return netns::is_interface_name(text)
         && std::all_of(text.begin(), text.end(), is_plain) && text != "all"
         && text != "default" && text.front() != '-' && text.front() != '.';
}

void read_name(option_reader& reader, const network_spec& network,
               bridge_options& out) {
  out.name = reader.text(l_name).value_or("");
  if (out.name.empty() && reader.text(l_name))
    reader.refuse(ec::invalid_argument, l_name, "empty");
  else if (!out.name.empty() && !is_plain_name(out.name))
    reader.refuse(ec::invalid_argument, l_name,
                  "not 1 to 15 of the characters A-Z a-z 0-9 _ . -");
  else if (is_generated_name(out.name) && out.name != bridge_name(network.id))
    reader.refuse(ec::invalid_argument, l_name,
                  "has the form of a name made from an id",
                  "choose another name");
}

void read_mode(option_reader& reader, const network_spec& network,
               std::string_view label, gateway_mode& out) {
  struct row {
    std::string_view name;
    gateway_mode mode;
  };
  constexpr auto modes = std::array{
    row{"", gateway_mode::standard},
    row{"nat", gateway_mode::nat},
    row{"nat-unprotected", gateway_mode::nat_unprotected},
    row{"routed", gateway_mode::routed},
    row{"isolated", gateway_mode::isolated},
  };
  auto text = reader.text(label).value_or("");
  auto i = std::find_if(modes.begin(), modes.end(), [&](const row& x) {
    return x.name == text;
  });
  if (i == modes.end()) {
    reader.refuse(ec::invalid_argument, label,
                  "not nat, nat-unprotected, routed or isolated");
    return;
  }
  out = i->mode;
  if (out == gateway_mode::isolated && !network.internal)
    reader.refuse(ec::invalid_argument, label, "needs an internal network",
                  "add --internal");
  // libnetwork's default may be spelled out.
  if (network.internal
      && (out == gateway_mode::nat_unprotected || out == gateway_mode::routed))
    reader.refuse(ec::invalid_argument, label,
                  "an internal network has no gateway",
                  "leave the option or --internal out");
}

void read_source(option_reader& reader, std::string_view label,
                 ip_family family, std::optional<ip_address>& out) {
  if (!reader.text(label))
    return;
  auto address = ip_address{};
  reader.read(label, address);
  if (address.family() != family)
    reader.refuse(ec::invalid_argument, label,
                  family == ip_family::v4 ? "not an IPv4 address"
                                          : "not an IPv6 address");
  else if (address.is_unspecified() || address.is_multicast()
           || address.is_loopback())
    reader.refuse(ec::invalid_argument, label,
                  "not an address that packets can leave with");
  out = address;
}

// Names with colons between them, as libnetwork lists interfaces.
// Cuts at colons; empty parts stay, to be refused.
std::vector<std::string_view> split_names(std::string_view text) {
  auto result = std::vector<std::string_view>{};
  for (;;) {
    const auto name = text.substr(0, text.find(':'));
    result.push_back(name);
    if (name.size() == text.size())
      return result;
    text.remove_prefix(name.size() + 1);
  }
}

void read_names(option_reader& reader, const network_spec& network,
                std::string_view label, std::vector<std::string>& out) {
  auto text = reader.text(label).value_or("");
  if (text.empty())
    return;
  if (network.internal)
    reader.refuse(ec::invalid_argument, label,
                  "nothing reaches an internal network",
                  "leave the option or --internal out");
  for (auto name : split_names(text)) {
    if (!is_plain_name(name))
      reader.refuse(ec::invalid_argument, label,
                    "not interface names with colons between them");
    if (std::ranges::find(out, name) == out.end())
      out.emplace_back(name);
  }
}

void read_firewall(option_reader& reader, const network_spec& network,
                   bridge_options& out) {
  read_mode(reader, network, l_mode_v4, out.mode_v4);
  read_mode(reader, network, l_mode_v6, out.mode_v6);
  reader.read(l_masquerade, out.enable_ip_masquerade);
  read_source(reader, l_host_v4, ip_family::v4, out.host_ipv4);
  read_source(reader, l_host_v6, ip_family::v6, out.host_ipv6);
  read_names(reader, network, l_trusted, out.trusted_interfaces);
  read_names(reader, network, l_allowed, out.allowed_networks);
  reader.read(l_guard, out.spoof_guard);
  if (!reader.text(l_binding))
    return;
  auto binding = ip_address{};
  reader.read(l_binding, binding);
  if (!binding.is_v4() || binding.is_multicast())
    reader.refuse(ec::invalid_argument, l_binding,
                  "not an IPv4 address of a host");
  // libnetwork's default, which stands for both families.
  if (!binding.is_unspecified())
    out.host_binding_ipv4 = binding;
}

// The bounds are libnetwork's.
void read_announcements(option_reader& reader, announcements& out) {
  reader.read(l_nmsgs, out.count, 0, 3);
  reader.read(l_msgs_ms, out.interval_ms, 100, 2000);
}

} // namespace

result<void> resolve_allowed_networks(
  network_spec& network,
  std::span<const std::shared_ptr<const network_spec>> others) {
  auto names = std::vector<std::string_view>{};
  for (const auto& x : others)
    if (x->driver == "bridge")
      names.push_back(x->name);
  auto bridge_of = [&](std::string_view name) {
    for (const auto& x : others)
      if (x->driver == "bridge"
          && (x->name == name || x->id.value == name
              || network_bridge(*x) == name))
        return network_bridge(*x);
    return std::string{};
  };
  for (auto& [key, value] : network.options) {
    // An empty list is an option that was not given.
    if ((key != l_allowed && key != brief_of(l_allowed)) || value.empty())
      continue;
    auto resolved = std::string{};
    for (auto name : split_names(value)) {
      auto bridge = bridge_of(name);
      if (bridge.empty())
        return fail(ec::invalid_argument,
                    "option " + key + "=" + quoted(value) + ": " + quoted(name)
                      + " is no bridge network of ours",
                    names.empty() ? "other interfaces are let in by "
                                    "trusted_host_interfaces"
                                  : nearest_hint(name, names));
      resolved += (resolved.empty() ? "" : ":") + bridge;
    }
    value = std::move(resolved);
  }
  return {};
}

result<void> check_bridge_labels(const network_spec& network) {
  return check_option_labels(network.options, network_options);
}

void adopt_bridge_mtu(network_spec& network, uint32_t mtu_bytes) {
  auto given
    = option_reader{network.options, network_options}.text(l_mtu).value_or("0");
  auto least = network.enable_ipv6 ? least_mtu_v6 : least_mtu;
  auto usable = std::clamp(mtu_bytes, least, most_mtu);
  if (given == "0" && mtu_bytes != 0 && usable != bridge_options{}.mtu_bytes) {
    network.options.erase(std::string{brief_of(l_mtu)});
    network.options[std::string{l_mtu}] = std::to_string(usable);
  }
}

void adopt_user_bridge(network_spec& network) {
  network.options.erase(std::string{brief_of(l_users)});
  network.options[std::string{l_users}] = "true";
}

announcements endpoint_announcements(const network_spec& network,
                                     const endpoint_spec& endpoint) {
  auto out = parse_bridge_options(network).value_or(bridge_options{}).announce;
  auto reader = option_reader{endpoint.options, endpoint_options};
  read_announcements(reader, out);
  return out;
}

result<bridge_options> parse_bridge_options(const network_spec& network) {
  auto reader = option_reader{network.options, network_options};
  auto out = bridge_options{};
  read_name(reader, network, out);
  reader.read(l_icc, out.enable_icc);
  reader.read(l_inhibit, out.inhibit_ipv4);
  if (reader.text(l_mtu) != "0") // libnetwork's spelling of "not given".
    reader.read(l_mtu, out.mtu_bytes, least_mtu, most_mtu);
  if (network.enable_ipv6 && out.mtu_bytes < least_mtu_v6)
    reader.refuse(ec::invalid_argument, l_mtu, "IPv6 needs at least 1280");
  if (auto lead = reader.text(l_prefix)) {
    out.interface_prefix = *lead;
    if (!is_plain_name(*lead) || lead->size() > longest_prefix)
      reader.refuse(ec::invalid_argument, l_prefix,
                    "not 1 to 12 of the characters A-Z a-z 0-9 _ . -");
  }
  reader.read(l_users, out.is_users);
  read_firewall(reader, network, out);
  read_announcements(reader, out.announce);
  auto keep_bridge = false;
  reader.read(l_default, keep_bridge);
  if (keep_bridge)
    refuse_effect(reader, l_default, "default bridge");
  if (auto done = reader.verdict(); !done)
    return fail(done.error());
  return out;
}

result<void> check_bridge_endpoint_options(const endpoint_spec& endpoint) {
  auto reader = option_reader{endpoint.options, endpoint_options};
  if (auto name = reader.text(l_ifname); name && !is_plain_name(*name))
    reader.refuse(ec::invalid_argument, l_ifname,
                  "not 1 to 15 of the characters A-Z a-z 0-9 _ . -");
  else if (name == "lo")
    reader.refuse(ec::invalid_argument, l_ifname, "is the loopback interface");
  if (auto text = reader.text(l_mac)) {
    auto mac = mac_address::parse(*text);
    if (!mac)
      reader.refuse(ec::invalid_argument, l_mac, "not a MAC address");
    else if (endpoint.mac != *mac)
      reader.refuse(ec::invalid_argument, l_mac,
                    "is not the endpoint's MAC address",
                    "give the address with --mac");
  }
  auto ignored = announcements{};
  read_announcements(reader, ignored);
  for (auto label : {l_exposed, l_portmap})
    reader.refuse(ec::unsupported, label, "ports are no option here",
                  "give them with -p and --expose");
  refuse_effect(reader, l_dns, "name service");
  refuse_effect(reader, l_sysctls, "sysctls of endpoints");
  if (auto done = reader.verdict(); !done)
    return done;
  return check_option_labels(endpoint.options, endpoint_options);
}

} // namespace troupe::drivers
