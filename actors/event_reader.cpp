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

event_reader::event_reader(const std::string& socket_path,
                           event_handler handler)
  : transfer_{socket_path}, handler_{std::move(handler)}, multi_{
                                                            curl_multi_init()} {
  thread_ = std::thread{[this] {
    run();
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
  (void)curl_multi_wakeup(multi_.get());
}

void event_reader::run() {
  while (!stopping_) {
    auto code = read_stream();
    auto outcome = transfer_.finish(code);
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
    pause_before_retry();
  }
}

CURLcode event_reader::read_stream() {
  parser_.reset();
  transfer_.prepare({"GET", "/v1/events", {}, {}, "events"});
  if (last_sequence_ > 0)
    transfer_.add_header("Last-Event-ID: " + std::to_string(last_sequence_));
  auto* handle = transfer_.handle();
  (void)curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &on_data);
  (void)curl_easy_setopt(handle, CURLOPT_WRITEDATA, this);
  (void)curl_multi_add_handle(multi_.get(), handle);
  auto result = CURLE_RECV_ERROR;
  for (auto running = 1; running > 0 && !stopping_;) {
    (void)curl_multi_perform(multi_.get(), &running);
    if (running > 0)
      (void)curl_multi_poll(multi_.get(), nullptr, 0, 1'000, nullptr);
  }
  auto left = 0;
  if (auto* message = curl_multi_info_read(multi_.get(), &left))
    result = message->data.result;
  (void)curl_multi_remove_handle(multi_.get(), handle);
  return result;
}

size_t
event_reader::on_data(char* data, size_t size, size_t count, void* self) {
  auto& me = *static_cast<event_reader*>(self);
  auto bytes = size * count;
  auto status = 0L;
  (void)curl_easy_getinfo(me.transfer_.handle(), CURLINFO_RESPONSE_CODE,
                          &status);
  if (status != 200)
    return me.transfer_.append_body({data, bytes}) ? bytes : 0;
  if (!std::exchange(me.open_, true)) {
    me.pauses_.reset();
    if (me.settled_)
      me.report("connect", "reachable again");
    me.settle({});
  }
  auto fed = me.parser_.feed({data, bytes}, [&me](const event& x) {
    me.last_sequence_ = x.sequence;
    if (!me.stopping_)
      call_handler(&me, in_handler, me.handler_, x);
  });
  return fed ? bytes : 0;
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

void event_reader::pause_before_retry() {
  if (!stopping_)
    (void)curl_multi_poll(multi_.get(), nullptr, 0,
                          static_cast<int>(pauses_.next().count()), nullptr);
}

} // namespace troupe
