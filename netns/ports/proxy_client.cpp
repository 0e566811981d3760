#include "troupe/netns/ports/proxy_client.hpp"

#include "troupe/netns/ports/proxy_start.hpp"
#include "troupe/netns/ports/proxy_wire.hpp"
#include "troupe/netns/unique_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

namespace troupe::netns {

namespace {

namespace wire = proxy_wire;

// More answers than a proxy with all ports of a host would need.
constexpr auto max_answers = 4'096;

wire::record record_of(const proxy_port& x, wire::socket_kind socket) {
  auto result = wire::record{};
  result.proto = static_cast<uint8_t>(x.proto);
  result.host_family = x.host_ip.is_v6() ? 6 : 4;
  result.host_port = x.host_port;
  result.host_ip = x.host_ip.bytes();
  result.socket = socket;
  if (x.target) {
    result.target_family = x.target->is_v6() ? 6 : 4;
    result.target_ip = x.target->bytes();
    result.target_port = x.target_port;
  }
  return result;
}

ip_address address_of(uint8_t family, const std::array<uint8_t, 16>& bytes) {
  return ip_address::from_bytes(family == 6 ? ip_family::v6 : ip_family::v4,
                                bytes.data());
}

proxy_port port_of(const wire::record& x) {
  auto result = proxy_port{};
  result.proto = static_cast<protocol>(x.proto);
  result.host_ip = address_of(x.host_family, x.host_ip);
  result.host_port = x.host_port;
  if (x.target_family != 0)
    result.target = address_of(x.target_family, x.target_ip);
  result.target_port = x.target_port;
  result.shared = x.socket == wire::socket_kind::shared;
  return result;
}

wire::socket_kind kind_of(const proxy_port& x, const held_port* socket) {
  if (socket != nullptr)
    return wire::socket_kind::own;
  return x.shared ? wire::socket_kind::shared : wire::socket_kind::none;
}

// The other side is gone: a new one may answer.
bool is_dead(const error& x) {
  return x.os_error == EPIPE || x.os_error == ECONNRESET
         || x.os_error == ENOTCONN;
}

error failure(int number) {
  auto result = os_failure(number, "ask troupe-proxy");
  // Its state is unknown now; the book compares later.
  if (number == EAGAIN)
    return {
      ec::unavailable, "ask troupe-proxy: it does not answer", {}, ETIMEDOUT};
  return result;
}

class proxy_client : public port_proxy {
public:
  explicit proxy_client(proxy_settings settings)
    : settings_{std::move(settings)} {
  }

  proxy_health health() override {
    auto byte = char{};
    if (socket_
        && ::recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
      socket_ = unique_fd{};
    if (!socket_ && !try_connect())
      return proxy_health::absent;
    // `pid (name) state …`; the name may contain anything.
    auto file = std::ifstream{"/proc/" + std::to_string(pid()) + "/stat"};
    auto text = std::string{std::istreambuf_iterator<char>{file}, {}};
    auto end = text.rfind(") ");
    auto state = end + 2 < text.size() ? text[end + 2] : '?';
    return state == 'T' || state == 't' ? proxy_health::stopped
                                        : proxy_health::well;
  }

  result<void> wake() override {
    // -1 would be everybody.
    auto process = pid();
    if (process <= 0)
      return fail(os_failure(ESRCH, "wake troupe-proxy"));
    if (::kill(process, SIGCONT) != 0)
      return fail(os_failure(
        errno, "wake troupe-proxy (process " + std::to_string(process) + ")",
        "it is stopped"));
    return {};
  }

  result<std::vector<proxy_port>> list() override {
    auto request = std::make_unique<wire::packet>();
    request->head.what = wire::op::list;
    auto ports = std::vector<proxy_port>{};
    // One that is not there has no ports, and needs not be started to say so.
    if (!socket_ && !try_connect()
        && (errno == ENOENT || errno == ECONNREFUSED))
      return ports;
    auto done = twice([&] {
      ports.clear();
      return ask(*request, &ports);
    });
    if (!done)
      return fail(std::move(done.error()));
    return ports;
  }

  result<void>
  add(std::span<const proxy_port> ports,
      std::span<const std::shared_ptr<held_port>> sockets) override {
    auto sent = size_t{0};
    auto done = twice([&]() -> result<void> {
      for (sent = 0; sent < ports.size();) {
        auto count = std::min(ports.size() - sent, wire::max_records);
        if (auto ok = add_some(ports.subspan(sent, count),
                               sockets.subspan(sent, count));
            !ok)
          return ok;
        sent += count;
      }
      return {};
    });
    if (done)
      return done;
    auto added = std::vector<proxy_port>{};
    for (size_t i = 0; i < sent; ++i)
      if (sockets[i] || (ports[i].shared && i > 0 && sockets[i - 1]))
        added.push_back(ports[i]);
    if (!added.empty())
      static_cast<void>(remove(added));
    return done;
  }

  bool begin_add(std::span<const proxy_port> ports,
                 std::span<const std::shared_ptr<held_port>> sockets) override {
    if (!socket_ || ports.size() > wire::max_records)
      return false;
    if (!send_add(ports, sockets)) {
      socket_ = unique_fd{};
      return false;
    }
    ++begun_;
    return true;
  }

  result<void> finish_add() override {
    auto result = troupe::result<void>{};
    for (; begun_ > 0; --begun_) {
      auto answer = socket_ ? receive(nullptr) : fail(failure(EPIPE));
      if (!answer)
        socket_ = unique_fd{}; // A late one would be taken for the next.
      if (auto done = check(std::move(answer)); !done && result)
        result = std::move(done);
    }
    return result;
  }

  result<void> remove(std::span<const proxy_port> ports) override {
    return twice([&]() -> result<void> {
      for (size_t sent = 0; sent < ports.size();) {
        auto count = std::min(ports.size() - sent, wire::max_records);
        auto request = std::make_unique<wire::packet>();
        request->head.what = wire::op::remove;
        for (const auto& port : ports.subspan(sent, count))
          request->records[request->head.count++]
            = record_of(port, wire::socket_kind::none);
        if (auto ok = ask(*request, nullptr); !ok)
          return ok;
        sent += count;
      }
      return {};
    });
  }

private:
  using operation = std::function<result<void>()>;

  // With a connection; once more with a new one if the other side died.
  result<void> twice(const operation& run) {
    for (auto attempt = 0;; ++attempt) {
      if (!socket_)
        if (auto ok = connect(); !ok)
          return ok;
      auto done = run();
      if (done)
        return done;
      // After a lost answer the next one would be taken for it.
      if (is_dead(done.error()) || done.error().os_error == ETIMEDOUT)
        socket_ = unique_fd{};
      if (attempt > 0 || !is_dead(done.error()))
        return done;
    }
  }

  result<void> add_some(std::span<const proxy_port> ports,
                        std::span<const std::shared_ptr<held_port>> sockets) {
    if (!send_add(ports, sockets))
      return fail(failure(errno));
    return check(receive(nullptr));
  }

  bool send_add(std::span<const proxy_port> ports,
                std::span<const std::shared_ptr<held_port>> sockets) {
    auto request = std::make_unique<wire::packet>();
    request->head.what = wire::op::add;
    auto fds = std::vector<int>{};
    for (size_t i = 0; i < ports.size(); ++i) {
      request->records[request->head.count++]
        = record_of(ports[i], kind_of(ports[i], sockets[i].get()));
      if (sockets[i])
        fds.push_back(sockets[i]->descriptor());
    }
    return send(*request, fds);
  }

  result<void>
  ask(const wire::packet& request, std::vector<proxy_port>* ports) {
    if (!send(request, {}))
      return fail(failure(errno));
    return check(receive(ports));
  }

  // An answer that came may be a refusal.
  static result<void> check(result<int> answer) {
    if (!answer)
      return fail(std::move(answer.error()));
    return *answer == 0 ? result<void>{} : fail(failure(*answer));
  }

  // @returns the errno of an answer; an error if there is none.
  result<int> receive(std::vector<proxy_port>* ports) {
    auto answer = std::make_unique<wire::packet>();
    for (auto i = 0; i < max_answers; ++i) {
      auto size = ::recv(socket_.get(), answer.get(), sizeof(*answer), 0);
      if (size < 0)
        return fail(failure(errno));
      if (size == 0)
        return fail(failure(EPIPE));
      if (static_cast<size_t>(size) < sizeof(wire::header)
          || answer->head.magic != wire::magic
          || answer->head.count > wire::max_records
          || static_cast<size_t>(size) != answer->bytes())
        return fail(ec::internal, "ask troupe-proxy: the answer makes no sense",
                    "is it of the same version as trouped?");
      if (ports != nullptr)
        for (size_t n = 0; n < answer->head.count; ++n)
          ports->push_back(port_of(answer->records[n]));
      if (answer->head.os_error != 0 || answer->head.last != 0)
        return answer->head.os_error;
    }
    return fail(ec::internal, "ask troupe-proxy: the answer has no end");
  }

  bool send(const wire::packet& request, std::span<const int> fds) {
    auto data = iovec{const_cast<wire::packet*>(&request), request.bytes()};
    auto message = msghdr{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    alignas(cmsghdr) auto room
      = std::array<char, CMSG_SPACE(sizeof(int) * wire::max_records)>{};
    if (!fds.empty()) {
      message.msg_control = room.data();
      message.msg_controllen = CMSG_SPACE(fds.size_bytes());
      auto* head = CMSG_FIRSTHDR(&message);
      head->cmsg_level = SOL_SOCKET;
      head->cmsg_type = SCM_RIGHTS;
      head->cmsg_len = CMSG_LEN(fds.size_bytes());
      std::memcpy(CMSG_DATA(head), fds.data(), fds.size_bytes());
    }
    return ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL) >= 0;
  }

  result<void> connect() {
    if (try_connect())
      return {};
    if (auto ok = start_proxy(settings_); !ok)
      return ok;
    if (try_connect())
      return {};
    return fail(os_failure(errno, "connect to troupe-proxy"));
  }

  // The process behind the socket; -1 if nobody is there.
  pid_t pid() const {
    auto peer = ucred{};
    auto size = socklen_t{sizeof peer};
    if (!socket_
        || ::getsockopt(socket_.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size)
             != 0
        || peer.pid <= 0)
      return -1;
    return peer.pid;
  }

  bool try_connect() {
    auto path = settings_.run_dir + "/" + std::string{wire::socket_name};
    auto where = sockaddr_un{};
    where.sun_family = AF_UNIX;
    if (path.size() >= sizeof(where.sun_path)) {
      errno = ENAMETOOLONG;
      return false;
    }
    std::memcpy(where.sun_path, path.c_str(), path.size() + 1);
    auto fd = unique_fd{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    auto patience = timeval{settings_.patience_ms / 1'000,
                            settings_.patience_ms % 1'000 * 1'000};
    for (auto option : {SO_RCVTIMEO, SO_SNDTIMEO})
      ::setsockopt(fd.get(), SOL_SOCKET, option, &patience, sizeof(patience));
    if (!fd
        || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&where),
                     sizeof(where))
             != 0)
      return false;
    socket_ = std::move(fd);
    return true;
  }

  proxy_settings settings_;
  unique_fd socket_;
  int begun_ = 0; ///< Answers that nobody has waited for.
};

} // namespace

std::unique_ptr<port_proxy> make_proxy_client(proxy_settings settings) {
  return std::make_unique<proxy_client>(std::move(settings));
}

} // namespace troupe::netns
