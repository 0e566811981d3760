#pragma once

// CAF's wire protocol over sockets that are connected already, in place of its
// own listening and connecting. Written for CAF 0.17.6: the only file that
// knows the insides of its I/O module.

#include "troupe/actors/core/caf.hpp"
#include "troupe/netns/unique_fd.hpp"

#include <caf/io/all.hpp>

#include <set>
#include <string>

namespace troupe::remote {

/// Bytes of a header of the wire protocol.
inline constexpr size_t basp_header_bytes = 32;

/// Is this the greeting of a peer that speaks as we do?
/// @param header of `basp_header_bytes`. Errors: `unsupported`.
result<void> check_greeting(std::string_view header);

/// Serves one peer, as if it had connected to a port where `whom` is published.
/// @param socket the system's own from here on.
void serve_peer(caf::actor_system& system, netns::unique_fd socket,
                const caf::strong_actor_ptr& whom,
                std::set<std::string> interface);

/// What a connection led to.
struct found_peer {
  caf::strong_actor_ptr published; ///< Null: nothing is published there.
  std::set<std::string> interface;
};

namespace detail {

/// The broker of the wire protocol.
caf::actor basp_broker_of(caf::actor_system& system);

/// One end of a connection.
caf::io::scribe_ptr
make_scribe(caf::actor_system& system, netns::unique_fd socket);

/// Stands where CAF wants a port; none is used.
inline constexpr uint16_t no_port = 1;

} // namespace detail

/// Greets the peer behind a socket. Exactly one of `ok(found_peer)` and
/// `failed(error)` runs in the actor.
template <class Self, class Ok, class Failed>
void greet_peer(Self* self, netns::unique_fd socket,
                std::chrono::milliseconds deadline, Ok ok, Failed failed) {
  auto broker = detail::basp_broker_of(self->system());
  auto scribe = detail::make_scribe(self->system(), std::move(socket));
  self
    ->request(broker, deadline, caf::connect_atom::value, std::move(scribe),
              detail::no_port)
    .then(
      [ok](caf::node_id&, caf::strong_actor_ptr& published,
           std::set<std::string>& interface) mutable {
        ok(found_peer{std::move(published), std::move(interface)});
      },
      [failed](caf::error& why) mutable {
        failed(from_caf(why));
      });
}

} // namespace troupe::remote
