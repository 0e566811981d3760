#pragma once

#include "troupe/config/model/network.hpp"
#include "troupe/tools/cni/failure.hpp"

#include <array>
#include <functional>
#include <string>
#include <string_view>

namespace troupe::cni {

/// Versions whose results we can give, oldest first.
inline constexpr auto versions
  = std::array<std::string_view, 4>{"0.3.1", "0.4.0", "1.0.0", "1.1.0"};

bool is_version(std::string_view text);

/// Is this one of ours at least as new as that?
bool is_at_least(std::string_view version, std::string_view other);

/// The variables that a runtime sets.
struct environment {
  std::string command;
  std::string container;
  std::string netns;
  std::string ifname;
  std::string args;
  std::string path;
};

environment
read_environment(const std::function<const char*(const char*)>& variable);

/// Refuses what the command needs and does not have, and ids and names that
/// none can be.
outcome<void> check_environment(const environment& x);

/// What `CNI_ARGS` asks for: `IP`, `MAC`, `K8S_…`. Errors: unknown ones, unless
/// `IgnoreUnknown` is among them.
outcome<text_map> read_args(const std::string& text);

/// As container ids and names of networks must be.
bool is_identifier(std::string_view text);

} // namespace troupe::cni
