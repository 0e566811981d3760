#pragma once

#include <string>

namespace troupe::proxy {

/// Sets the limit of descriptors, as far up as this process may.
/// @returns how many it can have.
size_t set_descriptor_limit(size_t wanted);

/// Closes all descriptors from 3 on but one, which may be -1.
void close_others(int keep);

/// Gives up everything but the open sockets: user and groups (the given user,
/// else `nobody`; only as root), capabilities, the right to gain any.
/// @returns the reason if that was not possible; empty if done.
std::string drop_privileges(const std::string& user);

/// Lets the kernel refuse all system calls but those that serving ports
/// takes. Done as far as the kernel and the machine allow.
/// @returns whether it is in force.
bool confine();

} // namespace troupe::proxy
