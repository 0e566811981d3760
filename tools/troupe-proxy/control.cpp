#include "troupe/tools/troupe-proxy/control.hpp"

#include "troupe/tools/troupe-proxy/address.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace troupe::proxy {

namespace wire = netns::proxy_wire;

namespace {

constexpr size_t max_clients = 16;

// A client that does not read its answers is not worth waiting for.
constexpr auto answer_patience_s = 2;

constexpr uint8_t proto_udp = 1;
constexpr uint8_t proto_sctp = 2;

int option_of(int fd, int name) {
  auto value = -1;
  auto size = socklen_t{sizeof(value)};
  ::getsockopt(fd, SOL_SOCKET, name, &value, &size);
  return value;
}

bool is_sensible(const wire::record& x) {
  auto family = [](uint8_t number) {
    return number == 4 || number == 6;
  };
  return x.proto <= proto_sctp && family(x.host_family)
         && (x.target_family == 0 || family(x.target_family))
         && x.host_port != 0 && (x.target_family == 0 || x.target_port != 0);
}

// Its socket is the one of `::`.
bool shares_socket(const wire::record& x) {
  return x.socket == wire::socket_kind::shared && x.host_family == 4;
}

bool takes_both_families(int fd) {
  auto only = 1;
  auto size = socklen_t{sizeof(only)};
  return ::getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &size) == 0
         && only == 0;
}

// Is this the bound socket that the record says?
bool is_socket_of(int fd, const wire::record& x) {
  auto wanted = x.proto == proto_udp    ? IPPROTO_UDP
                : x.proto == proto_sctp ? IPPROTO_SCTP
                                        : IPPROTO_TCP;
  auto where = address{};
  if (option_of(fd, SO_PROTOCOL) != wanted
      || ::getsockname(fd, where.data(), &where.size) != 0)
    return false;
  return is_host_address(where, x)
         && (x.proto == proto_udp || option_of(fd, SO_ACCEPTCONN) == 1);
}

} // namespace

// One connection of a daemon.
class control::client : public event_handler {
public:
  client(control& owner, shared_state& shared, unique_fd socket)
    : owner_{&owner}, shared_{&shared}, socket_{std::move(socket)},
      number_{shared.loop.enter(*this)} {
    auto patience = timeval{answer_patience_s, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience,
                 sizeof(patience));
  }

  ~client() override {
    shared_->loop.leave(number_);
  }

  bool open() {
    return shared_->loop.watch(socket_.get(), EPOLLIN, number_);
  }

  uint64_t number() const {
    return number_;
  }

  void on_event(uint32_t events) override {
    // What it still asked for is not done: it cannot know, and may have asked
    // for the contrary over another connection.
    if ((events & EPOLLHUP) != 0)
      return owner_->drop(number_); // Destroys this.
    auto request = std::make_unique<packet>();
    auto sockets = std::vector<unique_fd>{};
    auto size = receive(*request, sockets);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
      return;
    if (size <= 0
        || !obey(*request, static_cast<size_t>(size), std::move(sockets)))
      owner_->drop(number_); // Destroys this.
  }

private:
  ssize_t receive(packet& request, std::vector<unique_fd>& sockets);
  bool obey(const packet& request, size_t size, std::vector<unique_fd> sockets);
  bool send_list();
  bool answer(int os_error);
  bool send(const packet& x);

  control* owner_;
  shared_state* shared_;
  unique_fd socket_;
  uint64_t number_;
};

ssize_t
control::client::receive(packet& request, std::vector<unique_fd>& sockets) {
  alignas(cmsghdr) auto room
    = std::array<char, CMSG_SPACE(sizeof(int) * wire::max_records)>{};
  auto data = iovec{&request, sizeof(request)};
  auto message = msghdr{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = room.data();
  message.msg_controllen = room.size();
  auto size
    = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size <= 0)
    return size;
  for (auto* x = CMSG_FIRSTHDR(&message); x != nullptr;
       x = CMSG_NXTHDR(&message, x)) {
    if (x->cmsg_level != SOL_SOCKET || x->cmsg_type != SCM_RIGHTS)
      continue;
    auto count = (x->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      auto fd = -1;
      std::memcpy(&fd, CMSG_DATA(x) + i * sizeof(int), sizeof(fd));
      sockets.emplace_back(fd);
    }
  }
  return size;
}

bool control::client::obey(const packet& request, size_t size,
                           std::vector<unique_fd> sockets) {
  if (size < sizeof(wire::header) || request.head.magic != wire::magic
      || request.head.version != wire::version
      || request.head.count > wire::max_records || size != request.bytes())
    return false;
  switch (request.head.what) {
  case wire::op::list:
    return send_list();
  case wire::op::add:
    return answer(owner_->add(request, std::move(sockets)));
  case wire::op::remove:
    owner_->remove(request);
    return answer(0);
  case wire::op::answer:
    break;
  }
  return false;
}

bool control::client::send_list() {
  auto result = std::make_unique<packet>();
  result->head.what = wire::op::answer;
  result->head.last = 0;
  for (const auto& [key, port] : owner_->ports_) {
    if (!port->socket_of())
      continue;
    if (result->head.count == wire::max_records) {
      if (!send(*result))
        return false;
      result->head.count = 0;
    }
    auto& x = result->records[result->head.count++];
    x = port->what();
    x.socket = port->partner() != nullptr ? wire::socket_kind::shared
                                          : wire::socket_kind::none;
  }
  result->head.last = 1;
  return send(*result);
}

bool control::client::answer(int os_error) {
  auto result = std::make_unique<packet>();
  result->head.what = wire::op::answer;
  result->head.os_error = os_error;
  return send(*result);
}

bool control::client::send(const packet& x) {
  return ::send(socket_.get(), &x, x.bytes(), MSG_NOSIGNAL)
         == static_cast<ssize_t>(x.bytes());
}

control::key control::key_of(const record& x) {
  auto result
    = key{x.proto, x.host_family, static_cast<uint8_t>(x.host_port >> 8U),
          static_cast<uint8_t>(x.host_port & 255U)};
  std::ranges::copy(x.host_ip, result.begin() + 4);
  return result;
}

control::control(shared_state& shared, unique_fd listener, uid_t owner)
  : shared_{&shared}, listener_{std::move(listener)}, owner_{owner},
    number_{shared.loop.enter(*this)} {
  open_ = shared.loop.watch(listener_.get(), EPOLLIN, number_);
}

control::~control() {
  shared_->loop.leave(number_);
}

void control::on_event(uint32_t) {
  auto socket
    = unique_fd{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  if (!socket || !may_ask(socket.get()) || clients_.size() >= max_clients)
    return;
  auto x = std::make_unique<client>(*this, *shared_, std::move(socket));
  if (!x->open())
    return;
  auto number = x->number();
  clients_.emplace(number, std::move(x));
}

void control::tick() {
  for (auto& [key, port] : ports_)
    port->tick();
  // Of a shared socket that went, only connections were kept.
  std::erase_if(ports_, [](const auto& x) {
    return !x.second->socket_of() && x.second->is_idle();
  });
}

bool control::may_ask(int fd) const {
  auto peer = ucred{};
  auto size = socklen_t{sizeof(peer)};
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0
         && (peer.uid == 0 || peer.uid == owner_);
}

int control::add(const packet& request, std::vector<unique_fd> sockets) {
  struct former {
    record what;
    bool was_there;
    bool had_socket;
  };
  auto used = size_t{0};
  auto before = std::vector<former>{};
  auto number = 0;
  for (size_t i = 0; i < request.head.count && number == 0; ++i) {
    const auto& what = request.records[i];
    auto socket = unique_fd{};
    if (what.socket == wire::socket_kind::own) {
      // Fewer came than were sent: this process has too many.
      if (used == sockets.size()) {
        number = EMFILE;
        break;
      }
      socket = std::move(sockets[used++]);
    }
    const auto* present = find(what);
    before.push_back({present != nullptr ? present->what() : what,
                      present != nullptr,
                      present != nullptr && present->socket_of()});
    number = add_one(what, std::move(socket));
  }
  if (number == 0)
    return 0;
  for (const auto& x : before) {
    auto* present = find(x.what);
    if (!x.was_there)
      remove(x.what);
    else if (!x.had_socket)
      present->close();
    else if (present != nullptr)
      present->lead_to(x.what);
  }
  return number;
}

int control::add_one(const record& what, unique_fd own) {
  if (!is_sensible(what))
    return EINVAL;
  auto* present = find(what);
  if (present != nullptr && present->socket_of())
    return present->lead_to(what) ? 0 : errno;
  auto socket = choose_socket(what, std::move(own));
  if (!socket)
    return errno;
  if (present != nullptr) {
    present->reopen(socket);
  } else {
    auto made = what.proto == proto_udp
                  ? make_datagram_port(*shared_, what, socket)
                  : make_stream_port(*shared_, what, socket);
    present = made.get();
    ports_.emplace(key_of(what), std::move(made));
  }
  if (shares_socket(what))
    host_of(what)->share_with(*present);
  return present->lead_to(what) ? 0 : errno;
}

// Null with errno set if there is none that suits.
socket_ptr control::choose_socket(const record& what, unique_fd own) {
  if (shares_socket(what)) {
    auto* host = host_of(what);
    if (host != nullptr)
      return host->socket_of();
  } else if (own && is_socket_of(own.get(), what)) {
    return std::make_shared<unique_fd>(std::move(own));
  }
  errno = own ? EINVAL : ENOENT;
  return nullptr;
}

// The port at `::` whose socket takes what is for `0.0.0.0`, and nobody has
// that yet.
port* control::host_of(const record& what) {
  auto there = what;
  there.host_family = 6;
  auto* x = find(there);
  const auto is_free = what.host_ip == decltype(what.host_ip){} && x != nullptr
                       && x->partner() == nullptr && x->socket_of()
                       && takes_both_families(x->socket_of()->get());
  return is_free ? x : nullptr;
}

void control::remove(const packet& request) {
  for (size_t i = 0; i < request.head.count; ++i)
    remove(request.records[i]);
}

// The socket goes with the first of two that share it: no socket can be cut
// down to one family.
void control::remove(const record& what) {
  auto* x = find(what);
  if (x == nullptr)
    return;
  if (auto* partner = x->partner())
    partner->close();
  ports_.erase(key_of(what));
}

port* control::find(const record& what) {
  auto i = ports_.find(key_of(what));
  return i == ports_.end() ? nullptr : i->second.get();
}

void control::drop(uint64_t number) {
  clients_.erase(number);
}

} // namespace troupe::proxy
