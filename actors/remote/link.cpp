#include "troupe/actors/remote/link.hpp"

#include "troupe/actors/remote/tcp.hpp"
#include "troupe/actors/remote/tls_pipe.hpp"

#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

namespace troupe::remote {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

/// For name, connection, handshake and greeting together. A dead host is known
/// by then; the requests' own deadlines may be shorter.
constexpr auto attempt_time = 10s;

constexpr auto shortest_pause = 50ms;
constexpr auto longest_pause = 1s;

/// A connection that held so long was a good one.
constexpr auto good_time = 5s;

// OpenSSL writes without MSG_NOSIGNAL, and what a signal does is the program's
// business, which this library is only a part of. Blocked it waits for this
// thread alone, and goes with it.
void block_broken_pipe() {
  auto signals = sigset_t{};
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGPIPE);
  (void)::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

} // namespace

link::link(host_port where, tls_identity identity, size_t greeting_bytes,
           result<void> (*check_greeting)(std::string_view), link_events events)
  : where_{std::move(where)}, identity_{std::move(identity)},
    greeting_bytes_{greeting_bytes}, check_greeting_{check_greeting},
    events_{std::move(events)}, wake_{
                                  ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
  thread_ = std::thread{[this] {
    run();
  }};
}

link::~link() {
  {
    auto guard = std::lock_guard{mutex_};
    stopping_ = true;
  }
  changed_.notify_all();
  (void)::eventfd_write(wake_.get(), 1);
  thread_.join();
}

void link::connect() {
  {
    auto guard = std::lock_guard{mutex_};
    wanted_ = true;
  }
  changed_.notify_all();
}

void link::disconnect(uint64_t attempt) {
  if (attempt == attempt_)
    (void)::eventfd_write(wake_.get(), 1);
}

void link::run() {
  block_broken_pipe();
  for (;;) {
    {
      auto guard = std::unique_lock{mutex_};
      changed_.wait(guard, [this] {
        return wanted_ || stopping_;
      });
      if (stopping_)
        return;
      // Who asks from now on asks for the next one.
      wanted_ = false;
    }
    pause();
    if (!stopping_)
      serve_once();
  }
}

// The next attempt comes later, unless this one turns out to be good.
void link::pause() {
  auto guard = std::unique_lock{mutex_};
  changed_.wait_for(guard, next_pause_, [this] {
    return stopping_.load();
  });
  next_pause_ = std::clamp<std::chrono::milliseconds>(
    2 * next_pause_, shortest_pause, longest_pause);
}

void link::serve_once() {
  ++attempt_;
  auto count = eventfd_t{};
  (void)::eventfd_read(wake_.get(), &count);
  until_ = clock::now() + attempt_time;
  auto socket = connect_tcp(where_, attempt_time, wake_.get());
  if (!socket)
    return events_.down(socket.error(), false);
  auto session = shake_hands(socket->get());
  if (!session)
    return events_.down(session.error(), false);
  auto greeting = read_greeting(session->get(), socket->get());
  if (!greeting)
    return events_.down(greeting.error(), false);
  carry(session->get(), socket->get(), *greeting);
}

// Not a failure of the network, so trying again is useless. The number tells
// the command line that the daemon was not reached.
error link::broken(const std::string& why) const {
  return {ec::forbidden, "connect to " + to_string(where_) + ": " + why,
          "see docs/remote.md about certificates", EPROTO};
}

result<ssl_session> link::shake_hands(int socket) {
  auto session = identity_.open(socket, where_.host);
  if (!session)
    return session;
  for (;;) {
    auto why = std::string{};
    auto next = continue_handshake(session->get(), why);
    if (next == handshake::done)
      return session;
    if (next == handshake::failed)
      return fail(broken(why));
    auto waited
      = wait(socket, next == handshake::wants_read ? POLLIN : POLLOUT);
    if (!waited)
      return fail(std::move(waited.error()));
  }
}

// With TLS 1.3 the other side's verdict about our certificate comes only now.
result<std::string> link::read_greeting(SSL* session, int socket) {
  auto result = std::string{};
  while (result.size() < greeting_bytes_) {
    auto buffer = std::array<char, 256>{};
    auto wanted = std::min(greeting_bytes_ - result.size(), buffer.size());
    errno = 0;
    auto got = SSL_read(session, buffer.data(), static_cast<int>(wanted));
    if (got > 0) {
      result.append(buffer.data(), static_cast<size_t>(got));
      continue;
    }
    if (SSL_get_error(session, got) != SSL_ERROR_WANT_READ) {
      auto why = broken(failure_text(session, got));
      // It takes part, but not now: too many connections, or just stopping.
      if (why.message.ends_with("it hung up")) {
        why.code = ec::unavailable;
        why.hint = "too many connections there? its log says more";
        why.os_error = is_busy;
      }
      return fail(std::move(why));
    }
    if (auto waited = wait(socket, POLLIN); !waited)
      return fail(std::move(waited.error()));
  }
  if (auto ok = check_greeting_(result); !ok)
    return fail(
      with_context(std::move(ok.error()), "connect to " + to_string(where_)));
  return result;
}

void link::carry(SSL* session, int socket, const std::string& greeting) {
  auto began = clock::now();
  auto fds = std::array{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0)
    return events_.down(os_failure(errno, "connect: make sockets"), false);
  auto plain = netns::unique_fd{fds[0]};
  auto theirs = netns::unique_fd{fds[1]};
  (void)::fcntl(plain.get(), F_SETFL, O_NONBLOCK);
  (void)::send(plain.get(), greeting.data(), greeting.size(), MSG_NOSIGNAL);
  events_.up(std::move(theirs), attempt_);
  auto pipe = tls_pipe{session, plain.get()};
  while (pipe.run()) {
    auto wanted = pipe.wanted();
    auto polls = std::array{pollfd{wake_.get(), POLLIN, 0},
                            pollfd{socket, wanted.socket, 0},
                            pollfd{plain.get(), wanted.plain, 0}};
    (void)::poll(polls.data(), polls.size(), -1);
    if (polls[0].revents != 0)
      break;
  }
  (void)SSL_shutdown(session);
  if (clock::now() - began > good_time)
    next_pause_ = 0ms;
  auto reason = pipe.reason().empty() ? "closed" : pipe.reason();
  events_.down({ec::unavailable,
                "connection to " + to_string(where_) + ": " + reason,
                {},
                0},
               true);
}

result<void> link::wait(int fd, short events) {
  for (;;) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      until_ - clock::now());
    if (left <= 0ms) {
      auto why = broken("no answer within "
                        + std::to_string(attempt_time.count()) + " s");
      why.code = ec::unavailable;
      why.hint = "is it troupe-remote that listens there?";
      return fail(std::move(why));
    }
    auto polls
      = std::array{pollfd{wake_.get(), POLLIN, 0}, pollfd{fd, events, 0}};
    (void)::poll(polls.data(), polls.size(), static_cast<int>(left.count()));
    if (polls[0].revents != 0)
      return fail(ec::unavailable, "connect: ended by this program");
    if (polls[1].revents != 0)
      return {};
  }
}

} // namespace troupe::remote
