#include "troupe/tests/system/publish/connection.hpp"

#include <algorithm>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::test {

namespace {

sockaddr_in address_v4(const std::string& text, uint16_t port) {
  auto result = sockaddr_in{};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  ::inet_pton(AF_INET, text.c_str(), &result.sin_addr);
  return result;
}

void limit_waits(int fd) {
  auto patience = timeval{2, 0};
  for (auto option : {SO_RCVTIMEO, SO_SNDTIMEO})
    ::setsockopt(fd, SOL_SOCKET, option, &patience, sizeof(patience));
}

} // namespace

connection::~connection() {
  if (fd_ < 0)
    return;
  // At once: a connection that is being closed keeps its namespace alive.
  auto now = linger{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  ::close(fd_);
}

bool connection::say(const std::string& text) const {
  return ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL)
         == static_cast<ssize_t>(text.size());
}

std::string connection::hear() const {
  auto result = std::string(size_t{1} << 16U, '\0');
  auto size = ::recv(fd_, result.data(), result.size(), 0);
  result.resize(static_cast<size_t>(std::max<ssize_t>(size, 0)));
  return result;
}

void connection::hang_up() const {
  ::shutdown(fd_, SHUT_RDWR);
}

connection connection::accept() const {
  auto fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd >= 0)
    limit_waits(fd);
  return connection{fd};
}

connection
connect_from(const place& where, const std::string& address, uint16_t port) {
  auto fd = open_socket(where, AF_INET, SOCK_STREAM);
  auto to = address_v4(address, port);
  limit_waits(fd);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0)
    return connection{fd};
  ::close(fd);
  return connection{};
}

connection listen_in(const place& where, uint16_t port) {
  auto fd = open_socket(where, AF_INET, SOCK_STREAM);
  auto on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  limit_waits(fd);
  auto at = address_v4("0.0.0.0", port);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof(at)) == 0
      && ::listen(fd, 8) == 0)
    return connection{fd};
  ::close(fd);
  return connection{};
}

} // namespace troupe::test
