#include "troupe/tests/system/harness/http_client.hpp"

#include <algorithm>
#include <cctype>
#include <cstring>

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace troupe::test {

namespace {

// The value of a header, which `name` spells in lower case.
std::string header(const std::string& head, const std::string& name) {
  auto lower = head;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) {
                   return static_cast<char>(std::tolower(c));
                 });
  auto at = lower.find("\r\n" + name + ":");
  if (at == std::string::npos)
    return {};
  auto begin = at + name.size() + 3;
  auto end = lower.find("\r\n", begin);
  begin = lower.find_first_not_of(' ', begin);
  return lower.substr(begin, end - begin);
}

} // namespace

http_client::http_client(std::string socket_path)
  : path_(std::move(socket_path)) {
}

http_client::~http_client() {
  disconnect();
}

std::optional<response>
http_client::send(const std::string& method, const std::string& target,
                  const nlohmann::json& body) {
  return send_text(method, target, body.is_null() ? "" : body.dump());
}

std::optional<response>
http_client::send_text(const std::string& method, const std::string& target,
                       const std::string& body) {
  // The daemon hangs up on those who were silent for long.
  char byte = 0;
  if (fd_ >= 0 && ::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
    disconnect();
  if (fd_ < 0 && !connect())
    return std::nullopt;
  auto text = method + " " + target + " HTTP/1.1\r\nHost: troupe\r\n";
  if (!body.empty())
    text += "Content-Type: application/json\r\n";
  if (!body.empty() || method == "POST")
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  text += "\r\n" + body;
  // A server that refuses a large body may answer before it has read it all.
  write_all(text);
  auto result = read_response();
  if (!result)
    disconnect();
  return result;
}

std::optional<response> http_client::get(const std::string& target) {
  return send("GET", target);
}

bool http_client::connect() {
  auto address = sockaddr_un{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path)
    return false;
  std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
  fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0)
    return false;
  auto limit = timeval{60, 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address)
      != 0) {
    disconnect();
    return false;
  }
  return true;
}

void http_client::disconnect() {
  if (fd_ >= 0)
    close(fd_);
  fd_ = -1;
}

bool http_client::write_all(const std::string& text) {
  auto left = std::string_view{text};
  while (!left.empty()) {
    auto count = ::send(fd_, left.data(), left.size(), MSG_NOSIGNAL);
    if (count <= 0)
      return false;
    left.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

std::optional<response> http_client::read_response() {
  auto text = std::string{};
  auto head_end = std::string::npos;
  auto wanted = std::string::npos; // Unknown until the head is there.
  while (text.size() < wanted) {
    char buffer[65536];
    auto count = recv(fd_, buffer, sizeof buffer, 0);
    if (count <= 0)
      return std::nullopt;
    text.append(buffer, static_cast<size_t>(count));
    if (head_end != std::string::npos)
      continue;
    head_end = text.find("\r\n\r\n");
    if (head_end != std::string::npos) {
      auto length = header(text.substr(0, head_end + 2), "content-length");
      wanted = head_end + 4 + std::strtoul(length.c_str(), nullptr, 10);
    }
  }
  auto result = response{};
  result.status = std::atoi(text.c_str() + std::strlen("HTTP/1.1 "));
  result.body
    = nlohmann::json::parse(text.substr(head_end + 4), nullptr, false);
  if (header(text.substr(0, head_end + 2), "connection") == "close")
    disconnect();
  return result;
}

} // namespace troupe::test
