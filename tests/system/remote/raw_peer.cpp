#include "troupe/tests/system/remote/raw_peer.hpp"

#include "troupe/actors/remote/uri.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

namespace troupe::test {

namespace {

sockaddr_in address_of(const std::string& text, uint16_t port) {
  auto result = sockaddr_in{};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  ::inet_pton(AF_INET, text.c_str(), &result.sin_addr);
  return result;
}

bool wait(int fd, short events, std::chrono::steady_clock::time_point until) {
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
    until - std::chrono::steady_clock::now());
  auto x = pollfd{fd, events, 0};
  return left.count() > 0 && ::poll(&x, 1, static_cast<int>(left.count())) > 0;
}

} // namespace

raw_peer::raw_peer(const std::string& source) {
  auto socket
    = netns::unique_fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  auto from = address_of(source, 0);
  auto to = address_of("127.0.0.1", remote::default_port);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&from), sizeof(from))
        == 0
      && ::connect(socket.get(), reinterpret_cast<sockaddr*>(&to), sizeof(to))
           == 0)
    socket_ = std::move(socket);
}

std::string raw_peer::shake_hands(const credentials& who) {
  auto identity = remote::tls_identity::load(who, remote::tls_role::client);
  if (!identity)
    return identity.error().message;
  identity_ = std::make_unique<remote::tls_identity>(std::move(*identity));
  auto session = identity_->open(socket_.get(), "127.0.0.1");
  if (!session)
    return session.error().message;
  session_ = std::move(*session);
  auto why = std::string{};
  return remote::continue_handshake(session_.get(), why)
             == remote::handshake::done
           ? ""
           : "failed: " + why;
}

bool raw_peer::send(std::string_view bytes) {
  while (!bytes.empty()) {
    auto sent = session_ ? SSL_write(session_.get(), bytes.data(),
                                     static_cast<int>(bytes.size()))
                         : static_cast<int>(::send(socket_.get(), bytes.data(),
                                                   bytes.size(), MSG_NOSIGNAL));
    if (sent <= 0)
      return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

std::string
raw_peer::receive(size_t count, std::chrono::milliseconds deadline) {
  auto until = std::chrono::steady_clock::now() + deadline;
  auto result = std::string{};
  while (result.size() < count) {
    auto buffer = std::array<char, 4'096>{};
    auto most = std::min(buffer.size(), count - result.size());
    if ((!session_ || SSL_pending(session_.get()) == 0)
        && !wait(socket_.get(), POLLIN, until))
      break;
    auto got
      = session_
          ? SSL_read(session_.get(), buffer.data(), static_cast<int>(most))
          : static_cast<int>(::recv(socket_.get(), buffer.data(), most, 0));
    if (got <= 0)
      break;
    result.append(buffer.data(), static_cast<size_t>(got));
  }
  return result;
}

bool raw_peer::is_closed_within(std::chrono::milliseconds deadline) {
  auto until = std::chrono::steady_clock::now() + deadline;
  while (wait(socket_.get(), POLLIN, until)) {
    auto buffer = std::array<char, 4'096>{};
    auto got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got <= 0)
      return true;
  }
  return false;
}

std::string encode(const basp_header& x) {
  auto result = std::string{};
  auto add = [&](uint64_t value, int bytes) {
    for (auto i = bytes - 1; i >= 0; --i)
      result += static_cast<char>(value >> (8 * i) & 255U);
  };
  add(x.operation, 1);
  add(0, 2);
  add(x.flags, 1);
  add(x.payload_bytes, 4);
  add(x.data, 8);
  add(x.from, 8);
  add(x.to, 8);
  return result;
}

} // namespace troupe::test
