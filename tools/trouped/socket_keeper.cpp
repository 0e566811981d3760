#include "troupe/tools/trouped/socket_keeper.hpp"

#include <spdlog/spdlog.h>

#include <array>
#include <utility>

#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::tools {

namespace {

/// Where the kernel does not tell.
constexpr auto blind_interval = std::chrono::seconds{5};

std::string directory_of(const std::string& path) {
  const auto slash = path.find_last_of('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

} // namespace

socket_keeper::socket_keeper(listener first, std::string group, taker take)
  : place_{std::move(first)}, group_{std::move(group)}, take_{std::move(take)} {
  watch();
}

void socket_keeper::watch() {
  changes_ = netns::unique_fd{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
  const auto directory = directory_of(place_.path());
  if (changes_
      && ::inotify_add_watch(changes_.get(), directory.c_str(),
                             IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO
                               | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
           >= 0)
    return;
  changes_ = netns::unique_fd{};
  due_ = clock::now() + blind_interval;
}

void socket_keeper::look() {
  auto text = std::array<char, 4096>{};
  while (changes_ && ::read(changes_.get(), text.data(), text.size()) > 0)
    continue;
  accept_all();
  due_.reset();
  if (!place_.is_in_place())
    make_again();
  else if (!changes_)
    due_ = clock::now() + blind_interval;
}

void socket_keeper::accept_all() {
  while (accepting_) {
    auto connection = netns::unique_fd{::accept4(
      accepting_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    if (!connection)
      return;
    take_(std::move(connection));
  }
}

void socket_keeper::make_again() {
  auto again = listener::open(place_.path(), group_);
  if (!again) {
    spdlog::warn("the socket {} was removed; make it again: {}", place_.path(),
                 again.error().message);
    due_ = clock::now() + pauses_.next();
    return;
  }
  spdlog::warn("the socket {} was removed; made again", place_.path());
  pauses_.reset();
  accepting_ = again->take_descriptor();
  place_ = std::move(*again);
  // The directory may be another one.
  watch();
}

} // namespace troupe::tools
