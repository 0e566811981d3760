#include "troupe/tools/cni/config.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/config/settings.hpp"
#include "troupe/tools/cni/ranges.hpp"
#include "troupe/tools/cni/wishes.hpp"

#include <algorithm>
#include <utility>

namespace troupe::cni {

namespace {

// A GC names every container of the host.
constexpr auto input_limits = json_limits{16U << 20U, 64, false};

// NOLINTBEGIN(readability-identifier-naming): as the runtimes write them.

struct route_fields {
  std::string dst;
  std::optional<ip_address> gw;

  static constexpr auto fields() {
    return std::tuple{field{"dst", &route_fields::dst},
                      field{"gw", &route_fields::gw}};
  }
};

struct ipam_fields {
  std::string type;
  std::optional<std::string> subnet;
  std::optional<ip_address> rangeStart;
  std::optional<ip_address> rangeEnd;
  std::optional<ip_address> gateway;
  range_sets ranges;
  std::vector<route_fields> routes;

  static constexpr auto fields() {
    return std::tuple{field{"type", &ipam_fields::type},
                      field{"subnet", &ipam_fields::subnet},
                      field{"rangeStart", &ipam_fields::rangeStart},
                      field{"rangeEnd", &ipam_fields::rangeEnd},
                      field{"gateway", &ipam_fields::gateway},
                      field{"ranges", &ipam_fields::ranges},
                      field{"routes", &ipam_fields::routes}};
  }
};

// The plugin's own fields.
struct plugin_fields {
  std::string network;
  std::optional<std::string> driver;
  std::optional<std::string> subnet;
  std::optional<ip_address> rangeStart;
  std::optional<ip_address> rangeEnd;
  std::optional<ip_address> gateway;
  range_sets ranges;
  std::optional<uint32_t> mtu;
  std::optional<std::string> bridge;
  std::optional<bool> internal;
  std::optional<bool> ipv6;
  std::optional<bool> ipMasq;
  std::optional<int> priority;
  text_map options;
  text_map labels;
  ipam_fields ipam;
  dns_fields dns;
  std::string socket;
  uint32_t timeoutMs = 0;

  static constexpr auto fields() {
    return std::tuple{field{"network", &plugin_fields::network},
                      field{"driver", &plugin_fields::driver},
                      field{"subnet", &plugin_fields::subnet},
                      field{"rangeStart", &plugin_fields::rangeStart},
                      field{"rangeEnd", &plugin_fields::rangeEnd},
                      field{"gateway", &plugin_fields::gateway},
                      field{"ranges", &plugin_fields::ranges},
                      field{"mtu", &plugin_fields::mtu},
                      field{"bridge", &plugin_fields::bridge},
                      field{"internal", &plugin_fields::internal},
                      field{"ipv6", &plugin_fields::ipv6},
                      field{"ipMasq", &plugin_fields::ipMasq},
                      field{"priority", &plugin_fields::priority},
                      field{"options", &plugin_fields::options},
                      field{"labels", &plugin_fields::labels},
                      field{"ipam", &plugin_fields::ipam},
                      field{"dns", &plugin_fields::dns},
                      field{"socket", &plugin_fields::socket},
                      field{"timeoutMs", &plugin_fields::timeoutMs}};
  }
};

// NOLINTEND(readability-identifier-naming)

// What belongs to the protocol, not to us. Runtimes add keys with a domain in
// front, and old ones leave `capabilities` in.
bool is_of_protocol(const std::string& key) {
  constexpr auto keys = std::array<std::string_view, 7>{
    "cniVersion", "name",          "type",      "capabilities",
    "args",       "runtimeConfig", "prevResult"};
  return std::ranges::find(keys, key) != keys.end()
         || key.find_first_of("/.") != std::string::npos;
}

outcome<plugin_fields> read_fields(const json& document) {
  auto own = json::object();
  for (const auto& [key, value] : document.items())
    if (!is_of_protocol(key) && !value.is_null())
      own[key] = value;
  auto reader = json_reader{unknown_fields::refuse};
  auto result = plugin_fields{};
  if (reader.read(own, result))
    return result;
  auto unknown = own.find(reader.culprit());
  if (unknown != own.end() && reader.why().message.starts_with("unknown field"))
    return fails(code::unsupported_field,
                 "unsupported field " + quoted(unknown.key()) + ": "
                   + dump(*unknown).substr(0, 200),
                 reader.why().hint);
  return fails(code::bad_config, reader.failure().message,
               reader.failure().hint);
}

// What stands in a configuration beside `ranges` is one more of them.
template <class Fields>
void add_single_range(const Fields& x, range_sets& to) {
  if (x.subnet || x.rangeStart || x.rangeEnd || x.gateway)
    to.push_back({range_fields{x.subnet, x.rangeStart, x.rangeEnd, x.gateway}});
}

bool is_default(const std::string& text) {
  return text == "0.0.0.0/0" || text == "::/0";
}

outcome<void> check_ipam(const ipam_fields& x) {
  if (!x.type.empty() && x.type != "troupe" && x.type != "troupe-cni")
    return fails(code::unsupported_field,
                 "unsupported field \"ipam.type\": " + quoted(x.type),
                 "addresses are given by Troupe: leave ipam out, or its type "
                 "is \"troupe\"");
  for (const auto& route : x.routes)
    if (!is_default(route.dst) || route.gw)
      return fails(code::unsupported_field,
                   "unsupported field \"ipam.routes\": " + quoted(route.dst),
                   "the default route through the gateway is made anyway, "
                   "others are not");
  return {};
}

outcome<std::vector<ipam_pool>>
read_pools(const plugin_fields& x, const range_sets& from_runtime) {
  auto all = range_sets{};
  add_single_range(x, all);
  add_single_range(x.ipam, all);
  for (const auto* sets : {&x.ranges, &x.ipam.ranges, &from_runtime})
    all.insert(all.end(), sets->begin(), sets->end());
  return pools_of(all);
}

void read_options(const plugin_fields& x, network_spec& spec) {
  spec.options = x.options;
  const auto base = std::string{"com.docker.network."};
  if (x.mtu)
    spec.options[base + "driver.mtu"] = std::to_string(*x.mtu);
  if (x.bridge)
    spec.options[base + "bridge.name"] = *x.bridge;
  if (x.ipMasq)
    spec.options[base + "bridge.enable_ip_masquerade"]
      = *x.ipMasq ? "true" : "false";
}

bool states_a_network(const plugin_fields& x, const network_spec& spec) {
  return x.driver || x.internal || x.ipv6 || !spec.pools.empty()
         || !spec.options.empty() || !x.labels.empty();
}

outcome<adapter::wanted_network>
read_network(const plugin_fields& x, const std::string& title,
             const range_sets& from_runtime) {
  auto pools = read_pools(x, from_runtime);
  if (!pools)
    return fails(std::move(pools.error()));
  auto result = adapter::wanted_network{};
  auto& spec = result.spec;
  result.title = title;
  spec.pools = std::move(*pools);
  for (const auto& pool : spec.pools)
    spec.enable_ipv6 |= pool.subnet->family() == ip_family::v6;
  result.states_families = !spec.pools.empty();
  spec.enable_ipv6 |= x.ipv6.value_or(false);
  if (result.states_families && !x.ipv6.value_or(false))
    spec.enable_ipv4
      = std::ranges::any_of(spec.pools, [](const ipam_pool& pool) {
          return pool.subnet->family() == ip_family::v4;
        });
  spec.driver = x.driver.value_or("bridge");
  spec.internal = x.internal.value_or(false);
  result.states_driver = x.driver.has_value();
  result.states_internal = x.internal.has_value();
  read_options(x, spec);
  spec.labels = x.labels;
  if (spec.driver == "host")
    return fails(code::unsupported_field,
                 "unsupported field \"driver\": "
                 "\"host\"",
                 "a container in the host's namespace needs no plugin");
  result.must_exist = !x.network.empty() && !states_a_network(x, spec);
  spec.name = x.network.empty() ? adapter::name_for(title) : x.network;
  result.reference = spec.name;
  spec.labels[std::string{adapter::network_label}] = title;
  spec.labels[std::string{adapter::runtime_label}] = "cni";
  return result;
}

} // namespace

const json& member(const json& x, const char* key) {
  static const auto none = json{};
  if (!x.is_object())
    return none;
  auto found = x.find(key);
  return found == x.end() ? none : *found;
}

outcome<base_config>
read_base(std::string_view text, std::string_view command) {
  auto parsed = parse_json(text, input_limits);
  if (!parsed)
    return fails(code::not_decoded, "decode the network configuration",
                 parsed.error().message);
  if (!parsed->is_object())
    return fails(code::not_decoded,
                 "decode the network configuration: it is no object");
  auto result = base_config{};
  auto text_of = [&](const char* key) {
    auto found = parsed->find(key);
    return found != parsed->end() && found->is_string()
             ? found->get<std::string>()
             : std::string{};
  };
  // As the reference has it: without one it is the very first.
  result.version
    = parsed->contains("cniVersion") ? text_of("cniVersion") : "0.1.0";
  if (!is_version(result.version))
    return fails(code::incompatible_version, "incompatible CNI versions",
                 "config is " + quoted(result.version)
                   + ", plugin supports [\"0.3.1\" \"0.4.0\" \"1.0.0\" "
                     "\"1.1.0\"]");
  auto since = command == "CHECK"                       ? "0.4.0"
               : command == "GC" || command == "STATUS" ? "1.1.0"
                                                        : "0.3.1";
  if (!is_at_least(result.version, since))
    return fails(code::incompatible_version,
                 "config version does not allow " + std::string{command},
                 "config is " + quoted(result.version) + ", it came with "
                   + since);
  result.name = text_of("name");
  if (!is_identifier(result.name))
    return fails(code::bad_config,
                 result.name.empty() ? "missing network name"
                                     : "invalid characters in network name",
                 quoted(result.name));
  result.socket = text_of("socket");
  if (result.socket.empty())
    result.socket = socket_path(settings{});
  if (auto found = parsed->find("timeoutMs");
      found != parsed->end() && found->is_number_unsigned())
    result.deadline = std::chrono::milliseconds{
      std::min<uint64_t>(found->get<uint64_t>(), 3'600'000)};
  result.document = std::move(*parsed);
  return result;
}

outcome<add_config> read_add(const base_config& base, const environment& env) {
  auto fields = read_fields(base.document);
  if (!fields)
    return fails(std::move(fields.error()));
  if (auto ok = check_ipam(fields->ipam); !ok)
    return fails(std::move(ok.error()));
  auto wishes = read_wishes(base.document, env);
  if (!wishes)
    return fails(std::move(wishes.error()));
  auto network = read_network(*fields, base.name, wishes->ranges);
  if (!network)
    return fails(std::move(network.error()));
  auto result = add_config{};
  result.network = std::move(*network);
  result.endpoint = std::move(wishes->endpoint);
  result.endpoint.priority = fields->priority.value_or(0);
  result.states_priority = fields->priority.has_value();
  result.lengths = std::move(wishes->lengths);
  result.dns = wishes->dns ? std::move(*wishes->dns) : std::move(fields->dns);
  if (auto found = base.document.find("prevResult");
      found != base.document.end() && !found->is_null()) {
    if (!found->is_object())
      return fails(code::not_decoded, "prevResult is no object");
    result.previous = *found;
  }
  return result;
}

outcome<std::vector<std::pair<std::string, std::string>>>
read_valid_attachments(const base_config& base) {
  const auto& document = base.document;
  auto found = document.find("cni.dev/valid-attachments");
  if (found == document.end())
    found = document.find("cni.dev/attachments");
  // Nothing said is not "none is valid".
  if (found == document.end())
    return fails(code::bad_config,
                 "GC: \"cni.dev/valid-attachments\" is missing");
  auto result = std::vector<std::pair<std::string, std::string>>{};
  if (found->is_null())
    return result;
  if (!found->is_array())
    return fails(code::not_decoded,
                 "GC: \"cni.dev/valid-attachments\" is no array");
  for (const auto& x : *found) {
    if (!x.is_object() || !x.contains("containerID") || !x.contains("ifname")
        || !x["containerID"].is_string() || !x["ifname"].is_string())
      return fails(code::not_decoded,
                   "GC: a valid attachment has no containerID or ifname",
                   dump(x).substr(0, 200));
    result.emplace_back(x["containerID"].get<std::string>(),
                        x["ifname"].get<std::string>());
  }
  return result;
}

} // namespace troupe::cni
