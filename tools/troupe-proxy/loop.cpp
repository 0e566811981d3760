#include "troupe/tools/troupe-proxy/loop.hpp"

#include <array>

#include <sys/epoll.h>

namespace troupe::proxy {

namespace {

constexpr size_t events_at_once = 256;

} // namespace

event_loop::event_loop() : epoll_{::epoll_create1(EPOLL_CLOEXEC)} {
}

uint64_t event_loop::enter(event_handler& handler) {
  auto number = next_++;
  handlers_.emplace(number, &handler);
  return number;
}

void event_loop::leave(uint64_t number) {
  handlers_.erase(number);
}

bool event_loop::watch(int fd, uint32_t events, uint64_t number) {
  auto event = epoll_event{};
  event.events = events;
  event.data.u64 = number;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void event_loop::change(int fd, uint32_t events, uint64_t number) {
  auto event = epoll_event{};
  event.events = events;
  event.data.u64 = number;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void event_loop::call_again(uint64_t number) {
  again_.push_back(number);
}

void event_loop::turn(std::chrono::milliseconds patience) {
  auto events = std::array<epoll_event, events_at_once>{};
  auto timeout = again_.empty() ? static_cast<int>(patience.count()) : 0;
  auto got = ::epoll_wait(epoll_.get(), events.data(),
                          static_cast<int>(events.size()), timeout);
  now_ = clock::now();
  auto again = std::vector<uint64_t>{};
  again.swap(again_);
  for (auto i = 0; i < got; ++i)
    call(events[static_cast<size_t>(i)].data.u64,
         events[static_cast<size_t>(i)].events);
  for (auto number : again)
    call(number, 0);
}

void event_loop::call(uint64_t number, uint32_t events) {
  auto i = handlers_.find(number);
  if (i != handlers_.end())
    i->second->on_event(events);
}

} // namespace troupe::proxy
