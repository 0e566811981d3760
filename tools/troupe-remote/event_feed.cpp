#include "troupe/tools/troupe-remote/event_feed.hpp"

#include <algorithm>
#include <random>

namespace troupe::tools::remote {

event_feed::event_feed() : number_{std::random_device{}() | 1U} {
}

void event_feed::add(event x) {
  events_.push_back(std::move(x));
  if (events_.size() > max_events) {
    events_.pop_front();
    ++first_;
  }
}

std::vector<event_feed::due>
event_feed::ask(asker who, const question& q, steady_time now) {
  // A new reader learns where he is; what happened before is not his.
  if (q.feed != number_ || q.next > end())
    return {{who, {number_, end(), 0, {}}}};
  if (q.next < end())
    return {{who, page_from(q.next)}};
  drop(who.connection);
  auto wait = std::clamp<int64_t>(q.wait_ms, 0, longest_wait_ms);
  waiting_.push_back({who, q.next, now + std::chrono::milliseconds{wait}});
  return collect(now);
}

std::vector<event_feed::due> event_feed::collect(steady_time now) {
  auto result = std::vector<due>{};
  std::erase_if(waiting_, [&](const waiter& x) {
    if (x.next >= end() && x.until > now)
      return false;
    result.push_back({x.who, page_from(x.next)});
    return true;
  });
  return result;
}

void event_feed::drop(uint64_t connection) {
  std::erase_if(waiting_, [&](const waiter& x) {
    return x.who.connection == connection;
  });
}

events_page event_feed::page_from(uint64_t next) const {
  auto begin = std::max(next, first_);
  auto result = events_page{number_, begin, begin - next, {}};
  auto from = events_.begin() + static_cast<std::ptrdiff_t>(begin - first_);
  auto count = std::min<size_t>(end() - begin, max_page);
  result.events.assign(from, from + static_cast<std::ptrdiff_t>(count));
  result.next += count;
  return result;
}

} // namespace troupe::tools::remote
