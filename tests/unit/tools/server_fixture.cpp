#include "troupe/tests/unit/tools/server_fixture.hpp"

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace troupe::test {

namespace {

// Long, for machines that are busy with other things; only a failure waits.
constexpr int patience_ms = 60'000;

} // namespace

temporary_directory::temporary_directory() {
  auto pattern
    = (std::filesystem::temp_directory_path() / "troupe-XXXXXX").string();
  path_ = ::mkdtemp(pattern.data());
}

temporary_directory::~temporary_directory() {
  auto ignored = std::error_code{};
  std::filesystem::remove_all(path_, ignored);
}

raw_client::raw_client(const std::string& socket_path)
  : fd_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
  auto address = sockaddr_un{};
  address.sun_family = AF_UNIX;
  socket_path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  EXPECT_EQ(0, ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address),
                         sizeof(address)))
    << std::strerror(errno);
}

bool raw_client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    auto sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0)
      return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

bool raw_client::read_more() {
  auto ready = pollfd{fd_.get(), POLLIN, 0};
  if (::poll(&ready, 1, patience_ms) != 1)
    return false;
  char chunk[65'536];
  auto bytes = ::recv(fd_.get(), chunk, sizeof(chunk), 0);
  if (bytes <= 0)
    return false;
  buffer_.append(chunk, static_cast<size_t>(bytes));
  return true;
}

raw_reply raw_client::receive() {
  auto end = buffer_.find("\r\n\r\n");
  for (; end == buffer_.npos; end = buffer_.find("\r\n\r\n"))
    if (!read_more())
      return {};
  auto result = raw_reply{};
  result.head = buffer_.substr(0, end + 2);
  result.status = std::atoi(result.head.substr(9, 3).c_str());
  auto at = result.head.find("Content-Length: ");
  auto length = at == result.head.npos
                  ? size_t{0}
                  : std::strtoul(result.head.c_str() + at + 16, nullptr, 10);
  while (buffer_.size() < end + 4 + length)
    if (!read_more())
      return {};
  result.body = buffer_.substr(end + 4, length);
  buffer_.erase(0, end + 4 + length);
  return result;
}

std::string raw_client::receive_until(std::string_view text) {
  while (buffer_.find(text) == buffer_.npos)
    if (!read_more())
      break;
  return buffer_;
}

bool raw_client::is_closed() {
  while (read_more())
    buffer_.clear();
  auto ready = pollfd{fd_.get(), POLLIN, 0};
  return ::poll(&ready, 1, 0) == 1;
}

raw_reply raw_client::ask(std::string_view method, std::string_view target,
                          std::string_view body) {
  auto text = std::string{method} + " " + std::string{target}
              + " HTTP/1.1\r\nHost: x\r\n";
  if (!body.empty())
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  text += "\r\n";
  (void)send(text + std::string{body});
  return receive();
}

void server_fixture::start(tools::server_options options) {
  auto opened = tools::listener::open(socket_, "");
  ASSERT_TRUE(opened) << opened.error().message;
  listener_.emplace(std::move(*opened));
  auto started = tools::server::start(backend_, listener_->take_descriptor(),
                                      std::move(options));
  ASSERT_TRUE(started) << started.error().message;
  server_ = std::move(*started);
}

void server_fixture::stop() {
  server_.reset();
  listener_.reset();
}

bool eventually(const std::function<bool()>& condition) {
  for (auto waited_ms = 0; waited_ms < patience_ms; waited_ms += 5) {
    if (condition())
      return true;
    ::usleep(5'000);
  }
  return condition();
}

} // namespace troupe::test
