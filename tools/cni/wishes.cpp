#include "troupe/tools/cni/wishes.hpp"

#include "troupe/config/model/id.hpp"

#include <algorithm>
#include <utility>

namespace troupe::cni {

namespace {

// NOLINTBEGIN(readability-identifier-naming): as the runtimes write them.

struct port_fields {
  int64_t hostPort = 0;
  int64_t containerPort = 0;
  std::string protocol = "tcp";
  std::string hostIP;

  static constexpr auto fields() {
    return std::tuple{field{"hostPort", &port_fields::hostPort},
                      field{"containerPort", &port_fields::containerPort},
                      field{"protocol", &port_fields::protocol},
                      field{"hostIP", &port_fields::hostIP}};
  }
};

struct dns_wish {
  std::vector<std::string> servers;
  std::vector<std::string> searches;
  std::vector<std::string> options;

  static constexpr auto fields() {
    return std::tuple{field{"servers", &dns_wish::servers},
                      field{"searches", &dns_wish::searches},
                      field{"options", &dns_wish::options}};
  }
};

struct label_fields {
  std::string key;
  std::string value;

  static constexpr auto fields() {
    return std::tuple{field{"key", &label_fields::key},
                      field{"value", &label_fields::value}};
  }
};

// NOLINTEND(readability-identifier-naming)

/// Reads a member if it is there.
template <class T>
outcome<T> read(const json& x, const char* key, const std::string& where) {
  const auto& value = member(x, key);
  if (value.is_null())
    return T{};
  auto result = from_json<T>(value, unknown_fields::refuse, where + "." + key);
  if (!result)
    return fails(code::bad_config, result.error().message, result.error().hint);
  return std::move(*result);
}

outcome<port_spec> port_of(const port_fields& x) {
  auto bad = [&](const std::string& why) {
    return fails(code::bad_config, "runtimeConfig.portMappings: host port "
                                     + std::to_string(x.hostPort) + " to "
                                     + std::to_string(x.containerPort) + ": "
                                     + why);
  };
  constexpr auto last_port = int64_t{65'535};
  if (x.containerPort < 1 || x.containerPort > last_port)
    return bad("a container's port is from 1 to 65535");
  if (x.hostPort < 1 || x.hostPort > last_port)
    return bad("a host's port is from 1 to 65535");
  auto result = port_spec{};
  result.port = static_cast<uint16_t>(x.containerPort);
  result.host_port = static_cast<uint16_t>(x.hostPort);
  auto protocol = x.protocol;
  std::ranges::transform(protocol, protocol.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  auto proto = parse_protocol(protocol.empty() ? "tcp" : protocol);
  if (!proto)
    return bad(proto.error().message);
  result.proto = *proto;
  if (x.hostIP.empty())
    return result;
  auto address = ip_address::parse(x.hostIP);
  if (!address)
    return bad(address.error().message);
  result.host_ip = *address;
  return result;
}

outcome<void> read_ports(const json& runtime, endpoint_spec& to) {
  auto ports
    = read<std::vector<port_fields>>(runtime, "portMappings", "runtimeConfig");
  if (!ports)
    return fails(std::move(ports.error()));
  for (const auto& x : *ports) {
    auto port = port_of(x);
    if (!port)
      return fails(std::move(port.error()));
    to.ports.push_back(*port);
  }
  return {};
}

/// No rate and no burst is no limit.
outcome<void> check_bandwidth(const json& runtime) {
  const auto& wanted = member(runtime, "bandwidth");
  auto limits
    = wanted.is_object() && std::ranges::any_of(wanted, [](const json& x) {
        return !x.is_number() || x != 0;
      });
  if (!limits && (wanted.is_null() || wanted.is_object()))
    return {};
  return fails(code::unsupported_field,
               "unsupported field \"runtimeConfig.bandwidth\": "
                 + dump(wanted).substr(0, 200),
               "put the plugin \"bandwidth\" behind this one in the list");
}

// `["web"]`, or podman's `{"network": ["web"]}`.
outcome<void> read_aliases(const json& runtime, endpoint_spec& to) {
  const auto& wanted = member(runtime, "aliases");
  auto all = std::vector<std::string>{};
  if (wanted.is_object()) {
    for (const auto& [network, value] : wanted.items()) {
      auto some = read<std::vector<std::string>>(wanted, network.c_str(),
                                                 "runtimeConfig.aliases");
      if (!some)
        return fails(std::move(some.error()));
      all.insert(all.end(), some->begin(), some->end());
    }
  } else if (auto some = read<std::vector<std::string>>(runtime, "aliases",
                                                        "runtimeConfig");
             some) {
    all = std::move(*some);
  } else {
    return fails(std::move(some.error()));
  }
  auto text = std::string{};
  for (const auto& x : all)
    text += (text.empty() ? "" : " ") + x;
  if (!text.empty())
    to.labels[std::string{adapter::aliases_label}] = text;
  return {};
}

/// An address with or without a length; of each family one.
outcome<void> want_address(const std::string& text, wishes& to) {
  auto bad = [&](const std::string& why) {
    return fails(code::bad_config, "address " + quoted(text) + ": " + why);
  };
  auto address = ip_address{};
  if (text.find('/') == std::string::npos) {
    auto parsed = ip_address::parse(text);
    if (!parsed)
      return bad(parsed.error().message);
    address = *parsed;
  } else {
    auto parsed = interface_address::parse(text);
    if (!parsed)
      return bad(parsed.error().message);
    address = parsed->address;
    to.lengths.push_back(*parsed);
  }
  auto& place = address.is_v4() ? to.endpoint.ipv4 : to.endpoint.ipv6;
  if (place && *place != address)
    return bad(to_string(*place) + " is wanted as well");
  place = address;
  return {};
}

outcome<void> want_mac(const std::string& text, wishes& to) {
  auto mac = mac_address::parse(text);
  if (!mac)
    return fails(code::bad_config,
                 "MAC address " + quoted(text) + ": " + mac.error().message);
  if (to.endpoint.mac && *to.endpoint.mac != *mac)
    return fails(code::bad_config, "MAC address " + quoted(text) + ": "
                                     + to_string(*to.endpoint.mac)
                                     + " is wanted as well");
  to.endpoint.mac = *mac;
  return {};
}

// The static address and MAC of `runtimeConfig` or `args.cni`.
outcome<void>
read_static(const json& from, const std::string& where, wishes& to) {
  auto ips = read<std::vector<std::string>>(from, "ips", where);
  if (!ips)
    return fails(std::move(ips.error()));
  for (const auto& x : *ips)
    if (auto ok = want_address(x, to); !ok)
      return ok;
  auto mac = read<std::string>(from, "mac", where);
  if (!mac)
    return fails(std::move(mac.error()));
  return mac->empty() ? outcome<void>{} : want_mac(*mac, to);
}

outcome<void> read_environment_args(const std::string& text, wishes& to) {
  auto args = read_args(text);
  if (!args)
    return fails(std::move(args.error()));
  for (size_t begin = 0; begin < (*args)["IP"].size();) {
    const auto& ips = (*args)["IP"];
    auto end = std::min(ips.find(',', begin), ips.size());
    if (auto ok = want_address(ips.substr(begin, end - begin), to); !ok)
      return ok;
    begin = end + 1;
  }
  if (!(*args)["MAC"].empty())
    if (auto ok = want_mac((*args)["MAC"], to); !ok)
      return ok;
  for (auto [key, label] :
       {std::pair{"K8S_POD_NAMESPACE", "io.kubernetes.pod.namespace"},
        std::pair{"K8S_POD_NAME", "io.kubernetes.pod.name"},
        std::pair{"K8S_POD_UID", "io.kubernetes.pod.uid"}})
    if (!(*args)[key].empty())
      to.endpoint.labels[label] = (*args)[key];
  return {};
}

outcome<void> read_labels(const json& args, wishes& to) {
  auto labels = read<std::vector<label_fields>>(args, "labels", "args.cni");
  if (!labels)
    return fails(std::move(labels.error()));
  for (const auto& x : *labels)
    to.endpoint.labels[x.key] = x.value;
  return {};
}

outcome<void> read_runtime(const json& runtime, wishes& to) {
  if (!runtime.is_null() && !runtime.is_object())
    return fails(code::not_decoded, "runtimeConfig is no object");
  for (auto ok : {check_bandwidth(runtime), read_ports(runtime, to.endpoint),
                  read_aliases(runtime, to.endpoint),
                  read_static(runtime, "runtimeConfig", to)})
    if (!ok)
      return ok;
  auto ranges = read<range_sets>(runtime, "ipRanges", "runtimeConfig");
  if (!ranges)
    return fails(std::move(ranges.error()));
  to.ranges = std::move(*ranges);
  auto dns = read<dns_wish>(runtime, "dns", "runtimeConfig");
  if (!dns)
    return fails(std::move(dns.error()));
  if (!dns->servers.empty() || !dns->searches.empty() || !dns->options.empty())
    to.dns = dns_fields{dns->servers, {}, dns->searches, dns->options};
  return {};
}

} // namespace

outcome<wishes> read_wishes(const json& document, const environment& env) {
  auto result = wishes{};
  const auto& args = member(member(document, "args"), "cni");
  for (auto ok :
       {read_runtime(member(document, "runtimeConfig"), result),
        read_static(args, "args.cni", result), read_labels(args, result),
        read_environment_args(env.args, result)})
    if (!ok)
      return fails(std::move(ok.error()));
  return result;
}

} // namespace troupe::cni
