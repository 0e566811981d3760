#pragma once

#include "troupe/netns/ports/proxy_wire.hpp"
#include "troupe/tools/troupe-proxy/loop.hpp"
#include "troupe/tools/troupe-proxy/pump.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>

namespace troupe::proxy {

/// Bounds on what clients can make the process hold.
struct limits {
  size_t connections = 16'384;        ///< Of all ports.
  size_t flows = 16'384;              ///< UDP clients of all ports.
  std::chrono::seconds flow_rest{90}; ///< A UDP client is forgotten after it.
};

/// What all ports share.
struct shared_state {
  event_loop loop;
  pipe_pool pipes;
  proxy::limits limits;
  size_t connections = 0;
  size_t flows = 0;
};

/// One host port: its socket and what came of it.
class port : public event_handler {
public:
  using record = netns::proxy_wire::record;

  /// @pre `socket` is the one that `what` says.
  port(shared_state& shared, const record& what, unique_fd socket);
  ~port() override;

  const record& what() const {
    return what_;
  }

  /// Serves the port from now on, or only holds it when the record has no
  /// target. Connections stay. @returns false with errno set.
  bool lead_to(const record& what);

  /// Work that time brings; called about once a second.
  virtual void tick() = 0;

protected:
  shared_state& shared() {
    return *shared_;
  }
  int socket() const {
    return socket_.get();
  }
  uint64_t number() const {
    return number_;
  }
  bool is_served() const {
    return what_.target_family != 0;
  }

  /// Stops or resumes looking at the socket.
  void listen(bool on);

private:
  shared_state* shared_;
  record what_;
  unique_fd socket_;
  uint64_t number_;
  bool listening_ = false;
  bool watched_ = false;
};

/// For connections: TCP and SCTP.
std::unique_ptr<port>
make_stream_port(shared_state& shared, const port::record& what,
                 unique_fd socket);

/// For datagrams: UDP.
std::unique_ptr<port>
make_datagram_port(shared_state& shared, const port::record& what,
                   unique_fd socket);

/// Do the two mean the same socket?
bool same_socket(const port::record& a, const port::record& b);

} // namespace troupe::proxy
