#pragma once

// The HTTP API as one table: which method and path carry which request, how it
// is filled from path, query and body, and what a success looks like. The
// server, the client and the OpenAPI file are all made from it.
//
// Rules of the mapping:
// - `{name}` in a pattern fills the request's field of that name.
// - GET and DELETE take the other fields from the query, POST from the JSON
//   body. A field the request does not have is refused in either place.
// - A success has the route's status and the reply as JSON; a failure has the
//   status of its error code and `{"error":{"code","message","hint"}}`.

#include "troupe/actors/api/backend.hpp"
#include "troupe/config/model/json.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::api {

/// What answers a route.
enum class route_kind : uint8_t {
  request, ///< The backend, with one reply.
  events,  ///< A stream of server-sent events.
  metrics, ///< Prometheus text about the daemon.
  openapi, ///< The description of this very API.
  faults,  ///< The faults that are injected; on the daemon's host only.
};

/// One row of the table.
struct route {
  std::string_view method;
  std::string_view pattern;   ///< e.g. `/v1/networks/{network}`.
  int success = 200;          ///< HTTP status of a success.
  std::string_view operation; ///< The request's name, e.g. `create_network`.
  std::string_view summary;   ///< One sentence for the API's description.
  route_kind kind = route_kind::request;
  bool mutates = false;     ///< Changes something, so it is audited.
  size_t request_index = 0; ///< Alternative of `request`.
  size_t reply_index = 0;   ///< Alternative of `reply`.

  /// Builds the request from its fields by name.
  result<request> (*decode)(const json& fields) = nullptr;

  /// Builds the reply from a response's body.
  result<reply> (*decode_reply)(const json& body) = nullptr;

  /// Turns one text of the query into the JSON its field wants.
  result<json> (*query_value)(std::string_view name, const std::string& text)
    = nullptr;
};

/// All routes. Where several carry the same request, the one with more path
/// segments comes first.
std::span<const route> routes();

/// A field and its text, percent-decoded.
struct parameter {
  std::string name;
  std::string value;
};

/// What a method and a path lead to.
struct lookup {
  const route* found = nullptr; ///< Null: the path exists, the method not.
  std::vector<parameter> parameters;
  std::string allow; ///< Methods the path has, e.g. `GET, DELETE`.
};

/// Finds a route. @param path percent-encoded, without the query.
/// Errors: `not_found`; `invalid_argument` for a broken escape.
result<lookup> find_route(std::string_view method, std::string_view path);

/// Builds the request of a route.
/// @param query percent-encoded, without `?`. @param body JSON or empty.
/// Errors: `invalid_argument`, naming the field.
result<request>
decode_request(const route& where, std::span<const parameter> path,
               std::string_view query, std::string_view body);

/// What a client sends for a request.
struct outgoing {
  const route* where = nullptr;
  std::string target; ///< Path and query, percent-encoded.
  std::string body;   ///< JSON; empty for GET and DELETE.
};

/// Inverse of `find_route` and `decode_request`. Errors: `invalid_argument`
/// when a name that belongs into the path is empty.
result<outgoing> encode_request(const request& what);

/// The body of a success.
std::string encode_reply(const reply& what);

/// Inverse of `encode_reply`; unknown fields of a newer daemon are ignored.
result<reply> decode_reply(const route& where, std::string_view body);

/// HTTP status of an error code.
int http_status(ec code);

/// The body of a failure.
std::string encode_error(const error& why);

/// Inverse of `encode_error`. A body that is none (a proxy's page) gives
/// `internal` with the status in the message.
error decode_error(int status, std::string_view body);

/// JSON of one event, as in the data line of the stream.
std::string encode_event(const event& x);

/// Inverse of `encode_event`. Errors: `invalid_argument`.
result<event> decode_event(std::string_view text);

/// Replaces `%XX`; `+` stays. Errors: `invalid_argument` for a broken escape
/// or `%00`.
result<std::string> percent_decode(std::string_view text);

/// Escapes all but letters, digits and `-._~`.
std::string percent_encode(std::string_view text);

} // namespace troupe::api
