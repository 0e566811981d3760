#include "troupe/actors/api/routes.hpp"
#include "troupe/config/model/json_text.hpp"

#include <algorithm>
#include <utility>

namespace troupe::api {

namespace {

result<void> put_new(json& fields, const std::string& name, json value) {
  if (fields.contains(name))
    return fail(ec::invalid_argument,
                "request: field " + quoted(name) + " is given more than once");
  fields[name] = std::move(value);
  return {};
}

result<void>
add_query(json& fields, const route& where, std::string_view query) {
  while (!query.empty()) {
    auto item = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), item.size() + 1));
    auto equals = item.find('=');
    auto name = percent_decode(item.substr(0, equals));
    auto text = percent_decode(equals == item.npos ? std::string_view{}
                                                   : item.substr(equals + 1));
    if (!name || !text)
      return fail(std::move(name ? text.error() : name.error()));
    auto value = where.query_value(*name, *text);
    if (!value)
      return fail(std::move(value.error()));
    if (auto put = put_new(fields, *name, std::move(*value)); !put)
      return put;
  }
  return {};
}

result<void> add_body(json& fields, std::string_view body) {
  if (body.empty())
    return {};
  auto parsed = parse_json(body);
  if (!parsed)
    return fail(with_context(std::move(parsed.error()), "request body"));
  if (!parsed->is_object())
    return fail(ec::invalid_argument, "request body: not a JSON object");
  for (auto& [name, value] : parsed->items())
    if (auto put = put_new(fields, name, std::move(value)); !put)
      return put;
  return {};
}

bool takes_body(const route& where) {
  return where.method == "POST";
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

} // namespace

result<request>
decode_request(const route& where, std::span<const parameter> path,
               std::string_view query, std::string_view body) {
  auto fields = json::object();
  for (const auto& x : path)
    fields[x.name] = x.value;
  if (takes_body(where) && !query.empty())
    return fail(ec::invalid_argument,
                "query " + quoted(query) + ": this request has no parameters");
  if (auto added = add_query(fields, where, query); !added)
    return fail(std::move(added.error()));
  if (auto added = add_body(fields, body); !added)
    return fail(std::move(added.error()));
  return where.decode(fields);
}

std::string encode_reply(const reply& what) {
  return std::visit(
    [](const auto& x) {
      return json_text(x);
    },
    what);
}

result<reply> decode_reply(const route& where, std::string_view body) {
  // A list of everything may be large; it comes from the daemon we trust.
  auto limits = json_limits{};
  limits.max_bytes = size_t{1} << 30U;
  auto parsed = parse_json(body, limits);
  if (!parsed)
    return fail(with_context(std::move(parsed.error()), "reply"));
  return where.decode_reply(*parsed);
}

int http_status(ec code) {
  switch (code) {
  case ec::none:
    return 200;
  case ec::invalid_argument:
    return 400;
  case ec::forbidden:
    return 403;
  case ec::not_found:
    return 404;
  case ec::timeout:
    return 408;
  case ec::conflict:
    return 409;
  case ec::unsupported:
    return 501;
  case ec::unavailable:
    return 503;
  case ec::internal:
    return 500;
  }
  return 500;
}

std::string encode_error(const error& why) {
  return dump(json{{"error",
                    {{"code", to_string(why.code)},
                     {"message", why.message},
                     {"hint", why.hint}}}});
}

error decode_error(int status, std::string_view body) {
  auto text = [](const json& from, const char* name) {
    auto found = from.find(name);
    return found != from.end() && found->is_string() ? found->get<std::string>()
                                                     : std::string{};
  };
  if (auto parsed = parse_json(body); parsed && parsed->is_object()) {
    auto found = parsed->find("error");
    if (found != parsed->end() && found->is_object())
      return {ec_from_string(text(*found, "code")), text(*found, "message"),
              text(*found, "hint"), 0};
  }
  return {ec::internal, "reply: HTTP status " + std::to_string(status), {}, 0};
}

std::string encode_event(const event& x) {
  return json_text(x);
}

result<event> decode_event(std::string_view text) {
  auto parsed = parse_json(text);
  if (!parsed)
    return fail(with_context(std::move(parsed.error()), "event"));
  return from_json<event>(*parsed, unknown_fields::ignore, "event");
}

result<std::string> percent_decode(std::string_view text) {
  auto result = std::string{};
  result.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i];
      continue;
    }
    auto high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    auto low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0 || high + low == 0)
      return fail(ec::invalid_argument,
                  "decode " + quoted(text) + ": broken percent escape");
    result += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return result;
}

std::string percent_encode(std::string_view text) {
  constexpr auto digits = std::string_view{"0123456789ABCDEF"};
  auto result = std::string{};
  for (auto c : text) {
    auto byte = static_cast<unsigned char>(c);
    auto plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z')
                 || (byte >= '0' && byte <= '9') || byte == '-' || byte == '.'
                 || byte == '_' || byte == '~';
    if (plain) {
      result += c;
      continue;
    }
    result += '%';
    result += digits[byte >> 4U];
    result += digits[byte & 15U];
  }
  return result;
}

} // namespace troupe::api
