#pragma once

#include "troupe/tools/trouped/server.hpp"

#include <optional>
#include <string>

#include <sys/types.h>

struct MHD_Connection;
struct MHD_Daemon;

namespace troupe::tools {

/// What libmicrohttpd calls, and what we ask it about a request. Private to
/// the server.
struct server_callbacks {
  /// Starts the event loop. @returns null with errno set.
  static MHD_Daemon* start_daemon(server& self, int listening_fd);

  /// The registry's entry of a request's connection.
  static connection_registry::handle handle_of(const exchange& x);

  /// A request header, if it is there.
  static std::optional<std::string> header(const exchange& x, const char* name);

  /// Feeds one stream of events; the callback of its response.
  static ssize_t
  on_read_events(void* cls, uint64_t position, char* buffer, size_t capacity);

  /// Called when such a response is not needed any more.
  static void on_free_events(void* cls);

private:
  static void* on_target(void* cls, const char* target, MHD_Connection* from);
  static int on_request(void* cls, MHD_Connection* from, const char* path,
                        const char* method, const char* version,
                        const char* data, size_t* bytes, void** state);
  static void on_connection(server& self, MHD_Connection* from,
                            void** socket_state, bool is_new);
  static void on_completed(server& self, void** state);
};

} // namespace troupe::tools
