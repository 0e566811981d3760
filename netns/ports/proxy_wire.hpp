#pragma once

// What the daemon and troupe-proxy say to each other: one packet asks, one or
// more packets answer, over a SOCK_SEQPACKET socket in the run directory.
// Sockets go along as SCM_RIGHTS, one for each record that says so, in order.
// Both ends are of one machine: numbers are in its byte order.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace troupe::netns::proxy_wire {

inline constexpr uint32_t magic = 0x7472'7078;
inline constexpr uint16_t version = 2;

/// The kernel passes at most 253 descriptors with one packet.
inline constexpr size_t max_records = 240;

/// In the run directory.
inline constexpr std::string_view socket_name = "proxy.sock";
inline constexpr std::string_view lock_name = "proxy.lock";

enum class op : uint16_t {
  list = 1, ///< Answered by packets with records; the last one has `last`.
  add,      ///< All or nothing; a known port gets the new target.
  remove,   ///< With connections; unknown ports are no error.
  answer,
};

/// Begins each packet; `count` records follow.
struct header {
  uint32_t magic = proxy_wire::magic;
  uint16_t version = proxy_wire::version;
  op what = op::list;
  uint16_t count = 0;
  uint16_t last = 1;    ///< Of an answer: no more packets follow.
  int32_t os_error = 0; ///< Of an answer: errno, 0 if done.
};

/// Which socket a port has.
enum class socket_kind : uint8_t {
  none,   ///< Of a request: the one that it has; of an answer: one of its own.
  own,    ///< A descriptor goes along.
  shared, ///< `::` and `0.0.0.0` of one number have it together; it goes along
          ///< with the former, which comes first.
};

/// One port.
struct record {
  uint8_t proto = 0;         ///< As in `protocol`.
  uint8_t host_family = 4;   ///< 4 or 6.
  uint8_t target_family = 0; ///< 4 or 6; 0: the port is only held.
  socket_kind socket = socket_kind::none;
  uint16_t host_port = 0;
  uint16_t target_port = 0;
  std::array<uint8_t, 16> host_ip{}; ///< Network order.
  std::array<uint8_t, 16> target_ip{};
};

static_assert(sizeof(header) == 16);
static_assert(sizeof(record) == 40);

/// A whole packet.
struct packet {
  header head;
  std::array<record, max_records> records;

  size_t bytes() const {
    return sizeof(header) + head.count * sizeof(record);
  }
};

} // namespace troupe::netns::proxy_wire
