#pragma once

#include "troupe/config/model/address.hpp"
#include "troupe/config/model/port.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// Packets to show to rules. Private to netns.
namespace troupe::netns {

/// A link as a sample packet meets it.
struct sample_link {
  std::string name; ///< Empty: none, or not known.
  int index = 0;
  uint32_t group = 0;
  std::string kind = {}; ///< `bridge`, …; empty: it has none.
  uint16_t type = 0;     ///< As ARPHRD_ETHER.
};

/// From where to where; of a connection the first packet, or the answer to it.
struct sample_flow {
  ip_address source;
  ip_address destination;
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
};

/// A packet that is promised to get through.
struct sample_packet {
  enum class content : uint8_t {
    connection, ///< Of `proto`.
    arp,        ///< Who has the destination?
    neighbour,  ///< The same in IPv6.
  };
  /// What connection tracking makes of it.
  enum class tracking : uint8_t { tracked, not_yet, untracked };

  sample_link in;
  sample_link out;
  ip_address source;
  ip_address destination;
  protocol proto = protocol::tcp;
  uint16_t source_port = 40'000;
  uint16_t destination_port = 443;
  bool established = false; ///< An answer; else the first of a connection.
  bool translated = false;  ///< It came to a published port.
  bool awaits_translation = false; ///< Likewise, at an address of the host.
  bool needs_tracking = false;     ///< Untracked, it does not get through.
  bool is_bridged = false;         ///< Stays in its bridge.
  bool is_frame = false;           ///< Seen before anybody routes it.
  bool from_host = false;          ///< The source is an address of the host.
  bool to_host = false;            ///< Likewise the destination.
  content what = content::connection;
  tracking tracked = tracking::tracked;
  std::optional<sample_flow> original = {}; ///< As tracked; empty: not known.
  std::optional<sample_flow> reply = {};
  /// What its source may become; null: whatever somebody likes.
  std::shared_ptr<const std::vector<ip_address>> homes = {};
  uint16_t size = 60; ///< With the header of IP.
};

/// Someone in the internet, to ask about. An ordinary address, for firewalls
/// and routing tables may have lines of their own for those of documentation.
/// Nothing is ever sent there.
ip_address outsider(ip_family family);

/// Its number in IP headers.
uint8_t ip_number(protocol x);
uint8_t ip_protocol(const sample_packet& x);

/// As it is on the wire, without options.
std::string network_header(const sample_packet& x);
std::string transport_header(const sample_packet& x);

} // namespace troupe::netns
