#pragma once

#include "troupe/tools/cni/config.hpp"
#include "troupe/tools/cni/ranges.hpp"

#include <optional>

namespace troupe::cni {

/// What a runtime wants for one container: capabilities (`runtimeConfig`),
/// `args.cni` and `CNI_ARGS`.
struct wishes {
  endpoint_spec endpoint;
  std::vector<interface_address> lengths;
  range_sets ranges;
  std::optional<dns_fields> dns;
};

/// Errors: `unsupported_field` for bandwidth; `bad_config`; `bad_environment`.
outcome<wishes> read_wishes(const json& document, const environment& env);

} // namespace troupe::cni
