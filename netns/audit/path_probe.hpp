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
struct path_probe {
  std::string pin; ///< Where they start; empty: the host's namespace.
  ip_address to;
  uint16_t port = 1;
};

/// Sends real packets along ways, all at once, and waits for answers: a TCP
/// connection is asked for and given up again. That it is refused will do, and
/// so will an ICMP error of the one who was asked: the answer came. Where no
/// service was named (port 1), the answer to an ICMP echo will do as well: who
/// drops one kind of packets may be there. Needs no service at the other end,
/// and for the echo CAP_NET_RAW; never takes longer than `patience` and some
/// milliseconds for each 100 ways.
/// @returns why nothing came back, for each way; empty: something did.
/// @thread_safety Any thread; the calling thread's namespace is the host's.
result<std::vector<std::string>>
send_path_probes(const std::string& pin_dir, std::span<const path_probe> ways,
                 std::chrono::milliseconds patience = std::chrono::seconds{2});

} // namespace troupe::netns
