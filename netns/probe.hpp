#pragma once

#include "troupe/config/model/address.hpp"
#include "troupe/config/model/error.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace troupe::netns {

/// A way along which packets are promised to get through.
struct probe_way {
  std::string pin; ///< Where they start; empty: the host's namespace.
  ip_address to;
  uint16_t port = 1;
};

/// Sends real packets along ways, all at once, and waits for answers: a TCP
/// connection is asked for and given up again. That it is refused will do:
/// the answer came. Needs no service at the other end, no privilege beside
/// that of entering namespaces, and never takes longer than `patience` and
/// some milliseconds for each 200 ways.
/// @returns why nothing came back, for each way; empty: something did.
/// @thread_safety Any thread; the calling thread's namespace is the host's.
result<std::vector<std::string>>
send_probes(const std::string& pin_dir, std::span<const probe_way> ways,
            std::chrono::milliseconds patience = std::chrono::seconds{2});

} // namespace troupe::netns
