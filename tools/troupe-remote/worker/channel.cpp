#include "troupe/tools/troupe-remote/worker/channel.hpp"

#include <array>
#include <cerrno>

#include <sys/socket.h>

namespace troupe::tools::remote {

void channel::ask(question what, answer_handler handler) {
  {
    auto guard = std::lock_guard{mutex_};
    what.number = ++last_number_;
    open_.emplace(what.number, std::move(handler));
  }
  auto text = encode(what);
  auto guard = std::lock_guard{writing_};
  for (auto rest = std::string_view{text}; !rest.empty();) {
    auto sent = ::send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR)
      continue;
    if (sent < 0)
      return; // The front is gone; `run` ends as well.
    rest.remove_prefix(static_cast<size_t>(sent));
  }
}

void channel::run() {
  auto frames = frame_reader{max_answer_bytes};
  auto buffer = std::array<char, 65'536>{};
  for (;;) {
    auto got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return;
    frames.feed({buffer.data(), static_cast<size_t>(got)});
    for (;;) {
      auto frame = frames.next();
      if (!frame)
        return;
      if (!*frame)
        break;
      auto x = decode_answer(**frame);
      if (!x)
        return;
      deliver(std::move(*x));
    }
  }
}

void channel::deliver(answer x) {
  auto handler = answer_handler{};
  {
    auto guard = std::lock_guard{mutex_};
    auto found = open_.extract(x.number);
    if (found)
      handler = std::move(found.mapped());
  }
  if (handler)
    handler(std::move(x));
}

void channel::set_client(std::string name) {
  auto guard = std::lock_guard{mutex_};
  client_ = std::move(name);
}

std::string channel::client() const {
  auto guard = std::lock_guard{mutex_};
  return client_;
}

} // namespace troupe::tools::remote
