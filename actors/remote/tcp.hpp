#pragma once

#include "troupe/actors/remote/uri.hpp"
#include "troupe/netns/unique_fd.hpp"

#include <chrono>
#include <string>

namespace troupe::remote {

/// Connects, trying each address of the name in turn; then `tune`s. Looking up
/// the name is the system's and may take longer than the deadline.
/// @param wake a descriptor that ends the attempt when it becomes readable.
/// Errors: `unavailable`.
result<netns::unique_fd>
connect_tcp(const host_port& where, std::chrono::milliseconds deadline,
            int wake);

/// Listens on one address. Errors: those of the system; `invalid_argument` for
/// a name that has several addresses or none.
result<netns::unique_fd> listen_tcp(const host_port& where);

/// The port a listener has got. @pre it listens.
uint16_t port_of(int listener);

/// The address of the other side, without its port; for messages and counting.
std::string peer_address(int socket);

/// Sends small messages at once, and finds a peer that is gone: after 10 s of
/// silence it is asked every 5 s and given up after the third time, and what it
/// does not acknowledge for 20 s ends the connection.
void tune(int socket);

} // namespace troupe::remote
