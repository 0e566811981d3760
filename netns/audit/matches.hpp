#pragma once

#include "troupe/netns/audit/sample.hpp"
#include "troupe/netns/audit/socket.hpp"

#include <cstdint>

/// The matches of iptables, as nf_tables has them. Private to netns.
namespace troupe::netns {

enum class match : uint8_t { yes, no, unknown };

inline match to_match(bool x) {
  return x ? match::yes : match::no;
}

/// Bits of `ct state`; see NF_CT_STATE_BIT of the kernel.
uint32_t state_of(const sample_packet& x);

/// Bits of `ct status`.
uint32_t status_of(const sample_packet& x);

/// As PACKET_HOST; not of frames.
uint8_t packet_type(const sample_packet& x);

/// As RTN_LOCAL, of one of its addresses; not of ARP.
uint8_t address_type(const sample_packet& x, bool of_source);

/// @param x An expression `match`.
/// @param asks_size Becomes true if its size counts.
match ask_extension(const audit_attributes& x, const sample_packet& packet,
                    bool& asks_size);

} // namespace troupe::netns
