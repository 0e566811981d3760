#include "troupe/tools/cni/result.hpp"

#include "troupe/netns/unique_fd.hpp"

#include <algorithm>
#include <cstring>

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace troupe::cni {

namespace {

// Before 1.0.0 each address says its family.
json address_of(const interface_address& x, const addition& all,
                size_t interface, const std::string& version) {
  auto result = json{{"address", to_string(x)}, {"interface", interface}};
  const auto& gateway = x.address.is_v4() ? all.gateway : all.gateway_v6;
  if (gateway)
    result["gateway"] = to_string(*gateway);
  if (!is_at_least(version, "1.0.0"))
    result["version"] = x.address.is_v4() ? "4" : "6";
  return result;
}

json interface_of(const result_interface& x, const std::string& version) {
  auto result = json{{"name", x.name}};
  if (!x.mac.empty())
    result["mac"] = x.mac;
  if (!x.sandbox.empty())
    result["sandbox"] = x.sandbox;
  if (x.mtu != 0 && is_at_least(version, "1.1.0"))
    result["mtu"] = x.mtu;
  return result;
}

json dns_of(const dns_fields& x) {
  auto result = json::object();
  if (!x.nameservers.empty())
    result["nameservers"] = x.nameservers;
  if (!x.domain.empty())
    result["domain"] = x.domain;
  if (!x.search.empty())
    result["search"] = x.search;
  if (!x.options.empty())
    result["options"] = x.options;
  return result;
}

json& list(json& result, const char* name) {
  auto& found = result[name];
  if (!found.is_array())
    found = json::array();
  return found;
}

// The plugin before may have spoken another version.
void convert_addresses(json& result, const std::string& version) {
  for (auto& x : list(result, "ips")) {
    if (!x.is_object())
      continue;
    if (is_at_least(version, "1.0.0")) {
      x.erase("version");
    } else if (!x.contains("version")) {
      auto is_v6
        = x.contains("address") && x["address"].is_string()
          && x["address"].get<std::string>().find(':') != std::string::npos;
      x["version"] = is_v6 ? "6" : "4";
    }
  }
}

} // namespace

result_interface link_on_host(const std::string& name) {
  auto result = result_interface{name, {}, 0, {}};
  auto fd = netns::unique_fd{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  auto about = ifreq{};
  name.copy(about.ifr_name, sizeof about.ifr_name - 1);
  if (::ioctl(fd.get(), SIOCGIFHWADDR, &about) == 0) {
    auto mac = mac_address{};
    std::memcpy(mac.bytes.data(), about.ifr_hwaddr.sa_data, mac.bytes.size());
    result.mac = to_string(mac);
  }
  if (::ioctl(fd.get(), SIOCGIFMTU, &about) == 0)
    result.mtu = static_cast<uint32_t>(about.ifr_mtu);
  return result;
}

addition
addition_of(const adapter::attached& what, const network_status& network,
            const std::string& sandbox, const dns_fields& dns) {
  const auto& endpoint = what.endpoint;
  auto result = addition{};
  for (const auto& name : {network.interface, endpoint.host_interface})
    if (!name.empty())
      result.interfaces.push_back(link_on_host(name));
  // Both ends have one MTU.
  auto mtu = result.interfaces.empty() ? 0 : result.interfaces.back().mtu;
  if (!endpoint.interface.empty())
    result.interfaces.push_back(
      {endpoint.interface,
       endpoint.spec.mac ? to_string(*endpoint.spec.mac) : std::string{}, mtu,
       sandbox});
  result.addresses = endpoint.spec.addresses;
  result.gateway = endpoint.gateway;
  result.gateway_v6 = endpoint.gateway_v6;
  result.gives_default_v4 = what.gives_default_v4;
  result.gives_default_v6 = what.gives_default_v6;
  result.dns = dns;
  return result;
}

json result_of(const addition& x, const std::string& version, json previous) {
  auto result = previous.is_object() ? std::move(previous) : json::object();
  result["cniVersion"] = version;
  convert_addresses(result, version);
  for (const auto& interface : x.interfaces)
    list(result, "interfaces").push_back(interface_of(interface, version));
  auto interfaces = list(result, "interfaces").size();
  for (const auto& address : x.addresses)
    list(result, "ips")
      .push_back(
        address_of(address, x, interfaces == 0 ? 0 : interfaces - 1, version));
  auto& routes = list(result, "routes");
  if (x.gives_default_v4 && x.gateway)
    routes.push_back({{"dst", "0.0.0.0/0"}, {"gw", to_string(*x.gateway)}});
  if (x.gives_default_v6 && x.gateway_v6)
    routes.push_back({{"dst", "::/0"}, {"gw", to_string(*x.gateway_v6)}});
  if (auto dns = dns_of(x.dns); !dns.empty() || !result["dns"].is_object())
    result["dns"] = std::move(dns);
  return result;
}

json error_of(const failure& why, const std::string& version) {
  auto result = json{{"cniVersion", version},
                     {"code", static_cast<int>(why.what)},
                     {"msg", why.message}};
  if (!why.details.empty())
    result["details"] = why.details;
  return result;
}

json versions_of(const std::string& asked) {
  auto all = json::array();
  for (auto x : versions)
    all.push_back(std::string{x});
  return {
    {"cniVersion", is_version(asked) ? asked : std::string{versions.back()}},
    {"supportedVersions", std::move(all)}};
}

} // namespace troupe::cni
