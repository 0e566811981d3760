#pragma once

#include "troupe/config/model/error.hpp"

#include <string>
#include <vector>

namespace troupe::netns {

/// What this kernel lacks.
struct kernel_probe {
  std::vector<std::string> missing; ///< Something will not work without it.
  std::vector<std::string> slower;  ///< Works another way without it.
};

/// Tries what Troupe needs of the kernel, in a namespace made for it; takes
/// some 50 ms. Errors: `forbidden` and others, when there can be no such
/// namespace.
result<kernel_probe> probe_kernel();

} // namespace troupe::netns
