#pragma once

#include "troupe/config/model/endpoint.hpp"

#include <optional>
#include <string>
#include <vector>

namespace troupe {

/// A sandbox as requested and as recorded: a network namespace with a name.
struct sandbox_spec {
  sandbox_id id;    ///< Empty in a request.
  std::string name; ///< The container's name or id; unique.
  std::string hostname;
  std::string domainname;
  /// Path of a namespace somebody else made; empty: Troupe makes one.
  std::string netns_path;
  /// Shares the host's namespace; joins networks of the `host` driver only.
  bool use_host_namespace = false;
  uint64_t netns_inode = 0; ///< Of the pinned namespace; in records only.
  text_map labels;
  int64_t created_ms = 0;

  static constexpr auto fields() {
    return std::tuple{
      field{"id", &sandbox_spec::id},
      field{"name", &sandbox_spec::name},
      field{"hostname", &sandbox_spec::hostname},
      field{"domainname", &sandbox_spec::domainname},
      field{"netns_path", &sandbox_spec::netns_path},
      field{"use_host_namespace", &sandbox_spec::use_host_namespace},
      field{"netns_inode", &sandbox_spec::netns_inode},
      field{"labels", &sandbox_spec::labels},
      field{"created_ms", &sandbox_spec::created_ms}};
  }
};

/// A sandbox as `inspect` shows it.
struct sandbox_status {
  sandbox_spec spec;
  std::string key; ///< Path of the pinned namespace; what `ip netns` can open.
  std::vector<endpoint_id> endpoints;    ///< In order of joining.
  std::optional<endpoint_id> gateway;    ///< Gives the IPv4 default route.
  std::optional<endpoint_id> gateway_v6; ///< Gives the IPv6 default route.
  std::string state;                     ///< `ready`, or `lost: <reason>`.

  static constexpr auto fields() {
    return std::tuple{field{"spec", &sandbox_status::spec},
                      field{"key", &sandbox_status::key},
                      field{"endpoints", &sandbox_status::endpoints},
                      field{"gateway", &sandbox_status::gateway},
                      field{"gateway_v6", &sandbox_status::gateway_v6},
                      field{"state", &sandbox_status::state}};
  }
};

} // namespace troupe
