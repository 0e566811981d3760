#pragma once

#include "troupe/tools/troupe-proxy/port.hpp"

#include <array>
#include <map>
#include <memory>
#include <vector>

#include <sys/types.h>

namespace troupe::proxy {

/// The ports and the socket on which the daemon asks for them.
class control : public event_handler {
public:
  /// @param listener listening Unix socket.
  /// @param owner who may ask besides root.
  control(shared_state& shared, unique_fd listener, uid_t owner);
  ~control() override;

  /// False if it could not be set up.
  bool is_open() const {
    return open_;
  }

  void on_event(uint32_t events) override;

  /// Work that time brings; called about once a second.
  void tick();

  /// Nothing is held and nobody is connected.
  bool is_idle() const {
    return ports_.empty() && clients_.empty();
  }

private:
  class client;
  using record = netns::proxy_wire::record;
  using packet = netns::proxy_wire::packet;

  /// Protocol, family, number and address.
  using key = std::array<uint8_t, 20>;

  static key key_of(const record& x);
  bool may_ask(int fd) const;
  int add(const packet& request, std::vector<unique_fd> sockets);
  int add_one(const record& what, unique_fd socket);
  socket_ptr choose_socket(const record& what, unique_fd own);
  port* host_of(const record& what);
  void remove(const packet& request);
  void remove(const record& what);
  port* find(const record& what);
  void drop(uint64_t number);

  shared_state* shared_;
  unique_fd listener_;
  uid_t owner_;
  uint64_t number_;
  bool open_ = false;
  std::map<key, std::unique_ptr<port>> ports_;
  std::map<uint64_t, std::unique_ptr<client>> clients_;
};

} // namespace troupe::proxy
