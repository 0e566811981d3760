#include "troupe/tools/troupe-remote/connection.hpp"

#include "troupe/actors/remote/certificates.hpp"
#include "troupe/actors/remote/tcp.hpp"

#include <array>
#include <cerrno>

#include <sys/socket.h>

namespace troupe::tools::remote {

namespace wire = troupe::remote;

namespace {

/// Twice the largest answer: a worker that does not read them is broken.
constexpr size_t max_unsent_bytes = 2 * max_answer_bytes;

/// Reads of the channel before others get their turn.
constexpr int max_reads = 8;

} // namespace

connection::connection(netns::unique_fd socket, wire::ssl_session session,
                       steady_time handshake_until)
  : socket_{std::move(socket)}, session_{std::move(session)},
    until_{handshake_until}, address_{wire::peer_address(socket_.get())} {
}

connection::~connection() {
  // A courtesy: the other side then knows that nothing was cut off.
  if (pipe_)
    (void)SSL_shutdown(session_.get());
}

void connection::watch(std::vector<pollfd>& into) const {
  if (!pipe_) {
    into.push_back({socket_.get(), handshake_wants_, 0});
    return;
  }
  auto wanted = pipe_->wanted();
  into.push_back({socket_.get(), wanted.socket, 0});
  into.push_back({worker_.stream(), wanted.plain, 0});
  auto channel = short{POLLIN};
  if (!unsent_.empty())
    channel |= POLLOUT;
  into.push_back({worker_.channel(), channel, 0});
}

bool connection::run(const connection_surroundings& around, steady_time now) {
  if (!pipe_)
    return shake_hands(around, now);
  if (!pipe_->run()) {
    reason_ = pipe_->reason().empty() ? "its worker ended" : "";
    return false;
  }
  return read_channel(around) && write_channel();
}

bool connection::shake_hands(const connection_surroundings& around,
                             steady_time now) {
  switch (wire::continue_handshake(session_.get(), reason_)) {
  case wire::handshake::wants_read:
    handshake_wants_ = POLLIN;
    return true;
  case wire::handshake::wants_write:
    handshake_wants_ = POLLOUT;
    return true;
  case wire::handshake::failed:
    return false;
  case wire::handshake::done:
    break;
  }
  return let_in(around, now);
}

bool connection::let_in(const connection_surroundings& around,
                        steady_time now) {
  auto peer = wire::peer_subject(session_.get());
  if (peer.empty()) {
    reason_ = "its certificate has no subject";
    return false;
  }
  // From here on it counts as this peer's, whatever becomes of it.
  if (!around.admit(peer)) {
    reason_ = "too many connections of " + peer;
    return false;
  }
  peer_ = peer;
  auto left = wire::end_of(SSL_get0_peer_certificate(session_.get()))
              - std::chrono::system_clock::now();
  until_ = now + std::chrono::duration_cast<steady_time::duration>(left);
  auto started = worker_process::start();
  if (!started) {
    reason_ = started.error().message;
    return false;
  }
  worker_ = std::move(*started);
  pipe_.emplace(session_.get(), worker_.stream());
  return pipe_->run();
}

bool connection::is_accepted_by(const wire::tls_identity& x) {
  if (!is_stranger())
    return x.accepts_peer(session_.get(), reason_);
  // Its certificate would be compared with what was trusted before.
  reason_ = "it came while the certificates were replaced";
  return false;
}

bool connection::read_channel(const connection_surroundings& around) {
  auto buffer = std::array<char, 65'536>{};
  for (auto i = 0; i < max_reads; ++i) {
    auto got
      = ::recv(worker_.channel(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
      return true;
    if (got <= 0) {
      reason_ = "its worker ended";
      return false;
    }
    frames_.feed({buffer.data(), static_cast<size_t>(got)});
    for (;;) {
      auto frame = frames_.next();
      if (frame && !*frame)
        break;
      auto q = frame ? decode_question(**frame)
                     : result<question>{fail(frame.error())};
      if (!q) {
        reason_ = "its worker: " + q.error().message;
        return false;
      }
      around.ask(std::move(*q));
    }
  }
  return true;
}

bool connection::reply(const answer& x) {
  if (!pipe_)
    return true;
  unsent_ += encode(x);
  return write_channel();
}

bool connection::write_channel() {
  while (sent_ < unsent_.size()) {
    auto sent = ::send(worker_.channel(), unsent_.data() + sent_,
                       unsent_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR)
      continue;
    if (sent < 0 && errno == EAGAIN)
      return unsent_.size() - sent_ <= max_unsent_bytes;
    if (sent < 0)
      return false;
    sent_ += static_cast<size_t>(sent);
  }
  unsent_.clear();
  sent_ = 0;
  return true;
}

} // namespace troupe::tools::remote
