#pragma once

// What a runtime writes to the plugin's standard input.

#include "troupe/config/model/endpoint.hpp"
#include "troupe/config/model/json.hpp"
#include "troupe/tools/adapter/names.hpp"
#include "troupe/tools/adapter/network.hpp"
#include "troupe/tools/cni/request.hpp"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace troupe::cni {

/// A member of a document; null if it is not there, or there are none.
const json& member(const json& x, const char* key);

/// Name servers of a result.
struct dns_fields {
  std::vector<std::string> nameservers;
  std::string domain;
  std::vector<std::string> search;
  std::vector<std::string> options;

  static constexpr auto fields() {
    return std::tuple{field{"nameservers", &dns_fields::nameservers},
                      field{"domain", &dns_fields::domain},
                      field{"search", &dns_fields::search},
                      field{"options", &dns_fields::options}};
  }
};

/// What every command needs; the rest is not looked at, so that a DEL works
/// whatever has become of the configuration.
struct base_config {
  std::string version;
  std::string name;
  std::string socket;                    ///< Of the daemon.
  std::chrono::milliseconds deadline{0}; ///< 0: the command's own.
  json document;                         ///< The whole.
};

/// Errors: `not_decoded`, `incompatible_version`, `bad_config`.
outcome<base_config> read_base(std::string_view text, std::string_view command);

/// All that an ADD is told.
struct add_config {
  adapter::wanted_network network;
  endpoint_spec endpoint;
  bool states_priority = false;
  std::vector<interface_address> lengths; ///< Of addresses given with one.
  dns_fields dns;
  json previous; ///< Result of the plugin before; null: there is none.
};

/// Errors: `unsupported_field`, `bad_config`, `bad_environment`.
outcome<add_config> read_add(const base_config& base, const environment& env);

/// Container ids and interfaces that a GC leaves alone.
outcome<std::vector<std::pair<std::string, std::string>>>
read_valid_attachments(const base_config& base);

} // namespace troupe::cni
