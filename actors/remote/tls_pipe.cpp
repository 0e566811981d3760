#include "troupe/actors/remote/tls_pipe.hpp"

#include <cerrno>
#include <cstring>
#include <openssl/err.h>

#include <poll.h>
#include <sys/socket.h>

namespace troupe::remote {

namespace {

/// Rounds before others get their turn.
constexpr int max_rounds = 16;

bool would_block() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

} // namespace

tls_pipe::tls_pipe(SSL* session, int plain)
  : session_{session}, plain_{plain},
    in_storage_{std::make_unique<buffer>()}, in_{*in_storage_},
    out_storage_{std::make_unique<buffer>()}, out_{*out_storage_} {
}

tls_pipe::interest tls_pipe::wanted() const {
  auto result = interest{};
  if (in_.is_empty())
    result.socket |= reading_wants_ != 0 ? reading_wants_ : short{POLLIN};
  else
    result.plain |= POLLOUT;
  if (out_.is_empty())
    result.plain |= POLLIN;
  else
    result.socket |= writing_wants_ != 0 ? writing_wants_ : short{POLLOUT};
  return result;
}

bool tls_pipe::run() {
  for (auto round = 0; round < max_rounds; ++round) {
    auto moved = false;
    for (auto one : {&tls_pipe::receive, &tls_pipe::deliver, &tls_pipe::collect,
                     &tls_pipe::send}) {
      auto what = (this->*one)();
      if (what == step::ended)
        return false;
      moved = moved || what == step::moved;
    }
    if (!moved)
      return true;
  }
  return true;
}

tls_pipe::step tls_pipe::receive() {
  if (!in_.is_empty())
    return step::blocked;
  ERR_clear_error();
  errno = 0;
  auto got = SSL_read(session_, in_.bytes.data(), in_.bytes.size());
  if (got <= 0)
    return blocked_or_ended(got, reading_wants_);
  reading_wants_ = 0;
  in_.used = 0;
  in_.filled = static_cast<size_t>(got);
  return step::moved;
}

tls_pipe::step tls_pipe::deliver() {
  if (in_.is_empty())
    return step::blocked;
  auto sent = ::send(plain_, in_.bytes.data() + in_.used, in_.filled - in_.used,
                     MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0)
    return would_block() ? step::blocked : step::ended;
  in_.used += static_cast<size_t>(sent);
  return step::moved;
}

tls_pipe::step tls_pipe::collect() {
  if (!out_.is_empty())
    return step::blocked;
  auto got = ::recv(plain_, out_.bytes.data(), out_.bytes.size(), MSG_DONTWAIT);
  if (got < 0 && would_block())
    return step::blocked;
  if (got <= 0)
    return step::ended;
  out_.used = 0;
  out_.filled = static_cast<size_t>(got);
  return step::moved;
}

tls_pipe::step tls_pipe::send() {
  if (out_.is_empty())
    return step::blocked;
  ERR_clear_error();
  errno = 0;
  auto sent = SSL_write(session_, out_.bytes.data() + out_.used,
                        static_cast<int>(out_.filled - out_.used));
  if (sent <= 0)
    return blocked_or_ended(sent, writing_wants_);
  writing_wants_ = 0;
  out_.used += static_cast<size_t>(sent);
  return step::moved;
}

tls_pipe::step tls_pipe::blocked_or_ended(int returned, short& wants) {
  switch (SSL_get_error(session_, returned)) {
  case SSL_ERROR_WANT_READ:
    wants = POLLIN;
    return step::blocked;
  case SSL_ERROR_WANT_WRITE:
    wants = POLLOUT;
    return step::blocked;
  default:
    reason_ = failure_text(session_, returned);
    return step::ended;
  }
}

} // namespace troupe::remote
