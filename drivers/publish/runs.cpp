#include "troupe/drivers/publish/runs.hpp"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>

namespace troupe::drivers {

namespace {

constexpr std::string_view lead = "publish ";

uint16_t last_of(const port_binding& x) {
  return x.port_end == 0 ? x.port : x.port_end;
}

bool follows(const told_port& before, const told_port& x) {
  const auto& a = before.binding;
  const auto& b = x.binding;
  const auto length = last_of(a) - a.port + 1;
  return before.reason == x.reason && a.proto == b.proto
         && a.host_ip == b.host_ip && b.port == a.port + length
         && (a.host_port == 0 ? b.host_port == 0
                              : b.host_port == a.host_port + length);
}

} // namespace

std::string reason_of(const std::string& message) {
  const auto end = message.find(": ");
  if (!message.starts_with(lead) || end == std::string::npos)
    return message;
  return message.substr(end + 2);
}

std::vector<told_port> in_runs(std::vector<told_port> xs) {
  auto key = [](const told_port& x) {
    return std::tie(x.reason, x.binding.proto, x.binding.host_ip,
                    x.binding.host_port, x.binding.port);
  };
  std::ranges::sort(xs, [&](const auto& a, const auto& b) {
    return key(a) < key(b);
  });
  auto result = std::vector<told_port>{};
  for (auto& x : xs)
    if (!result.empty() && follows(result.back(), x))
      result.back().binding.port_end = last_of(x.binding);
    else
      result.push_back(std::move(x));
  std::ranges::stable_sort(result, {}, [](const told_port& x) {
    return std::tie(x.binding.host_ip, x.binding.host_port);
  });
  return result;
}

} // namespace troupe::drivers
