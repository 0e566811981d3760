#pragma once

#include "troupe/netns/unique_fd.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// As little as one can have between a program and rtnetlink. On purpose not the
// code of netns/, which it is there to be compared with.

namespace troupe::bench {

/// Prints why the benchmark cannot go on, and ends it.
[[noreturn]] void die(const std::string& why);

/// The same, with the text of errno.
[[noreturn]] void die_errno(const std::string& operation);

/// Requests that go to the kernel in one system call; each is acknowledged.
class request_batch {
public:
  /// Begins a request. @param body its fixed header, e.g. an `ifinfomsg`.
  template <class Body>
  void begin(uint16_t type, uint16_t flags, const Body& body) {
    begin(type, flags, &body, sizeof(body));
  }

  void attribute(uint16_t type, const void* data, size_t size);
  void text(uint16_t type, std::string_view value);
  void number(uint16_t type, uint32_t value);

  /// @returns what `close_nest` wants.
  size_t open_nest(uint16_t type);
  void close_nest(size_t nest);

  /// Bytes without an attribute around them.
  void raw(const void* data, size_t size);

  /// Ends a request.
  void end();

private:
  friend class raw_socket;
  void begin(uint16_t type, uint16_t flags, const void* body, size_t size);

  std::vector<uint8_t> bytes_;
  size_t header_ = 0; ///< Where the current request begins.
  int requests_ = 0;
};

/// A rtnetlink socket in the namespace of the thread that makes it.
class raw_socket {
public:
  raw_socket();

  /// Sends, and waits for all acknowledgements. @returns the first errno.
  int talk(const request_batch& xs);

  /// Dies on an error.
  void must(const request_batch& xs, const char* operation);

private:
  netns::unique_fd fd_;
};

/// A veth pair: one end here, the other made inside a namespace.
struct raw_veth {
  std::string name;
  std::string peer_name;
  const uint8_t* peer_mac = nullptr;
  int peer_namespace = -1; ///< A descriptor.
  int master = 0;
  uint32_t group = 0;
};

void add_veth(request_batch& xs, const raw_veth& veth);
void add_bridge(request_batch& xs, std::string_view name);
void raise_link(request_batch& xs, int index);
void add_ipv4(request_batch& xs, int index, uint32_t address, uint8_t length);
void add_default_route(request_batch& xs, uint32_t gateway);
void delete_link(request_batch& xs, std::string_view name);
void delete_group(request_batch& xs, uint32_t group);

} // namespace troupe::bench
