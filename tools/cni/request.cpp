#include "troupe/tools/cni/request.hpp"

#include "troupe/config/model/id.hpp"

#include <algorithm>
#include <iterator>
#include <vector>

namespace troupe::cni {

namespace {

constexpr size_t max_interface_bytes = 15;

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
         || (c >= '0' && c <= '9');
}

bool is_interface_name(std::string_view text) {
  return !text.empty() && text.size() <= max_interface_bytes && text != "."
         && text != ".." && std::ranges::all_of(text, [](char c) {
              return c > ' ' && c != '/' && c != ':' && c != '\x7f';
            });
}

bool is_true(std::string_view text) {
  constexpr auto words
    = std::array<std::string_view, 6>{"1", "t", "T", "true", "True", "TRUE"};
  return std::ranges::find(words, text) != words.end();
}

} // namespace

bool is_version(std::string_view text) {
  return std::ranges::find(versions, text) != versions.end();
}

bool is_at_least(std::string_view version, std::string_view other) {
  return std::ranges::find(versions, version)
         >= std::ranges::find(versions, other);
}

bool is_identifier(std::string_view text) {
  return !text.empty() && is_alphanumeric(text.front())
         && std::ranges::all_of(text, [](char c) {
              return is_alphanumeric(c) || c == '_' || c == '.' || c == '-';
            });
}

environment
read_environment(const std::function<const char*(const char*)>& variable) {
  auto text = [&](const char* name) {
    const auto* value = variable(name);
    return std::string{value == nullptr ? "" : value};
  };
  return {text("CNI_COMMAND"), text("CNI_CONTAINERID"), text("CNI_NETNS"),
          text("CNI_IFNAME"),  text("CNI_ARGS"),        text("CNI_PATH")};
}

outcome<void> check_environment(const environment& x) {
  auto needs_interface
    = x.command == "ADD" || x.command == "DEL" || x.command == "CHECK";
  if (!needs_interface)
    return {};
  auto missing = std::string{};
  auto need = [&](const std::string& value, const char* name) {
    if (value.empty())
      missing += (missing.empty() ? "" : ",") + std::string{name};
  };
  need(x.container, "CNI_CONTAINERID");
  if (x.command != "DEL")
    need(x.netns, "CNI_NETNS");
  need(x.ifname, "CNI_IFNAME");
  if (!missing.empty())
    return fails(code::bad_environment,
                 "required env variables [" + missing + "] missing");
  if (!is_identifier(x.container))
    return fails(code::bad_environment, "invalid characters in CNI_CONTAINERID",
                 quoted(x.container));
  if (!is_interface_name(x.ifname))
    return fails(code::bad_environment, "CNI_IFNAME is no name of an interface",
                 quoted(x.ifname));
  return {};
}

outcome<text_map> read_args(const std::string& text) {
  auto result = text_map{};
  for (size_t begin = 0; begin < text.size();) {
    auto end = std::min(text.find(';', begin), text.size());
    auto pair = text.substr(begin, end - begin);
    begin = end + 1;
    if (pair.empty())
      continue;
    auto equals = pair.find('=');
    if (equals == std::string::npos || equals == 0)
      return fails(code::bad_environment, "CNI_ARGS: invalid pair",
                   quoted(pair));
    result[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  const auto ignores = is_true(result["IgnoreUnknown"]);
  for (const auto& [key, value] : result) {
    auto is_known = key == "IgnoreUnknown" || key == "IP" || key == "MAC"
                    || key.starts_with("K8S_");
    if (!is_known && !ignores)
      return fails(code::bad_environment,
                   "CNI_ARGS: unknown args [" + quoted(key + "=" + value) + "]",
                   "IgnoreUnknown=1 lets them pass");
  }
  return result;
}

} // namespace troupe::cni
