#include "troupe/tools/trouped/connections.hpp"

#include <cerrno>

#include <sys/socket.h>

namespace troupe::tools {

result<peer> peer_of(int socket_fd) {
  auto credentials = ucred{};
  auto size = socklen_t{sizeof(credentials)};
  if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    return fail(os_failure(errno, "read the client's identity"));
  return peer{credentials.uid, credentials.gid, credentials.pid};
}

connection_registry::connection_registry(size_t per_user)
  : per_user_{per_user} {
}

connection_registry::handle connection_registry::add(int fd) {
  auto fresh = connection{};
  fresh.fd = fd;
  fresh.reading_since = clock::now();
  auto who = peer_of(fd);
  if (who)
    fresh.who = *who;
  auto guard = std::lock_guard{mutex_};
  auto used = ++users_[fresh.who.uid];
  fresh.refused = !who || (fresh.who.uid != 0 && used > per_user_);
  return connections_.insert(connections_.end(), fresh);
}

void connection_registry::remove(handle x) {
  auto guard = std::lock_guard{mutex_};
  auto user = users_.find(x->who.uid);
  if (--user->second == 0)
    users_.erase(user);
  connections_.erase(x);
}

void connection_registry::end_reading(handle x) {
  auto guard = std::lock_guard{mutex_};
  x->reading = false;
}

void connection_registry::begin_reading(handle x) {
  auto guard = std::lock_guard{mutex_};
  x->reading = true;
  x->reading_since = clock::now();
}

size_t connection_registry::hang_up_slow(clock::duration longest) {
  auto guard = std::lock_guard{mutex_};
  auto limit = clock::now() - longest;
  auto result = size_t{0};
  for (const auto& x : connections_) {
    if (!x.reading || x.reading_since > limit)
      continue;
    // The server's thread sees the end and closes the descriptor. It cannot
    // have closed it yet, for it calls `remove` first.
    (void)::shutdown(x.fd, SHUT_RDWR);
    ++result;
  }
  return result;
}

size_t connection_registry::size() const {
  auto guard = std::lock_guard{mutex_};
  return connections_.size();
}

} // namespace troupe::tools
