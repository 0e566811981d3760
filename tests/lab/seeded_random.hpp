#pragma once

#include <cstdint>
#include <functional>

namespace troupe::testing {

/// Runs `work` on a thread of its own on which every id and MAC address that
/// Troupe draws follows from the seed, and waits for it.
/// @note A program that uses this has a `getrandom` of its own, in place of the
///       C library's; on all other threads it asks the kernel as ever.
void with_seed(uint64_t seed, const std::function<void()>& work);

} // namespace troupe::testing
