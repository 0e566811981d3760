#include "troupe/tools/trouped/event_hub.hpp"

#include "troupe/actors/api/routes.hpp"

#include <algorithm>
#include <utility>

namespace troupe::tools {

namespace {

event_stream::text make_text(std::string x) {
  return std::make_shared<const std::string>(std::move(x));
}

} // namespace

// -- event_stream ------------------------------------------------------------

event_stream::event_stream(size_t max_events, std::function<void()> wake)
  : max_events_{max_events}, wake_{std::move(wake)} {
}

void event_stream::push(text x) {
  auto guard = std::lock_guard{mutex_};
  if (closed_)
    return;
  if (queue_.size() >= max_events_) {
    closed_ = true;
    queue_.clear();
    offset_ = 0;
  } else {
    queue_.push_back(std::move(x));
  }
  wake_reader();
}

void event_stream::close() {
  auto guard = std::lock_guard{mutex_};
  closed_ = true;
  wake_reader();
}

std::optional<size_t> event_stream::read(char* buffer, size_t capacity,
                                         const std::function<void()>& sleep) {
  auto guard = std::lock_guard{mutex_};
  auto filled = size_t{0};
  while (!queue_.empty() && filled < capacity) {
    const auto& front = *queue_.front();
    auto bytes = front.copy(buffer + filled, capacity - filled, offset_);
    filled += bytes;
    offset_ += bytes;
    if (offset_ < front.size())
      break;
    queue_.pop_front();
    offset_ = 0;
  }
  if (filled > 0)
    return filled;
  if (closed_)
    return std::nullopt;
  sleeping_ = true;
  sleep();
  return 0;
}

void event_stream::wake_reader() {
  if (std::exchange(sleeping_, false))
    wake_();
}

// -- event_hub ---------------------------------------------------------------

event_hub::event_hub(size_t max_streams, size_t max_events)
  : max_streams_{max_streams}, max_events_{max_events} {
}

void event_hub::publish(const event& x) {
  auto text = make_text("id: " + std::to_string(x.sequence) + "\nevent: "
                        + x.type + "\ndata: " + api::encode_event(x) + "\n\n");
  auto guard = std::lock_guard{mutex_};
  history_.push_back({x.sequence, text});
  if (history_.size() > max_events_)
    history_.pop_front();
  for (const auto& stream : streams_)
    stream->push(text);
}

std::shared_ptr<event_stream>
event_hub::open(std::optional<uint64_t> last_seen, std::function<void()> wake) {
  auto guard = std::lock_guard{mutex_};
  if (closed_ || streams_.size() >= max_streams_)
    return nullptr;
  auto result
    = std::make_shared<event_stream>(max_events_ + 1, std::move(wake));
  // The first bytes tell the client that it is subscribed.
  result->push(make_text(": subscribed\n\n"));
  if (last_seen) {
    // A number that was never given comes from before a restart.
    auto newest = history_.empty() ? 0 : history_.back().sequence;
    auto after = *last_seen <= newest ? *last_seen : 0;
    for (const auto& x : history_)
      if (x.sequence > after)
        result->push(x.text);
  }
  streams_.push_back(result);
  return result;
}

void event_hub::remove(const std::shared_ptr<event_stream>& x) {
  auto guard = std::lock_guard{mutex_};
  std::erase(streams_, x);
}

void event_hub::ping() {
  auto text = make_text(": ping\n\n");
  auto guard = std::lock_guard{mutex_};
  for (const auto& stream : streams_)
    stream->push(text);
}

void event_hub::close() {
  auto guard = std::lock_guard{mutex_};
  closed_ = true;
  for (const auto& stream : streams_)
    stream->close();
}

size_t event_hub::size() const {
  auto guard = std::lock_guard{mutex_};
  return streams_.size();
}

} // namespace troupe::tools
