#include "troupe/tools/trouped/notify.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/netns/unique_fd.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include <sys/socket.h>
#include <sys/un.h>

namespace troupe::tools {

notifier notifier::from_environment() {
  const auto* socket = std::getenv("NOTIFY_SOCKET");
  return notifier{socket == nullptr ? "" : socket};
}

result<void> notifier::send(std::string_view lines) const {
  if (socket_.empty())
    return {};
  auto address = sockaddr_un{};
  address.sun_family = AF_UNIX;
  auto is_abstract = socket_[0] == '@';
  if ((socket_[0] != '/' && !is_abstract)
      || socket_.size() >= sizeof(address.sun_path))
    return fail(ec::invalid_argument,
                "notify " + quoted(socket_) + ": not a socket's name");
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (is_abstract)
    address.sun_path[0] = '\0';
  // Abstract names end where the length says, not at a zero byte.
  auto length
    = offsetof(sockaddr_un, sun_path) + socket_.size() + (is_abstract ? 0 : 1);
  auto fd = netns::unique_fd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  if (!fd
      || ::sendto(fd.get(), lines.data(), lines.size(), MSG_NOSIGNAL,
                  reinterpret_cast<const sockaddr*>(&address),
                  static_cast<socklen_t>(length))
           < 0)
    return fail(os_failure(errno, "notify " + quoted(socket_)));
  return {};
}

} // namespace troupe::tools
