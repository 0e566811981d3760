#include "troupe/config/settings_check.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/config/model/nearest.hpp"
#include "troupe/config/settings_text.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>

#include <sys/un.h>

namespace troupe {

namespace {

constexpr auto log_levels
  = std::array<std::string_view, 5>{"trace", "debug", "info", "warn", "error"};

// One byte of sun_path ends the string.
constexpr size_t max_socket_bytes = sizeof(sockaddr_un::sun_path) - 1;

// Longer deadlines are as good as none, and none is not offered.
constexpr int max_timeout_ms = 3'600'000;
constexpr int max_max_requests = 100'000;
constexpr int max_max_queue = 10'000;
constexpr int max_ready_namespaces = 64;

bool has_control_bytes(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
}

result<void> check_path(std::string& path) {
  if (has_control_bytes(path))
    return fail(ec::invalid_argument,
                "path " + quoted(path) + " contains a control character");
  if (path.empty() || path[0] != '/')
    return fail(ec::invalid_argument,
                "must be an absolute path, not " + quoted(path));
  auto normal = std::filesystem::path{path}.lexically_normal().string();
  // lexically_normal keeps "//" in front and "/" behind.
  normal.erase(0, std::min(normal.find_first_not_of('/'), normal.size()) - 1);
  while (normal.size() > 1 && normal.back() == '/')
    normal.pop_back();
  path = std::move(normal);
  return {};
}

result<void> check_group(std::string_view name) {
  if (has_control_bytes(name) || name.find(':') != std::string_view::npos)
    return fail(ec::invalid_argument, quoted(name) + " is no name of a group");
  return {};
}

result<void> check_log_level(std::string_view level) {
  if (std::find(log_levels.begin(), log_levels.end(), level)
      != log_levels.end())
    return {};
  return fail(ec::invalid_argument, "unknown level " + quoted(level),
              nearest_hint(level, log_levels));
}

result<void> check_range(int value, int max, int min = 1) {
  if (value >= min && value <= max)
    return {};
  return fail(ec::invalid_argument, "must be from " + std::to_string(min)
                                      + " to " + std::to_string(max) + ", not "
                                      + std::to_string(value));
}

result<void> check_pools(const std::vector<address_pool_setting>& pools) {
  for (size_t i = 0; i < pools.size(); ++i) {
    const auto& [base, size] = pools[i];
    auto bits = base.address().bits();
    auto place = "[" + std::to_string(i) + "]";
    if (base.length() == 0)
      return fail(ec::invalid_argument,
                  place + ".base: must be a subnet, not "
                    + (base == prefix{} ? "absent" : "all addresses"));
    if (size < base.length() || size > bits)
      return fail(ec::invalid_argument,
                  place + ".size: must be from " + std::to_string(base.length())
                    + " to " + std::to_string(bits) + " for base "
                    + to_string(base) + ", not " + std::to_string(size));
  }
  return {};
}

} // namespace

namespace detail {

result<void> check_setting(std::string_view key, settings& x) {
  if (key == "state-dir")
    return check_path(x.state_dir);
  if (key == "run-dir")
    return check_path(x.run_dir);
  if (key == "socket")
    return x.socket.empty() ? result<void>{} : check_path(x.socket);
  if (key == "proxy-program")
    return x.proxy_program.empty() ? result<void>{}
                                   : check_path(x.proxy_program);
  if (key == "socket-group")
    return check_group(x.socket_group);
  if (key == "log-level")
    return check_log_level(x.log_level);
  if (key == "default-address-pools")
    return check_pools(x.default_address_pools);
  if (key == "driver-timeout-ms")
    return check_range(x.driver_timeout_ms, max_timeout_ms);
  if (key == "request-timeout-ms")
    return check_range(x.request_timeout_ms, max_timeout_ms);
  if (key == "max-requests")
    return check_range(x.max_requests, max_max_requests);
  if (key == "max-queue")
    return check_range(x.max_queue, max_max_queue);
  if (key == "ready-namespaces")
    return check_range(x.ready_namespaces, max_ready_namespaces, 0);
  return {};
}

result<void> check_together(const settings& x) {
  // Each directory is locked by its own descriptor: one directory for both
  // would look like a second daemon.
  if (x.state_dir == x.run_dir)
    return fail(ec::invalid_argument,
                "settings: state-dir and run-dir are both "
                  + quoted(x.state_dir),
                "run-dir must be on a tmpfs, state-dir on a disk");
  const auto steps_ms = int64_t{steps_per_request} * x.driver_timeout_ms;
  if (x.request_timeout_ms <= steps_ms)
    return fail(
      ec::invalid_argument,
      "settings: request-timeout-ms is " + std::to_string(x.request_timeout_ms)
        + ", and a request of " + std::to_string(steps_per_request)
        + " steps may take driver-timeout-ms for each, "
        + std::to_string(steps_ms)
        + " in all: why one failed would come too late",
      "set request-timeout-ms to more than " + std::to_string(steps_ms)
        + ", or driver-timeout-ms to less");
  auto path = socket_path(x);
  if (path.size() > max_socket_bytes)
    return fail(ec::invalid_argument,
                "settings: path of the socket " + quoted(path) + " has "
                  + std::to_string(path.size()) + " bytes, Unix sockets take "
                  + std::to_string(max_socket_bytes),
                x.socket.empty() ? "choose a shorter run-dir, or set socket"
                                 : "choose a shorter socket");
  return {};
}

} // namespace detail

result<settings> validated(settings x) {
  auto failure = result<void>{};
  for_each_field(x, [&](std::string_view key, const auto&) {
    if (!failure)
      return;
    failure = detail::check_setting(key, x);
    if (!failure)
      failure.error() = detail::at("settings: " + std::string{key},
                                   std::move(failure.error()));
  });
  if (failure)
    failure = detail::check_together(x);
  if (!failure)
    return fail(std::move(failure.error()));
  return x;
}

std::string socket_path(const settings& x) {
  if (!x.socket.empty())
    return x.socket;
  return (x.run_dir == "/" ? "" : x.run_dir) + "/troupe.sock";
}

} // namespace troupe
