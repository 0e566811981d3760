#pragma once

#include "troupe/config/model/address.hpp"
#include "troupe/config/model/port.hpp"

#include <cstdint>
#include <string>

/// Packets to show to rules. Private to netns.
namespace troupe::netns {

/// A link as a sample packet meets it.
struct sample_link {
  std::string name; ///< Empty: none, or not known.
  int index = 0;
  uint32_t group = 0;
};

/// A packet that is promised to get through.
struct sample_packet {
  sample_link in;
  sample_link out;
  ip_address source;
  ip_address destination;
  protocol proto = protocol::tcp;
  uint16_t source_port = 40'000;
  uint16_t destination_port = 443;
  bool established = false; ///< An answer; else the first of a connection.
  bool translated = false;  ///< It came to a published port.
};

/// Its number in IP headers.
uint8_t ip_protocol(const sample_packet& x);

/// As it is on the wire, without options.
std::string network_header(const sample_packet& x);
std::string transport_header(const sample_packet& x);

} // namespace troupe::netns
