#include "troupe/tests/unit/tools/scripted_server.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace troupe::test {

namespace {

sockaddr_un address_of(const std::string& path) {
  auto result = sockaddr_un{};
  result.sun_family = AF_UNIX;
  std::memcpy(result.sun_path, path.data(), path.size());
  return result;
}

netns::unique_fd listen_at(const std::string& path, int backlog) {
  auto fd = netns::unique_fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  auto address = address_of(path);
  (void)::unlink(path.c_str());
  EXPECT_EQ(0, ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                      sizeof(address)));
  EXPECT_EQ(0, ::listen(fd.get(), backlog));
  return fd;
}

bool say(int fd, const std::string& text) {
  for (auto sent = size_t{0}; sent < text.size();) {
    auto bytes
      = ::send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (bytes <= 0)
      return false;
    sent += static_cast<size_t>(bytes);
  }
  return true;
}

size_t body_bytes(const std::string& head) {
  constexpr auto name = std::string_view{"Content-Length: "};
  auto result = size_t{0};
  if (auto at = head.find(name); at != head.npos)
    (void)std::from_chars(head.data() + at + name.size(),
                          head.data() + head.size(), result);
  return result;
}

/// @returns nothing when the client has hung up.
std::string read_request(int fd, bool head_only) {
  auto result = std::string{};
  auto wanted = std::string::npos;
  while (result.size() < wanted) {
    char buffer[65'536];
    auto bytes = ::recv(fd, buffer, sizeof(buffer), 0);
    if (bytes <= 0)
      return {};
    result.append(buffer, static_cast<size_t>(bytes));
    auto end = result.find("\r\n\r\n");
    if (end != result.npos && wanted == std::string::npos)
      wanted = end + 4 + (head_only ? 0 : body_bytes(result));
  }
  return result;
}

} // namespace

scripted_server::scripted_server(const std::string& socket_path,
                                 std::vector<script> answers)
  : listening_{listen_at(socket_path, 100)}, answers_{std::move(answers)} {
  thread_ = std::thread{[this] {
    run();
  }};
}

scripted_server::~scripted_server() {
  (void)::shutdown(listening_.get(), SHUT_RDWR);
  thread_.join();
}

std::vector<std::string> scripted_server::requests() {
  auto guard = std::lock_guard{mutex_};
  return requests_;
}

size_t scripted_server::connections() {
  auto guard = std::lock_guard{mutex_};
  return connections_;
}

bool scripted_server::wait_for(size_t answered) {
  auto guard = std::unique_lock{mutex_};
  return answered_.wait_for(guard, std::chrono::minutes{1}, [&] {
    return next_ >= answered;
  });
}

void scripted_server::run() {
  for (;;) {
    auto fd = netns::unique_fd{
      ::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    if (!fd)
      return;
    {
      auto guard = std::lock_guard{mutex_};
      ++connections_;
    }
    serve(fd.get());
  }
}

void scripted_server::serve(int fd) {
  for (;;) {
    auto what = script{};
    {
      auto guard = std::lock_guard{mutex_};
      if (next_ < answers_.size())
        what = answers_[next_];
    }
    auto early = std::ranges::find(what, hang_up_early) != what.end();
    auto request = read_request(fd, early);
    if (request.empty())
      return;
    {
      auto guard = std::lock_guard{mutex_};
      requests_.push_back(std::move(request));
    }
    auto stays = answer(fd, what);
    {
      auto guard = std::lock_guard{mutex_};
      ++next_;
    }
    answered_.notify_all();
    if (!stays)
      return;
  }
}

bool scripted_server::answer(int fd, const script& what) {
  for (const auto& text : what) {
    if (text == hang_up || text == hang_up_early) {
      (void)::shutdown(fd, SHUT_RDWR);
      return false;
    }
    if (!say(fd, text))
      return false;
  }
  return true;
}

// -- deaf_server --------------------------------------------------------------

deaf_server::deaf_server(const std::string& socket_path)
  : listening_{listen_at(socket_path, 0)} {
  auto address = address_of(socket_path);
  for (;;) {
    auto fd = netns::unique_fd{
      ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                  sizeof(address))
        != 0)
      break;
    crowd_.push_back(std::move(fd));
  }
  EXPECT_FALSE(crowd_.empty());
}

void deaf_server::make_room() {
  thread_ = std::thread{[this] {
    for (;;) {
      auto fd = netns::unique_fd{
        ::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
      if (!fd)
        return;
    }
  }};
}

deaf_server::~deaf_server() {
  (void)::shutdown(listening_.get(), SHUT_RDWR);
  if (thread_.joinable())
    thread_.join();
}

} // namespace troupe::test
