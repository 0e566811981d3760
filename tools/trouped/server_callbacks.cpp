#include "troupe/tools/trouped/server_callbacks.hpp"

#include <microhttpd.h>

#include <utility>

namespace troupe::tools {

namespace {

using exchange_ptr = std::shared_ptr<exchange>;

/// Headers, and half of the buffers, of one connection.
constexpr size_t connection_memory_bytes = size_t{32} << 10U;

// Paths are decoded by the route table, strictly and per segment.
size_t keep_escapes(void*, MHD_Connection*, char* text) {
  return std::char_traits<char>::length(text);
}

// The replies say what is wrong; this log is for the library's developers.
void drop_log(void*, const char*, va_list) {
}

connection_registry::handle* socket_state_of(MHD_Connection* x) {
  const auto* info
    = MHD_get_connection_info(x, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return static_cast<connection_registry::handle*>(info->socket_context);
}

} // namespace

void* server_callbacks::on_target(void* cls, const char* target,
                                  MHD_Connection* from) {
  auto& self = *static_cast<server*>(cls);
  ++self.open_exchanges_;
  auto fresh = std::make_shared<exchange>(target);
  fresh->connection = from;
  return new exchange_ptr{std::move(fresh)};
}

int server_callbacks::on_request(void* cls, MHD_Connection*, const char*,
                                 const char* method, const char*,
                                 const char* data, size_t* bytes,
                                 void** state) {
  auto& self = *static_cast<server*>(cls);
  const auto& x = *static_cast<exchange_ptr*>(*state);
  switch (x->now) {
  case exchange::stage::fresh:
    x->method = method;
    return self.begin(x);
  case exchange::stage::receiving:
    return *bytes > 0 ? self.receive(x, data, bytes) : self.dispatch(x);
  case exchange::stage::waiting:
    x->now = exchange::stage::answered;
    return self.answer(x);
  case exchange::stage::answered:
    break;
  }
  return MHD_NO;
}

void server_callbacks::on_connection(server& self, MHD_Connection* from,
                                     void** socket_state, bool is_new) {
  using handle = connection_registry::handle;
  if (is_new) {
    const auto* info
      = MHD_get_connection_info(from, MHD_CONNECTION_INFO_CONNECTION_FD);
    *socket_state = new handle{self.connections_.add(info->connect_fd)};
    self.note_company();
    return;
  }
  auto owned = std::unique_ptr<handle>{
    static_cast<handle*>(std::exchange(*socket_state, nullptr))};
  if (owned)
    self.connections_.remove(*owned);
}

void server_callbacks::on_completed(server& self, void** state) {
  auto owned = std::unique_ptr<exchange_ptr>{
    static_cast<exchange_ptr*>(std::exchange(*state, nullptr))};
  if (!owned)
    return;
  self.connections_.begin_reading(handle_of(**owned));
  --self.open_exchanges_;
}

connection_registry::handle server_callbacks::handle_of(const exchange& x) {
  return *socket_state_of(x.connection);
}

std::optional<std::string>
server_callbacks::header(const exchange& x, const char* name) {
  const auto* text
    = MHD_lookup_connection_value(x.connection, MHD_HEADER_KIND, name);
  if (text == nullptr)
    return std::nullopt;
  return text;
}

ssize_t server_callbacks::on_read_events(void* cls, uint64_t, char* buffer,
                                         size_t capacity) {
  const auto& x = *static_cast<exchange_ptr*>(cls);
  auto bytes = x->stream->read(buffer, capacity, [&x] {
    MHD_suspend_connection(x->connection);
  });
  return bytes ? static_cast<ssize_t>(*bytes)
               : MHD_CONTENT_READER_END_OF_STREAM;
}

void server_callbacks::on_free_events(void* cls) {
  auto owned = std::unique_ptr<exchange_ptr>{static_cast<exchange_ptr*>(cls)};
  (*owned)->leave_stream();
}

MHD_Daemon* server_callbacks::start_daemon(server& self, int listening_fd) {
  auto on_connection_change
    = [](void* cls, MHD_Connection* from, void** socket_state,
         MHD_ConnectionNotificationCode code) {
        on_connection(*static_cast<server*>(cls), from, socket_state,
                      code == MHD_CONNECTION_NOTIFY_STARTED);
      };
  auto on_completion
    = [](void* cls, MHD_Connection*, void** state, MHD_RequestTerminationCode) {
        on_completed(*static_cast<server*>(cls), state);
      };
  auto on_access
    = [](void* cls, MHD_Connection* from, const char* path, const char* method,
         const char* version, const char* data, size_t* bytes, void** state) {
        return static_cast<MHD_Result>(
          on_request(cls, from, path, method, version, data, bytes, state));
      };
  return MHD_start_daemon(
    MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME
      | MHD_USE_ERROR_LOG,
    0, nullptr, nullptr, +on_access, &self, MHD_OPTION_EXTERNAL_LOGGER,
    &drop_log, nullptr, MHD_OPTION_LISTEN_SOCKET, listening_fd,
    MHD_OPTION_CONNECTION_LIMIT, self.options_.max_connections,
    MHD_OPTION_CONNECTION_MEMORY_LIMIT, connection_memory_bytes,
    MHD_OPTION_CONNECTION_TIMEOUT,
    static_cast<unsigned>(self.options_.idle_timeout.count()),
    MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK,
    &keep_escapes, nullptr, MHD_OPTION_URI_LOG_CALLBACK, &on_target, &self,
    MHD_OPTION_NOTIFY_CONNECTION, +on_connection_change, &self,
    MHD_OPTION_NOTIFY_COMPLETED, +on_completion, &self, MHD_OPTION_END);
}

} // namespace troupe::tools
