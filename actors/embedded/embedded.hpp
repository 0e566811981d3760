#pragma once

#include "troupe/actors/api/backend.hpp"
#include "troupe/actors/core/parts.hpp"
#include "troupe/config/settings.hpp"

#include <memory>

namespace troupe {

/// The real kernel in the calling thread's namespace, and LMDB.
embedded_parts real_parts(const settings& how);

/// Opens an embedded controller on given parts; see `open_backend`.
result<std::shared_ptr<backend>>
open_backend(const settings& how, embedded_parts parts);

} // namespace troupe
