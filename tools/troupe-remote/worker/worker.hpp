#pragma once

namespace troupe::tools::remote {

/// Descriptors a worker is born with.
inline constexpr int worker_stream_fd = 3;  ///< The peer's bytes, decrypted.
inline constexpr int worker_channel_fd = 4; ///< Frames to and from the front.

/// Serves one peer until the front hangs up; never returns to the caller's
/// business. Knows no key, no address and no daemon. @returns the exit code.
int run_worker();

} // namespace troupe::tools::remote
