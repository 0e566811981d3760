#include "troupe/actors/api/routes.hpp"

#include <array>
#include <utility>

namespace troupe::api {

namespace {

// -- building the table -------------------------------------------------------

template <class T, class Variant>
struct index_of;

template <class T, class... Ts>
struct index_of<T, std::variant<Ts...>> {
  static constexpr size_t value = [] {
    constexpr auto same = std::array{std::is_same_v<T, Ts>...};
    size_t i = 0;
    while (!same[i])
      ++i;
    return i;
  }();
};

template <class Request>
result<request> decode_as(const json& fields) {
  auto x = from_json<Request>(fields, unknown_fields::refuse, "request");
  if (!x)
    return fail(std::move(x.error()));
  return request{std::move(*x)};
}

template <class Reply>
result<reply> decode_reply_as(const json& body) {
  auto x = from_json<Reply>(body, unknown_fields::ignore, "reply");
  if (!x)
    return fail(std::move(x.error()));
  return reply{std::move(*x)};
}

result<json> flag_value(std::string_view name, const std::string& text) {
  if (text == "true" || text == "1")
    return json(true);
  if (text == "false" || text == "0")
    return json(false);
  return fail(ec::invalid_argument, "query parameter " + std::string{name}
                                      + ": " + quoted(text)
                                      + " is neither true nor false");
}

// Only flags and names can stand in a query; every other field needs a body.
template <class Request>
result<json> query_value_of(std::string_view name, const std::string& text) {
  auto known = Request{};
  auto found = result<json>{
    fail(ec::invalid_argument,
         "query parameter " + quoted(name) + ": there is no such parameter")};
  for_each_field(known, [&]<class T>(std::string_view field_name, const T&) {
    if (field_name != name)
      return;
    if constexpr (std::is_same_v<T, bool>)
      found = flag_value(name, text);
    else if constexpr (std::is_same_v<T, std::string>)
      found = json(text);
  });
  return found;
}

template <class Request>
constexpr route row(const http_way& way) {
  using reply_type = typename Request::reply;
  auto x = route{};
  x.method = way.method;
  x.pattern = way.path;
  x.success = way.success;
  x.operation = Request::name;
  x.summary = way.summary;
  x.mutates = way.method != "GET";
  x.request_index = index_of<Request, request>::value;
  x.reply_index = index_of<reply_type, reply>::value;
  x.decode = decode_as<Request>;
  x.decode_reply = decode_reply_as<reply_type>;
  x.query_value = query_value_of<Request>;
  return x;
}

constexpr route special(route_kind kind, std::string_view pattern,
                        std::string_view operation, std::string_view summary) {
  auto x = route{};
  x.method = "GET";
  x.pattern = pattern;
  x.operation = operation;
  x.summary = summary;
  x.kind = kind;
  return x;
}

constexpr route
about_faults(std::string_view method, std::string_view pattern,
             std::string_view operation, std::string_view summary) {
  auto x = special(route_kind::faults, pattern, operation, summary);
  x.method = method;
  x.mutates = method != "GET";
  x.success = method == "POST" ? 201 : 200;
  return x;
}

constexpr auto others = std::array{
  special(route_kind::events, "/v1/events", "events",
          "Streams what happens as server-sent events."),
  special(route_kind::openapi, "/v1/openapi.json", "openapi",
          "Describes this API."),
  special(route_kind::metrics, "/metrics", "metrics",
          "Counts and gauges in Prometheus' text format."),

  about_faults("GET", "/v1/faults", "list_faults",
               "Lists the injected faults. Like all paths about faults for "
               "root only, and only with --enable-fault-injection."),
  about_faults("POST", "/v1/faults", "add_faults",
               "Injects faults, all or none."),
  about_faults("DELETE", "/v1/faults", "clear_faults",
               "Takes all faults away; delays in progress end."),
  about_faults("DELETE", "/v1/faults/{fault}", "remove_fault",
               "Takes a fault away."),
  about_faults("GET", "/v1/faults/log", "fault_log",
               "Shows when which fault struck what."),
  about_faults("GET", "/v1/faults/points", "fault_points",
               "Lists the places where faults can strike."),
};

// The ways of all requests, and what is no request.
template <class... Requests>
constexpr auto table_of(const std::variant<Requests...>*) {
  auto table
    = std::array<route, (Requests::ways.size() + ...) + others.size()>{};
  auto* next = table.data();
  auto add_ways = [&]<class Request>(const Request*) {
    for (const auto& way : Request::ways)
      *next++ = row<Request>(way);
  };
  (add_ways(static_cast<const Requests*>(nullptr)), ...);
  for (const auto& x : others)
    *next++ = x;
  return table;
}

constexpr auto table = table_of(static_cast<const request*>(nullptr));

// -- paths --------------------------------------------------------------------

// Cuts off the first segment; `/a/b` gives `a` and leaves `/b`.
std::string_view pop_segment(std::string_view& path) {
  path.remove_prefix(1);
  auto segment = path.substr(0, path.find('/'));
  path.remove_prefix(segment.size());
  return segment;
}

bool is_parameter(std::string_view segment) {
  return segment.starts_with('{');
}

std::string_view parameter_name(std::string_view segment) {
  return segment.substr(1, segment.size() - 2);
}

// Does the path have the pattern's shape? Nothing is decoded yet.
bool matches(std::string_view pattern, std::string_view path) {
  while (!pattern.empty()) {
    if (!path.starts_with('/'))
      return false;
    auto wanted = pop_segment(pattern);
    auto given = pop_segment(path);
    if (is_parameter(wanted) ? given.empty() : given != wanted)
      return false;
  }
  return path.empty();
}

result<std::vector<parameter>>
parameters_of(std::string_view pattern, std::string_view path) {
  auto result = std::vector<parameter>{};
  while (!pattern.empty()) {
    auto wanted = pop_segment(pattern);
    auto given = pop_segment(path);
    if (!is_parameter(wanted))
      continue;
    auto value = percent_decode(given);
    if (!value)
      return fail(std::move(value.error()));
    result.push_back({std::string{parameter_name(wanted)}, std::move(*value)});
  }
  return result;
}

// -- fields -------------------------------------------------------------------

bool needs_body(const route& where) {
  return where.method == "POST";
}

// True if every name the pattern needs is there.
bool is_usable(const route& where, const json& fields) {
  auto pattern = where.pattern;
  while (!pattern.empty()) {
    auto segment = pop_segment(pattern);
    if (is_parameter(segment)
        && fields.at(std::string{parameter_name(segment)})
             .get_ref<const std::string&>()
             .empty())
      return false;
  }
  return true;
}

// Moves the fields that the pattern names into the path.
std::string take_path(const route& where, json& fields) {
  auto result = std::string{};
  auto pattern = where.pattern;
  while (!pattern.empty()) {
    auto segment = pop_segment(pattern);
    result += '/';
    if (!is_parameter(segment)) {
      result += segment;
      continue;
    }
    auto name = std::string{parameter_name(segment)};
    result += percent_encode(fields.at(name).get_ref<const std::string&>());
    fields.erase(name);
  }
  return result;
}

// Fields with their default value are left out.
std::string query_of(const json& fields) {
  auto result = std::string{};
  for (const auto& [name, value] : fields.items()) {
    auto text = value.is_string() ? value.get<std::string>() : std::string{};
    if (value.is_boolean() && value.get<bool>())
      text = "true";
    if (text.empty())
      continue;
    result += result.empty() ? '?' : '&';
    result += name + "=" + percent_encode(text);
  }
  return result;
}

} // namespace

std::span<const route> routes() {
  return table;
}

result<lookup> find_route(std::string_view method, std::string_view path) {
  auto result = lookup{};
  for (const auto& candidate : table) {
    if (!matches(candidate.pattern, path))
      continue;
    result.allow += result.allow.empty() ? "" : ", ";
    result.allow += candidate.method;
    if (candidate.method != method)
      continue;
    auto values = parameters_of(candidate.pattern, path);
    if (!values)
      return fail(std::move(values.error()));
    result.found = &candidate;
    result.parameters = std::move(*values);
    return result;
  }
  if (result.allow.empty())
    return fail(ec::not_found, "path " + quoted(path) + ": no such path",
                "the API is described at /v1/openapi.json");
  return result;
}

result<outgoing> encode_request(const request& what) {
  auto fields = std::visit(
    [](const auto& x) {
      return to_json(x);
    },
    what);
  for (const auto& candidate : table) {
    if (candidate.kind != route_kind::request
        || candidate.request_index != what.index()
        || !is_usable(candidate, fields))
      continue;
    auto result = outgoing{&candidate, take_path(candidate, fields), {}};
    if (needs_body(candidate))
      result.body = dump(fields);
    else
      result.target += query_of(fields);
    return result;
  }
  return fail(ec::invalid_argument, "request: a name is empty");
}

} // namespace troupe::api
