#include "troupe/tools/trouped/fault_door.hpp"
#include "troupe/tools/trouped/server.hpp"
#include "troupe/tools/trouped/server_callbacks.hpp"

#include <microhttpd.h>

#include <charconv>
#include <utility>

namespace troupe::tools {

namespace {

constexpr auto json_type = "application/json";

/// libmicrohttpd asks for events in portions of at most this size.
constexpr size_t event_block_bytes = size_t{8} << 10U;

MHD_Response* response_of(std::string_view body) {
  // The library copies; it never writes into the buffer.
  return MHD_create_response_from_buffer(
    body.size(), const_cast<char*>(body.data()), MHD_RESPMEM_MUST_COPY);
}

void add_header(MHD_Response* response, const char* name,
                const std::string& value) {
  (void)MHD_add_response_header(response, name, value.c_str());
}

std::optional<uint64_t> last_event_of(const exchange& x) {
  auto text = server_callbacks::header(x, "Last-Event-ID");
  if (!text)
    return std::nullopt;
  auto number = uint64_t{0};
  (void)std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}

} // namespace

int server::answer(const exchange_ptr& x) {
  const auto& outcome = x->outcome();
  if (x->where->kind == api::route_kind::metrics)
    return send_text(x, MHD_HTTP_OK, metrics_text(outcome),
                     "text/plain; version=0.0.4");
  if (!outcome)
    return send_error(x, outcome.error());
  if (outcome->index() != x->where->reply_index)
    return send_error(
      x, {ec::internal,
          std::string{x->where->operation} + ": answered with another reply",
          {},
          0});
  if (const auto* status = std::get_if<daemon_status>(&*outcome);
      status != nullptr && options_.faults)
    return send_text(x, x->where->success,
                     api::encode_reply(with_faults(*status, *options_.faults)),
                     json_type);
  return send_text(x, x->where->success, api::encode_reply(*outcome),
                   json_type);
}

int server::answer_about_faults(const exchange_ptr& x,
                                std::span<const api::parameter> path,
                                std::string_view query) {
  auto body = ask_about_faults(
    options_.faults.get(),
    {*x->where, server_callbacks::handle_of(*x)->who, path, query, x->body});
  if (!body)
    return send_error(x, body.error());
  return send_text(x, x->where->success, std::move(*body), json_type);
}

// Also ends this process, if that is what is to happen to the reply.
bool server::is_reply_lost(const exchange_ptr& x) {
  return options_.faults && x->where != nullptr
         && x->where->kind == api::route_kind::request
         && options_.faults->on_reply(x->where->operation, x->where->mutates);
}

int server::send_error(const exchange_ptr& x, const error& why, int status,
                       const std::string& allow) {
  return send_text(x, status == 0 ? api::http_status(why.code) : status,
                   api::encode_error(why), json_type, allow);
}

int server::send_text(const exchange_ptr& x, int status, std::string body,
                      const char* type, const std::string& allow) {
  auto* response = response_of(body);
  if (response == nullptr)
    return MHD_NO;
  add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
  if (!allow.empty())
    add_header(response, MHD_HTTP_HEADER_ALLOW, allow);
  if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
    add_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
  if (x->too_large || server_callbacks::handle_of(*x)->refused)
    add_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  return queue(x, status, response);
}

int server::queue(const exchange_ptr& x, int status, MHD_Response* response) {
  x->now = exchange::stage::answered;
  auto duration = connection_registry::clock::now() - x->started;
  metrics_.count(x->where != nullptr ? x->where->operation : "unknown", status,
                 duration);
  if (x->where != nullptr && x->where->mutates && options_.audit) {
    auto path = x->target.substr(0, x->target.find('?'));
    options_.audit({server_callbacks::handle_of(*x)->who, x->method,
                    std::move(path), x->audit_object, status, duration});
  }
  if (is_reply_lost(x)) {
    MHD_destroy_response(response);
    return MHD_NO;
  }
  auto queued = MHD_queue_response(x->connection, static_cast<unsigned>(status),
                                   response);
  MHD_destroy_response(response);
  return queued;
}

int server::stream_events(const exchange_ptr& x) {
  auto* connection = x->connection;
  x->stream = hub_.open(last_event_of(*x), [connection] {
    MHD_resume_connection(connection);
  });
  if (!x->stream)
    return send_error(x, {ec::unavailable,
                          "events: there are "
                            + std::to_string(options_.max_streams)
                            + " readers already",
                          {},
                          0});
  x->leave_stream = [this, stream = x->stream] {
    hub_.remove(stream);
  };
  auto* response = MHD_create_response_from_callback(
    MHD_SIZE_UNKNOWN, event_block_bytes, &server_callbacks::on_read_events,
    new exchange_ptr{x}, &server_callbacks::on_free_events);
  if (response == nullptr)
    return MHD_NO;
  add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
  add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  // The end of a stream is the end of the connection, so nobody overlooks it.
  add_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  return queue(x, MHD_HTTP_OK, response);
}

std::string server::metrics_text(const result<reply>& status) const {
  auto result = metrics_.text()
                + gauges_text({pending_->size() + inquiries_->size(),
                               connections_.size(), hub_.size()})
                + process_text();
  if (const auto* x = status ? std::get_if<daemon_status>(&*status) : nullptr)
    result += status_text(*x);
  if (options_.faults)
    result += faults_text(options_.faults->count());
  return result;
}

} // namespace troupe::tools
