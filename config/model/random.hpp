#pragma once

#include <cstdint>
#include <span>

namespace troupe {

/// Fills the bytes from the system's random source. Cheap for small requests:
/// each thread keeps a batch, which a forked child does not share.
/// @note Ends the process if the system has no random source: ids that repeat
///       would give one object's kernel state to another.
void fill_random(std::span<uint8_t> bytes);

} // namespace troupe
