#include "troupe/tools/trouped/openapi.hpp"

#include "troupe/actors/api/routes.hpp"
#include "troupe/config/model/fault.hpp"

#include <string_view>
#include <type_traits>
#include <utility>

namespace troupe::tools {

namespace {

using api::route;
using api::route_kind;

// Keeps the order of the tables, which is the order people think in.
using ordered = nlohmann::ordered_json;

// -- schemas of the field tables ---------------------------------------------

// Names of the components.
template <class T>
constexpr std::string_view type_name = {};
template <>
constexpr std::string_view type_name<network_spec> = "network_spec";
template <>
constexpr std::string_view type_name<network_status> = "network_status";
template <>
constexpr std::string_view type_name<ipam_pool> = "ipam_pool";
template <>
constexpr std::string_view type_name<endpoint_spec> = "endpoint_spec";
template <>
constexpr std::string_view type_name<endpoint_status> = "endpoint_status";
template <>
constexpr std::string_view type_name<sandbox_spec> = "sandbox_spec";
template <>
constexpr std::string_view type_name<sandbox_status> = "sandbox_status";
template <>
constexpr std::string_view type_name<network_list> = "network_list";
template <>
constexpr std::string_view type_name<endpoint_list> = "endpoint_list";
template <>
constexpr std::string_view type_name<sandbox_list> = "sandbox_list";
template <>
constexpr std::string_view type_name<startup_step> = "startup_step";
template <>
constexpr std::string_view type_name<daemon_status> = "daemon_status";
template <>
constexpr std::string_view type_name<finding> = "finding";
template <>
constexpr std::string_view type_name<doctor_report> = "doctor_report";
template <>
constexpr std::string_view type_name<done> = "done";
template <>
constexpr std::string_view type_name<event> = "event";
template <>
constexpr std::string_view type_name<port_spec> = "port_spec";
template <>
constexpr std::string_view type_name<port_binding> = "port_binding";
template <>
constexpr std::string_view type_name<exposed_port> = "exposed_port";
template <>
constexpr std::string_view type_name<fault_spec> = "fault_spec";
template <>
constexpr std::string_view type_name<fault_status> = "fault_status";
template <>
constexpr std::string_view type_name<fault_list> = "fault_list";
template <>
constexpr std::string_view type_name<fault_hit> = "fault_hit";
template <>
constexpr std::string_view type_name<fault_log> = "fault_log";
template <>
constexpr std::string_view type_name<fault_point> = "fault_point";
template <>
constexpr std::string_view type_name<fault_points> = "fault_points";

ordered text_schema(std::string_view description) {
  return {{"type", "string"}, {"description", description}};
}

// Text types are told apart by what they hold.
template <class T>
ordered text_type_schema() {
  if constexpr (std::is_same_v<T, ip_address>)
    return text_schema("IPv4 or IPv6 address");
  else if constexpr (std::is_same_v<T, prefix>)
    return text_schema("subnet in CIDR notation, host bits zero");
  else if constexpr (std::is_same_v<T, interface_address>)
    return text_schema("address with the length of its subnet");
  else if constexpr (std::is_same_v<T, mac_address>)
    return text_schema("MAC address, lower case with colons");
  else
    return text_schema("id of 64 hex digits");
}

template <class T>
struct element_of;
template <class T>
struct element_of<std::vector<T>> {
  using type = T;
};
template <class T>
struct element_of<std::optional<T>> {
  using type = T;
};
template <class T>
struct element_of<std::map<std::string, T>> {
  using type = T;
};

template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;
template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
ordered schema_of(ordered& components);

// `omitted`: fields that the path or nobody has to give.
template <described T>
ordered object_schema(ordered& components, const std::string& omitted) {
  auto properties = ordered::object();
  auto x = T{};
  for_each_field(x, [&]<class M>(std::string_view name, const M&) {
    if (omitted.find("{" + std::string{name} + "}") == omitted.npos)
      properties[std::string{name}] = schema_of<M>(components);
  });
  return {{"type", "object"},
          {"additionalProperties", false},
          {"properties", std::move(properties)}};
}

template <described T>
ordered reference_to(ordered& components) {
  static_assert(!type_name<T>.empty(), "name the type above");
  auto name = std::string{type_name<T>};
  if (!components.contains(name)) {
    components[name] = nullptr; // Its place in the order.
    auto schema = object_schema<T>(components, {});
    components[name] = std::move(schema);
  }
  return {{"$ref", "#/components/schemas/" + name}};
}

template <class T>
ordered schema_of(ordered& components) {
  if constexpr (std::is_same_v<T, bool>)
    return {{"type", "boolean"}};
  else if constexpr (named_enum<T>)
    return {{"type", "string"}, {"enum", enum_names<T>}};
  else if constexpr (std::is_integral_v<T>)
    return {{"type", "integer"}, {"format", sizeof(T) > 4 ? "int64" : "int32"}};
  else if constexpr (std::is_same_v<T, std::string>)
    return {{"type", "string"}};
  else if constexpr (is_optional<T>)
    return schema_of<typename element_of<T>::type>(components);
  else if constexpr (is_vector<T>)
    return {{"type", "array"},
            {"items", schema_of<typename element_of<T>::type>(components)}};
  else if constexpr (text_type<T>)
    return text_type_schema<T>();
  else if constexpr (described<T>)
    return reference_to<T>(components);
  else
    return {{"type", "object"},
            {"additionalProperties",
             schema_of<typename element_of<T>::type>(components)}};
}

// Calls `f.template operator()<T>()` with the n-th alternative of a variant.
template <class Variant, class F>
ordered with_alternative(size_t n, F&& f) {
  auto result = ordered{};
  [&]<size_t... I>(std::index_sequence<I...>) {
    auto visit = [&]<size_t J>() {
      if (J == n)
        result
          = f.template operator()<std::variant_alternative_t<J, Variant>>();
    };
    (visit.template operator()<I>(), ...);
  }
  (std::make_index_sequence<std::variant_size_v<Variant>>{});
  return result;
}

// -- paths -------------------------------------------------------------------

ordered path_parameters(std::string_view pattern) {
  auto result = ordered::array();
  for (auto open = pattern.find('{'); open != pattern.npos;
       open = pattern.find('{', open + 1)) {
    auto name = pattern.substr(open + 1, pattern.find('}', open) - open - 1);
    result.push_back(
      {{"name", name},
       {"in", "path"},
       {"required", true},
       {"description", name == "fault" ? "number of the fault"
                                       : "id, name or unique prefix of the id"},
       {"schema", {{"type", "string"}}}});
  }
  return result;
}

template <described Request>
void add_query_parameters(ordered& parameters, const route& where) {
  auto x = Request{};
  for_each_field(x, [&]<class M>(std::string_view name, const M&) {
    auto in_path = where.pattern.find("{" + std::string{name} + "}");
    if constexpr (std::is_same_v<M, bool> || std::is_same_v<M, std::string>)
      if (in_path == where.pattern.npos)
        parameters.push_back(
          {{"name", name},
           {"in", "query"},
           {"required", false},
           {"schema",
            {{"type", std::is_same_v<M, bool> ? "boolean" : "string"}}}});
  });
}

ordered content(const char* type, ordered schema) {
  return {{type, {{"schema", std::move(schema)}}}};
}

ordered fault_reply(const route& where, ordered& components) {
  if (where.operation == "fault_log")
    return reference_to<fault_log>(components);
  if (where.operation == "fault_points")
    return reference_to<fault_points>(components);
  if (where.method == "DELETE")
    return reference_to<done>(components);
  return reference_to<fault_list>(components);
}

ordered responses(const route& where, ordered& components) {
  auto success = ordered{{"description", "success"}};
  switch (where.kind) {
  case route_kind::request:
    success["content"]
      = content("application/json",
                with_alternative<reply>(where.reply_index, [&]<class Reply>() {
                  return reference_to<Reply>(components);
                }));
    break;
  case route_kind::events:
    // The data of each server-sent event; generators read its schema.
    success["content"]
      = content("text/event-stream", reference_to<event>(components));
    break;
  case route_kind::metrics:
    success["content"] = content("text/plain", {{"type", "string"}});
    break;
  case route_kind::openapi:
    success["content"] = content("application/json", {{"type", "object"}});
    break;
  case route_kind::faults:
    success["content"]
      = content("application/json", fault_reply(where, components));
    break;
  }
  return {{std::to_string(where.success), std::move(success)},
          {"default", {{"$ref", "#/components/responses/failure"}}}};
}

ordered operation_of(const route& where, ordered& components) {
  auto parameters = path_parameters(where.pattern);
  auto result = ordered{{"summary", where.summary}};
  if (where.kind == route_kind::request && where.method == "POST")
    result["requestBody"]
      = {{"content", content("application/json",
                             with_alternative<request>(
                               where.request_index, [&]<class Request>() {
                                 return object_schema<Request>(
                                   components, std::string{where.pattern});
                               }))}};
  else if (where.kind == route_kind::faults && where.method == "POST")
    result["requestBody"]
      = {{"content", content("application/json",
                             object_schema<add_faults>(components, {}))}};
  else if (where.kind == route_kind::request)
    (void)with_alternative<request>(where.request_index, [&]<class Request>() {
      add_query_parameters<Request>(parameters, where);
      return ordered{};
    });
  if (!parameters.empty())
    result["parameters"] = std::move(parameters);
  result["responses"] = responses(where, components);
  return result;
}

ordered failure_response() {
  auto text = ordered{{"type", "string"}};
  auto codes = ordered::array();
  for (auto code :
       {ec::invalid_argument, ec::forbidden, ec::not_found, ec::timeout,
        ec::conflict, ec::unsupported, ec::unavailable, ec::internal})
    codes.push_back(to_string(code));
  auto fields = ordered{{"code", {{"type", "string"}, {"enum", codes}}},
                        {"message", text},
                        {"hint", text}};
  auto schema = ordered{
    {"type", "object"},
    {"properties",
     {{"error", {{"type", "object"}, {"properties", std::move(fields)}}}}}};
  return {{"description", "failure"},
          {"content", content("application/json", std::move(schema))}};
}

std::string lower(std::string_view text) {
  auto result = std::string{text};
  for (auto& c : result)
    c = static_cast<char>(c | 0x20);
  return result;
}

std::string generate() {
  auto components = ordered::object();
  auto paths = ordered::object();
  for (const auto& where : api::routes())
    paths[std::string{where.pattern}][lower(where.method)]
      = operation_of(where, components);
  auto document = ordered{
    {"openapi", "3.0.3"},
    {"info",
     {{"title", "Troupe"},
      {"description", "Local API of trouped, over HTTP on a Unix socket."},
      {"version", "1"}}},
    {"servers", {{{"url", "http://trouped"}}}},
    {"paths", std::move(paths)},
    {"components",
     {{"schemas", std::move(components)},
      {"responses", {{"failure", failure_response()}}}}}};
  return document.dump(2) + "\n";
}

} // namespace

const std::string& openapi_text() {
  static const auto text = generate();
  return text;
}

} // namespace troupe::tools
