#pragma once

#include "troupe/netns/ports/proxy_wire.hpp"
#include "troupe/tools/troupe-proxy/address.hpp"
#include "troupe/tools/troupe-proxy/loop.hpp"
#include "troupe/tools/troupe-proxy/pump.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

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

/// The socket of one port, or of two: `::` and `0.0.0.0` of one number.
using socket_ptr = std::shared_ptr<unique_fd>;

/// One host port: its socket and what came of it.
class port : public event_handler {
public:
  using record = netns::proxy_wire::record;

  /// @pre `socket` is the one that `what` says.
  port(shared_state& shared, const record& what, socket_ptr socket);
  ~port() override;

  const record& what() const {
    return what_;
  }

  /// Serves the port from now on, or only holds it when the record has no
  /// target. Connections stay. @returns false with errno set.
  bool lead_to(const record& what);

  /// IPv4 clients of this port's socket, which takes both families, are the
  /// other's from now on. @pre The other was made with the same socket.
  void share_with(port& other);

  /// The port on the other side of a shared socket; null: there is none.
  port* partner() const {
    return partner_;
  }

  const socket_ptr& socket_of() const {
    return socket_;
  }

  /// Gives the socket up, the connections stay. Has no partner from now on.
  void close();

  /// Takes another socket after `close`.
  void reopen(socket_ptr socket);

  /// Work that time brings; called about once a second.
  virtual void tick() = 0;

  /// Nobody is connected through it.
  virtual bool is_idle() const = 0;

protected:
  shared_state& shared() {
    return *shared_;
  }
  int socket() const {
    return socket_ ? socket_->get() : -1;
  }
  uint64_t number() const {
    return number_;
  }
  bool has_target() const {
    return what_.target_family != 0;
  }

  /// Whose client is this? It came to this port's socket. Null: nobody's.
  port* owner_of(const address& client);

  /// Looks at the socket again, if there is somebody to serve.
  void resume();

  /// Stops looking at the socket, until `resume`.
  void pause();

private:
  bool is_served() const;
  bool suit_socket();
  void listen(bool on);

  shared_state* shared_;
  record what_;
  socket_ptr socket_;
  uint64_t number_;
  port* partner_ = nullptr;
  bool is_guest_ = false; ///< It is the partner who looks at the socket.
  bool listening_ = false;
  bool watched_ = false;
  std::optional<bool> silent_; ///< Unknown of a socket that has just come.
};

/// For connections: TCP and SCTP.
std::unique_ptr<port>
make_stream_port(shared_state& shared, const port::record& what,
                 socket_ptr socket);

/// For datagrams: UDP.
std::unique_ptr<port>
make_datagram_port(shared_state& shared, const port::record& what,
                   socket_ptr socket);

/// Do the two mean the same socket?
bool same_socket(const port::record& a, const port::record& b);

} // namespace troupe::proxy
