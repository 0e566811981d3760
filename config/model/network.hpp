#pragma once

#include "troupe/config/model/address.hpp"
#include "troupe/config/model/id.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

/// Driver options and labels: user text by label, e.g.
/// `com.docker.network.driver.mtu` = `1450`.
using text_map = std::map<std::string, std::string>;

/// One subnet of a network. In a request an empty `subnet` means "choose one
/// of the predefined pools"; in a record it is always set.
struct ipam_pool {
  std::optional<prefix> subnet;
  std::optional<prefix> ip_range;    ///< Automatic addresses come from here.
  std::optional<ip_address> gateway; ///< Set in a record unless there is none.
  std::map<std::string, ip_address> aux_addresses; ///< Reserved, by name.

  static constexpr auto fields() {
    return std::tuple{field{"subnet", &ipam_pool::subnet},
                      field{"ip_range", &ipam_pool::ip_range},
                      field{"gateway", &ipam_pool::gateway},
                      field{"aux_addresses", &ipam_pool::aux_addresses}};
  }
};

/// A network as requested and, with everything decided, as recorded.
struct network_spec {
  network_id id;    ///< Empty in a request: chosen by the controller.
  std::string name; ///< Unique.
  std::string driver = "bridge";
  bool enable_ipv4 = true;
  bool enable_ipv6 = false;
  bool internal = false; ///< No gateway, nothing in or out.
  std::string ipam_driver = "default";
  std::vector<ipam_pool> pools; ///< At most one per family for `bridge`.
  text_map options;             ///< Driver options, libnetwork's label names.
  text_map labels;              ///< The user's own.
  int64_t created_ms = 0;       ///< Unix time in ms; set by the controller.

  static constexpr auto fields() {
    return std::tuple{field{"id", &network_spec::id},
                      field{"name", &network_spec::name},
                      field{"driver", &network_spec::driver},
                      field{"enable_ipv4", &network_spec::enable_ipv4},
                      field{"enable_ipv6", &network_spec::enable_ipv6},
                      field{"internal", &network_spec::internal},
                      field{"ipam_driver", &network_spec::ipam_driver},
                      field{"pools", &network_spec::pools},
                      field{"options", &network_spec::options},
                      field{"labels", &network_spec::labels},
                      field{"created_ms", &network_spec::created_ms}};
  }
};

/// A network as `inspect` shows it.
struct network_status {
  network_spec spec;
  std::string interface; ///< The bridge's name; empty if the driver has none.
  std::vector<endpoint_id> endpoints;
  std::string state; ///< `ready`, or `degraded: <reason>`.

  static constexpr auto fields() {
    return std::tuple{field{"spec", &network_status::spec},
                      field{"interface", &network_status::interface},
                      field{"endpoints", &network_status::endpoints},
                      field{"state", &network_status::state}};
  }
};

} // namespace troupe
