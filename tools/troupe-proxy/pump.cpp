#include "troupe/tools/troupe-proxy/pump.hpp"

#include <array>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::proxy {

namespace {

constexpr size_t max_held = 64 << 10;
constexpr size_t max_spare_pipes = 64;

// A fast connection must not keep the others waiting.
constexpr auto rounds_per_turn = 16;

} // namespace

std::optional<data_pipe> pipe_pool::take() {
  if (!spare_.empty()) {
    auto result = std::move(spare_.back());
    spare_.pop_back();
    return result;
  }
  auto ends = std::array<int, 2>{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0)
    return std::nullopt;
  return data_pipe{unique_fd{ends[0]}, unique_fd{ends[1]}};
}

void pipe_pool::give(data_pipe pipe) {
  if (spare_.size() < max_spare_pipes)
    spare_.push_back(std::move(pipe));
}

pump::outcome pump::run(int from, int to, pipe_pool& pool) {
  if (finished_)
    return outcome::finished;
  for (auto round = 0; round < rounds_per_turn; ++round) {
    auto in = at_end_ ? step::nothing : fill(from, pool);
    if (in == step::broken)
      return outcome::failed;
    auto out = held_ > 0 ? drain(to) : step::nothing;
    if (out == step::broken)
      return outcome::failed;
    if (at_end_ && held_ == 0) {
      rest(pool);
      ::shutdown(to, SHUT_WR);
      finished_ = true;
      return outcome::finished;
    }
    if (in != step::progress && out != step::progress) {
      rest(pool);
      return outcome::blocked;
    }
  }
  return outcome::more;
}

pump::step pump::fill(int from, pipe_pool& pool) {
  if (held_ >= max_held)
    return step::nothing;
  if (!pipe_ && held_ == 0 && may_splice_)
    pipe_ = pool.take();
  auto result = pipe_ ? fill_pipe(from) : fill_buffer(from);
  if (result == step::end)
    at_end_ = true;
  return result;
}

pump::step pump::fill_pipe(int from) {
  auto moved = ::splice(from, nullptr, pipe_->in.get(), nullptr,
                        max_held - held_, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (moved > 0) {
    held_ += static_cast<size_t>(moved);
    return step::progress;
  }
  if (moved == 0)
    return step::end;
  return errno == EAGAIN || errno == EINTR ? step::nothing : step::broken;
}

pump::step pump::fill_buffer(int from) {
  // What is left goes first, so that messages stay whole.
  if (held_ > 0)
    return step::nothing;
  buffer_.resize(max_held);
  auto got = ::recv(from, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
  sent_ = 0;
  if (got > 0) {
    held_ = static_cast<size_t>(got);
    return step::progress;
  }
  if (got == 0)
    return step::end;
  return errno == EAGAIN || errno == EINTR ? step::nothing : step::broken;
}

pump::step pump::drain(int to) {
  auto moved = pipe_ ? ::splice(pipe_->out.get(), nullptr, to, nullptr, held_,
                                SPLICE_F_MOVE | SPLICE_F_NONBLOCK)
                     : ::send(to, buffer_.data() + sent_, held_,
                              MSG_DONTWAIT | MSG_NOSIGNAL);
  if (moved > 0) {
    held_ -= static_cast<size_t>(moved);
    sent_ += static_cast<size_t>(moved);
    return step::progress;
  }
  return moved == 0 || errno == EAGAIN || errno == EINTR ? step::nothing
                                                         : step::broken;
}

void pump::rest(pipe_pool& pool) {
  if (held_ > 0)
    return;
  if (pipe_)
    pool.give(std::move(*pipe_));
  pipe_.reset();
  buffer_ = {};
}

} // namespace troupe::proxy
