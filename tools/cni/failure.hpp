#pragma once

#include "troupe/config/model/error.hpp"

#include <tl/expected.hpp>

#include <string>
#include <utility>

namespace troupe::cni {

/// The codes of the specification, and ours from 100 on.
enum class code : int {
  incompatible_version = 1,
  unsupported_field = 2,
  bad_environment = 4,
  io = 5,
  not_decoded = 6,
  bad_config = 7,
  bad_namespace = 8,
  try_again = 11,
  not_available = 50,
  refused = 100,
  conflict = 101,
  unsupported = 102,
  internal = 103,
  differs = 104, ///< CHECK: it is otherwise than it was made.
};

/// Why a call failed, as a runtime reads it.
struct failure {
  code what = code::internal;
  std::string message;
  std::string details;
};

template <class T>
using outcome = tl::expected<T, failure>;

inline tl::unexpected<failure>
fails(code what, std::string message, std::string details = {}) {
  return tl::unexpected<failure>{
    failure{what, std::move(message), std::move(details)}};
}

inline tl::unexpected<failure> fails(failure why) {
  return tl::unexpected<failure>{std::move(why)};
}

/// The daemon's reason.
inline failure failure_of(error why) {
  auto what = code::internal;
  switch (why.code) {
  case ec::invalid_argument:
  case ec::not_found:
    what = code::bad_config;
    break;
  case ec::forbidden:
    what = code::refused;
    break;
  case ec::conflict:
    what = code::conflict;
    break;
  case ec::unsupported:
    what = code::unsupported;
    break;
  case ec::timeout:
  case ec::unavailable:
    what = code::try_again;
    break;
  case ec::none:
  case ec::internal:
    break;
  }
  return {what, std::move(why.message), std::move(why.hint)};
}

} // namespace troupe::cni
