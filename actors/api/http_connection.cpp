#include "troupe/actors/api/http_connection.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/socket.h>
#include <sys/un.h>

namespace troupe {

namespace {

using clock = std::chrono::steady_clock;

/// Until a server with a full backlog is tried again; the kernel does not say
/// when there is room.
constexpr auto backlog_pause = std::chrono::milliseconds{5};

constexpr size_t portion_bytes = size_t{1} << 16U;

std::string text_of(const http_request& what) {
  auto result = what.method + " " + what.target
                + " HTTP/1.1\r\nHost: trouped\r\n" + what.header_lines;
  if (what.deadline.count() > 0)
    result += "Troupe-Deadline-Ms: " + std::to_string(what.deadline.count())
              + "\r\n";
  if (what.method == "GET")
    return result + "\r\n";
  const auto& body = what.body.empty() ? std::string{"{}"} : what.body;
  return result + "Content-Type: application/json\r\nContent-Length: "
         + std::to_string(body.size()) + "\r\n\r\n" + body;
}

bool would_block(int os_error) {
  return os_error == EAGAIN || os_error == EWOULDBLOCK;
}

} // namespace

due_time due_after(std::chrono::milliseconds deadline) {
  constexpr auto longest = std::chrono::hours{24 * 365};
  if (deadline.count() <= 0)
    return never;
  return clock::now() + std::min<clock::duration>(deadline, longest);
}

error out_of_time(const http_request& what) {
  return {ec::timeout,
          "request " + what.operation + ": no answer within "
            + std::to_string(what.deadline.count()) + " ms",
          "the outcome is unknown; a longer --timeout may help", 0};
}

error unreachable(const std::string& socket_path, int os_error) {
  auto result = os_failure(os_error == 0 ? ECONNREFUSED : os_error,
                           "cannot reach the daemon at unix://" + socket_path);
  auto denied = os_error == EACCES || os_error == EPERM;
  result.code = denied ? ec::forbidden : ec::unavailable;
  result.hint = denied ? "become root, or a member of the socket's group"
                       : "is trouped running? See also --host and TROUPE_HOST";
  return result;
}

http_connection::http_connection(std::string socket_path)
  : socket_path_{std::move(socket_path)} {
}

void http_connection::start(http_request what, due_time due, body_sink sink) {
  request_ = std::move(what);
  due_ = due;
  out_ = text_of(request_);
  sent_ = 0;
  refused_ = false;
  reader_ = std::make_unique<http_reader>(std::move(sink));
  if (fd_ && has_word_or_end())
    fd_ = {};
  kept_ = static_cast<bool>(fd_);
}

std::optional<result<http_response>> http_connection::go_on() {
  auto gone = fd_ ? result<void>{} : connect();
  if (gone && fd_)
    gone = is_sending() ? send() : receive();
  if (gone && !reader_->is_complete() && clock::now() >= due_)
    gone = fail(out_of_time(request_));
  if (gone && !reader_->is_complete())
    return std::nullopt;
  if (!gone || sent_ < out_.size() || !reader_->keeps_connection())
    fd_ = {};
  auto reader = std::move(reader_);
  if (!gone)
    return fail(std::move(gone.error()));
  return reader->take();
}

bool http_connection::is_sending() const {
  return sent_ < out_.size() && !refused_;
}

pollfd http_connection::awaited() const {
  auto wanted = is_sending() ? POLLIN | POLLOUT : POLLIN;
  return {fd_.get(), static_cast<short>(wanted), 0};
}

due_time http_connection::wake_time() const {
  return fd_ ? due_ : std::min(due_, next_try_);
}

result<void> http_connection::connect() {
  fd_ = {};
  kept_ = false;
  auto address = sockaddr_un{};
  address.sun_family = AF_UNIX;
  if (socket_path_.size() >= sizeof(address.sun_path))
    return fail(unreachable(socket_path_, ENAMETOOLONG));
  std::memcpy(address.sun_path, socket_path_.data(), socket_path_.size());
  auto fd = netns::unique_fd{
    ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!fd)
    return fail(unreachable(socket_path_, errno));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                sizeof(address))
      == 0) {
    fd_ = std::move(fd);
  } else if (would_block(errno)) {
    next_try_ = clock::now() + backlog_pause;
  } else if (errno != EINTR) {
    return fail(unreachable(socket_path_, errno));
  } else {
    next_try_ = clock::now();
  }
  return {};
}

result<void> http_connection::send() {
  while (is_sending()) {
    auto bytes = ::send(fd_.get(), out_.data() + sent_, out_.size() - sent_,
                        MSG_NOSIGNAL | MSG_DONTWAIT);
    if (bytes >= 0) {
      sent_ += static_cast<size_t>(bytes);
    } else if (would_block(errno)) {
      return receive();
    } else if (errno != EINTR) {
      // A kept connection that was closed a moment ago took nothing.
      if (sent_ == 0 && kept_)
        return connect();
      // One that does not want all of it may have answered before it closed.
      refused_ = true;
    }
  }
  return {};
}

result<void> http_connection::receive() {
  std::array<char, portion_bytes> buffer;
  auto bytes = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (bytes > 0) {
    auto text = std::string_view{buffer.data(), static_cast<size_t>(bytes)};
    auto taken = reader_->feed(text);
    return taken ? taken
                 : fail(with_context(std::move(taken.error()),
                                     "request " + request_.operation));
  }
  if (bytes < 0 && (would_block(errno) || errno == EINTR))
    return {};
  if (bytes == 0)
    reader_->end();
  return reader_->is_complete() ? result<void>{} : fail(hung_up());
}

// Between two requests: the other side has closed, or is about to.
bool http_connection::has_word_or_end() const {
  auto byte = char{};
  auto bytes = ::recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return bytes >= 0 || !would_block(errno);
}

error http_connection::hung_up() const {
  return {ec::unavailable,
          "request " + request_.operation
            + ": the daemon hung up before it answered",
          "the outcome is unknown; look before repeating", 0};
}

} // namespace troupe
