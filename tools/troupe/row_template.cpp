#include "troupe/tools/troupe/row_template.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/config/model/nearest.hpp"
#include "troupe/tools/troupe/output.hpp"

#include <algorithm>
#include <cctype>

namespace troupe::tools {

namespace {

constexpr auto table_word = std::string_view{"table "};

// `EnableIPv6` and `enable_ipv6` are the same.
std::string plain(std::string_view name) {
  auto result = std::string{};
  for (auto c : name)
    if (c != '_')
      result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

bool same(std::string_view lhs, std::string_view rhs) {
  return plain(lhs) == plain(rhs);
}

// Null: there is none.
const json* member(const json& object, std::string_view name) {
  if (!object.is_object())
    return nullptr;
  if (auto exact = object.find(std::string{name}); exact != object.end())
    return &*exact;
  for (const auto& [key, value] : object.items())
    if (same(key, name))
      return &value;
  return nullptr;
}

// Lists as `a,b`, maps as `a=b,c=d`, as docker shows labels.
std::string text_of(const json& x) {
  if (x.is_null())
    return {};
  if (x.is_string())
    return printable(x.get<std::string>());
  if (!x.is_structured())
    return dump(x);
  auto result = std::vector<std::string>{};
  for (const auto& [key, value] : x.items()) {
    if (value.is_structured())
      return dump(x);
    result.push_back(x.is_object() ? printable(key) + "=" + text_of(value)
                                   : text_of(value));
  }
  return joined(result, ",");
}

std::string_view trimmed(std::string_view x) {
  while (x.starts_with(' '))
    x.remove_prefix(1);
  while (x.ends_with(' '))
    x.remove_suffix(1);
  return x;
}

std::string unescaped(std::string_view text) {
  auto result = std::string{};
  for (size_t i = 0; i < text.size(); ++i) {
    auto next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (text[i] != '\\' || (next != 't' && next != 'n')) {
      result += text[i];
      continue;
    }
    result += next == 't' ? '\t' : '\n';
    ++i;
  }
  return result;
}

tl::unexpected<error> no_field(std::string_view inside) {
  return fail(ec::invalid_argument,
              "--format: {{" + std::string{inside} + "}} is no field",
              "fields are like {{.Name}}, {{.Spec.Labels.tier}} or "
              "{{json .}}");
}

tl::unexpected<error>
unknown_field(const std::string& name, const template_view& x) {
  auto names = std::vector<std::string_view>{};
  auto add = [&names](std::string_view other) {
    if (std::ranges::none_of(names, [other](std::string_view name) {
          return same(name, other);
        }))
      names.push_back(other);
  };
  for (const auto& known : x.known)
    add(known);
  for (const auto& [key, value] : x.object.items())
    add(key);
  return fail(ec::invalid_argument,
              "--format: there is no field {{." + name + "}}",
              nearest_hint(name, names));
}

// The value of a field; null where the object has none of what it may have.
result<const json*>
find(const template_view& x, const std::vector<std::string>& path) {
  const auto* place = &x.object;
  for (size_t i = 0; i < path.size(); ++i) {
    const auto* next = member(*place, path[i]);
    if (next == nullptr && i == 0)
      if (const auto* spec = member(*place, "spec"))
        next = member(*spec, path[i]);
    if (next == nullptr && i == 0
        && std::ranges::none_of(x.known, [&](std::string_view name) {
             return same(name, path[i]);
           }))
      return unknown_field(path[i], x);
    if (next == nullptr)
      return nullptr;
    place = next;
  }
  return place;
}

result<std::string>
value_of(const template_view& x, const std::vector<std::string>& path,
         bool as_json) {
  if (path.size() == 1 && !as_json)
    for (const auto& [name, text] : x.cells)
      if (same(name, path.front()))
        return text;
  auto found = find(x, path);
  if (!found)
    return fail(std::move(found.error()));
  if (*found == nullptr)
    return std::string{as_json ? "null" : ""};
  return as_json ? dump(**found) : text_of(**found);
}

} // namespace

result<row_template::part> row_template::parse_field(std::string_view inside) {
  auto result = part{};
  result.is_field = true;
  auto rest = trimmed(inside);
  if (rest.starts_with("json ")) {
    result.as_json = true;
    rest = trimmed(rest.substr(5));
  }
  if (!rest.starts_with('.'))
    return no_field(inside);
  rest.remove_prefix(1);
  if (rest.empty())
    return result;
  for (;;) {
    auto dot = rest.find('.');
    auto name = rest.substr(0, dot);
    if (name.empty()
        || name.find_first_of(" |()\"{}$") != std::string_view::npos)
      return no_field(inside);
    result.path.emplace_back(name);
    if (dot == std::string_view::npos)
      return result;
    rest.remove_prefix(dot + 1);
  }
}

result<row_template> row_template::parse(std::string_view text) {
  auto result = row_template{};
  if (text.starts_with(table_word)) {
    result.is_table_ = true;
    text.remove_prefix(table_word.size());
  }
  for (;;) {
    auto begin = text.find("{{");
    auto before = unescaped(text.substr(0, begin));
    if (begin == std::string_view::npos) {
      if (text.find("}}") != std::string_view::npos)
        return no_field(text.substr(0, text.find("}}")));
      auto& end = result.parts_.emplace_back();
      end.text = std::move(before);
      return result;
    }
    auto end = text.find("}}", begin);
    if (end == std::string_view::npos)
      return fail(ec::invalid_argument,
                  "--format " + quoted(text) + ": {{ without }}",
                  "fields are like {{.Name}}");
    auto field = parse_field(text.substr(begin + 2, end - begin - 2));
    if (!field)
      return fail(std::move(field.error()));
    field->text = std::move(before);
    result.parts_.push_back(std::move(*field));
    text.remove_prefix(end + 2);
  }
}

std::vector<std::string> row_template::headers() const {
  auto result = std::vector<std::string>{""};
  for (const auto& x : parts_) {
    for (auto c : x.text)
      if (c == '\t')
        result.emplace_back();
      else
        result.back() += c;
    if (!x.is_field)
      continue;
    auto name = x.path.empty() ? std::string{"JSON"} : x.path.back();
    std::ranges::transform(name, name.begin(), [](unsigned char c) {
      return static_cast<char>(std::toupper(c));
    });
    result.back() += name;
  }
  return result;
}

result<std::vector<std::string>>
row_template::columns(const template_view& x) const {
  auto result = std::vector<std::string>{""};
  for (const auto& part : parts_) {
    for (auto c : part.text)
      if (c == '\t')
        result.emplace_back();
      else
        result.back() += c;
    if (!part.is_field)
      continue;
    auto value = value_of(x, part.path, part.as_json);
    if (!value)
      return fail(std::move(value.error()));
    result.back() += *value;
  }
  return result;
}

result<std::string> row_template::text(const template_view& x) const {
  auto result = std::string{};
  for (const auto& part : parts_) {
    result += part.text;
    if (!part.is_field)
      continue;
    auto value = value_of(x, part.path, part.as_json);
    if (!value)
      return fail(std::move(value.error()));
    result += *value;
  }
  return result;
}

} // namespace troupe::tools
