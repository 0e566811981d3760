#include "troupe/actors/event_reader.hpp"

#include "troupe/actors/api_routes.hpp"
#include "troupe/actors/failure_board.hpp"

#include <utility>

namespace troupe {

namespace {

constexpr auto in_handler = "handler of an event";

/// An event has at most a few hundred bytes.
constexpr size_t max_event_bytes = size_t{1} << 20U;

/// The first connection is made within this time or not at all.
constexpr auto open_deadline = std::chrono::seconds{30};

} // namespace

// -- event_parser -------------------------------------------------------------

result<void>
event_parser::feed(std::string_view bytes, const event_handler& handler) {
  while (!bytes.empty()) {
    auto end = bytes.find('\n');
    line_ += bytes.substr(0, end);
    if (line_.size() + data_.size() > max_event_bytes)
      return fail(ec::invalid_argument, "event stream: an event has no end");
    if (end == bytes.npos)
      return {};
    bytes.remove_prefix(end + 1);
    auto line = std::exchange(line_, {});
    if (auto taken = take_line(line, handler); !taken)
      return taken;
  }
  return {};
}

void event_parser::reset() {
  line_.clear();
  data_.clear();
}

result<void>
event_parser::take_line(std::string_view line, const event_handler& handler) {
  if (line.ends_with('\r'))
    line.remove_suffix(1);
  if (line.starts_with("data:")) {
    data_ += line.substr(line.starts_with("data: ") ? 6 : 5);
    return {};
  }
  // Comments and the fields `id` and `event` repeat what is in the data.
  if (!line.empty() || data_.empty())
    return {};
  auto parsed = api::decode_event(std::exchange(data_, {}));
  if (!parsed)
    return fail(std::move(parsed.error()));
  handler(*parsed);
  return {};
}

// -- event_reader -------------------------------------------------------------

event_reader::event_reader(std::string socket_path, event_handler handler,
                           uint64_t after)
  : socket_path_{std::move(socket_path)}, handler_{std::move(handler)},
    last_sequence_{after} {
  thread_ = std::thread{[this] {
    run();
    ended_ = true;
  }};
}

event_reader::~event_reader() {
  stop();
  thread_.join();
}

result<void> event_reader::wait_until_open() {
  auto outcome = opened_.get_future();
  if (outcome.wait_for(open_deadline) != std::future_status::ready)
    return fail(ec::timeout, "subscribe: the daemon does not answer");
  return outcome.get();
}

void event_reader::stop() {
  stopping_ = true;
  wake_.raise();
}

void event_reader::run() {
  while (!stopping_) {
    auto outcome = read_stream();
    if (stopping_)
      return settle(fail(ec::unavailable, "subscribe: stopped"));
    auto why = outcome
                 ? error{ec::unavailable, "the daemon closed the stream", {}, 0}
                 : outcome.error();
    if (outcome && outcome->status != 200)
      why = api::decode_error(outcome->status, outcome->body);
    if (!settled_)
      return settle(fail(why));
    if (std::exchange(open_, false))
      report("disconnect", why.message);
    auto nothing = std::vector<pollfd>{};
    if (!stopping_)
      wake_.sleep(nothing, due_after(pauses_.next()));
  }
}

result<http_response> event_reader::read_stream() {
  parser_.reset();
  auto what = http_request{};
  what.target = "/v1/events";
  what.operation = "events";
  if (last_sequence_ > 0)
    what.header_lines
      = "Last-Event-ID: " + std::to_string(last_sequence_) + "\r\n";
  auto connection = http_connection{socket_path_};
  connection.start(std::move(what), never, [this](std::string_view bytes) {
    return take(bytes);
  });
  while (!stopping_) {
    if (auto outcome = connection.go_on())
      return std::move(*outcome);
    auto awaited = std::vector<pollfd>{connection.awaited()};
    wake_.sleep(awaited, connection.wake_time());
  }
  return fail(ec::unavailable, "stopped");
}

result<void> event_reader::take(std::string_view bytes) {
  if (!std::exchange(open_, true)) {
    pauses_.reset();
    if (settled_)
      report("connect", "reachable again");
    settle({});
  }
  return parser_.feed(bytes, [this](const event& x) {
    last_sequence_ = x.sequence;
    if (!stopping_)
      call_handler(this, in_handler, handler_, x);
  });
}

void event_reader::report(const char* action, const std::string& reason) {
  auto x = event{};
  auto now = std::chrono::system_clock::now().time_since_epoch();
  x.time_ms
    = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  x.type = "daemon";
  x.action = action;
  x.attributes["reason"] = reason;
  if (!stopping_)
    call_handler(this, in_handler, handler_, x);
}

void event_reader::settle(result<void> outcome) {
  if (!std::exchange(settled_, true))
    opened_.set_value(std::move(outcome));
}

} // namespace troupe
