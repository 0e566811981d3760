#include "troupe/tools/troupe-proxy/address.hpp"
#include "troupe/tools/troupe-proxy/port.hpp"

#include <cerrno>
#include <unordered_map>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace troupe::proxy {

namespace {

constexpr auto accepts_per_turn = 64;

// The container is one hop away: four attempts are 15 s.
constexpr auto connect_attempts = 3;

constexpr uint32_t edge = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

void set_option(int fd, int level, int name, int value) {
  ::setsockopt(fd, level, name, &value, sizeof(value));
}

// The peer sees a reset instead of an orderly end.
void break_off(int fd) {
  auto now = linger{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

class stream_port;

class connection : public event_handler {
public:
  connection(stream_port& owner, shared_state& shared, bool is_tcp,
             unique_fd client)
    : owner_{&owner}, shared_{&shared}, client_{std::move(client)}, up_{is_tcp},
      down_{is_tcp}, number_{shared.loop.enter(*this)} {
    ++shared.connections;
  }

  ~connection() override {
    shared_->loop.leave(number_);
    --shared_->connections;
  }

  uint64_t number() const {
    return number_;
  }

  // Begins the way to the container.
  bool open(const address& target, int protocol);
  void on_event(uint32_t events) override;

private:
  bool is_connected();
  void end(bool orderly);

  stream_port* owner_;
  shared_state* shared_;
  unique_fd client_;
  unique_fd target_;
  pump up_;
  pump down_;
  uint64_t number_;
  bool connected_ = false;
};

class stream_port : public port {
public:
  using port::port;

  void on_event(uint32_t) override {
    for (auto i = 0; i < accepts_per_turn; ++i) {
      if (shared().connections >= shared().limits.connections)
        return pause(); // They wait in the backlog.
      auto peer = address{};
      auto client = unique_fd{::accept4(socket(), peer.data(), &peer.size,
                                        SOCK_CLOEXEC | SOCK_NONBLOCK)};
      if (!client) {
        // Without descriptors the event would come again at once.
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS
            || errno == ENOMEM)
          pause();
        return;
      }
      // A partner is for the same protocol.
      if (auto* owner = static_cast<stream_port*>(owner_of(peer)))
        owner->open(std::move(client));
      else
        break_off(client.get());
    }
  }

  void tick() override {
    resume();
  }

  bool is_idle() const override {
    return connections_.empty();
  }

  void drop(uint64_t number) {
    connections_.erase(number);
    if (connections_.size() % 64 == 0)
      resume();
  }

private:
  void open(unique_fd client) {
    auto is_tcp = what().proto == 0;
    auto x = std::make_unique<connection>(*this, shared(), is_tcp,
                                          std::move(client));
    if (!x->open(target_of(what()), is_tcp ? IPPROTO_TCP : IPPROTO_SCTP))
      return;
    auto number = x->number();
    connections_.emplace(number, std::move(x));
  }

  std::unordered_map<uint64_t, std::unique_ptr<connection>> connections_;
};

bool connection::open(const address& target, int protocol) {
  break_off(client_.get()); // Until the container has answered.
  target_ = unique_fd{::socket(
    target.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol)};
  if (!target_)
    return false;
  for (auto fd : {client_.get(), target_.get()}) {
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    if (protocol == IPPROTO_TCP)
      set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  }
  if (protocol == IPPROTO_TCP)
    set_option(target_.get(), IPPROTO_TCP, TCP_SYNCNT, connect_attempts);
  if (::connect(target_.get(), target.data(), target.size) != 0
      && errno != EINPROGRESS)
    return false;
  return shared_->loop.watch(client_.get(), edge, number_)
         && shared_->loop.watch(target_.get(), edge, number_);
}

bool connection::is_connected() {
  if (connected_)
    return true;
  auto peer = address{};
  if (::getpeername(target_.get(), peer.data(), &peer.size) != 0)
    return false;
  auto never = linger{0, 0};
  ::setsockopt(client_.get(), SOL_SOCKET, SO_LINGER, &never, sizeof(never));
  connected_ = true;
  return true;
}

void connection::on_event(uint32_t events) {
  if (!is_connected()) {
    auto why = 0;
    auto size = socklen_t{sizeof(why)};
    ::getsockopt(target_.get(), SOL_SOCKET, SO_ERROR, &why, &size);
    if (why != 0)
      end(false);
    return;
  }
  auto up = up_.run(client_.get(), target_.get(), shared_->pipes);
  auto down = down_.run(target_.get(), client_.get(), shared_->pipes);
  using outcome = pump::outcome;
  if (up == outcome::failed || down == outcome::failed
      || (events & EPOLLERR) != 0)
    return end(false);
  if (up == outcome::finished && down == outcome::finished)
    return end(true);
  if (up == outcome::more || down == outcome::more)
    shared_->loop.call_again(number_);
}

void connection::end(bool orderly) {
  if (!orderly) {
    break_off(client_.get());
    break_off(target_.get());
  }
  owner_->drop(number_); // Destroys this.
}

} // namespace

std::unique_ptr<port>
make_stream_port(shared_state& shared, const port::record& what,
                 socket_ptr socket) {
  return std::make_unique<stream_port>(shared, what, std::move(socket));
}

} // namespace troupe::proxy
