#include "troupe/netns/firewall/senders.hpp"

#include <algorithm>

namespace troupe::netns::firewall {

namespace {

// Longer than any event waits for its reader, shorter than process numbers
// take to come round again.
constexpr auto child_time = std::chrono::seconds{10};

} // namespace

void sender_list::add_socket(uint32_t port) {
  auto lock = std::lock_guard{mutex_};
  sockets_.insert(port);
}

void sender_list::remove_socket(uint32_t port) {
  auto lock = std::lock_guard{mutex_};
  if (auto i = sockets_.find(port); i != sockets_.end())
    sockets_.erase(i);
}

void sender_list::add_child(const std::function<uint32_t()>& start) {
  auto lock = std::lock_guard{mutex_};
  auto now = clock::now();
  while (!children_.empty() && children_.front().second < now)
    children_.pop_front();
  if (auto process = start(); process != 0)
    children_.emplace_back(process, now + child_time);
}

bool sender_list::contains(uint32_t port) const {
  auto lock = std::lock_guard{mutex_};
  if (sockets_.contains(port))
    return true;
  auto now = clock::now();
  return std::ranges::any_of(children_, [&](const auto& x) {
    return x.first == port && x.second >= now;
  });
}

} // namespace troupe::netns::firewall
