// troupe-cni: container runtimes start it for each interface, docs/runtimes.md.

#include "troupe/config/settings.hpp"
#include "troupe/tools/cni/plugin.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>
#include <string>

#include <poll.h>
#include <unistd.h>

namespace {

using namespace troupe::cni;

/// More than any runtime says; what comes then is refused as too large.
constexpr size_t max_input = (16U << 20U) + 1;

/// VERSION has nothing to wait for: what a person's terminal, or a pipe that
/// nobody closes, would say.
constexpr int version_patience_ms = 1'000;

std::string read_input(bool with_patience) {
  auto result = std::string{};
  char buffer[65'536];
  if (with_patience && ::isatty(STDIN_FILENO) == 1)
    return result;
  while (result.size() < max_input) {
    auto waited = pollfd{STDIN_FILENO, POLLIN, 0};
    if (with_patience && ::poll(&waited, 1, version_patience_ms) <= 0)
      return result;
    auto size = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (size < 0 && errno == EINTR)
      continue;
    if (size <= 0)
      return result;
    result.append(buffer, static_cast<size_t>(size));
  }
  return result;
}

constexpr auto usage
  = "troupe-cni: attaches containers to Troupe's networks, as a CNI plugin\n"
    "CNI protocol versions supported: 0.3.1, 0.4.0, 1.0.0, 1.1.0\n"
    "Runtimes start it with CNI_COMMAND set; see troupe-cni(8).\n"
    "  troupe-cni --replay [SOCKET]  deletes what could not be while the\n"
    "                                daemon was away\n";

int run(int argc, char** argv) {
  auto env = read_environment([](const char* name) {
    return std::getenv(name);
  });
  auto around = surroundings{env,
                             [is_version_call = env.command == "VERSION"] {
                               return read_input(is_version_call);
                             },
                             std::cout, std::cerr,
                             [](const std::string& uri) {
                               return troupe::connect_backend(uri);
                             }};
  if (argc > 1 && std::strcmp(argv[1], "--replay") == 0)
    return replay_deferred(
      argc > 2 ? argv[2] : troupe::socket_path(troupe::settings{}), around);
  if (env.command.empty()) {
    std::cerr << usage;
    return argc > 1 && std::strcmp(argv[1], "--help") != 0 ? 2 : 0;
  }
  return run_plugin(around);
}

} // namespace

int main(int argc, char** argv) {
  // The runtime may be gone.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return run(argc, argv);
  } catch (const std::exception& why) {
    std::cout
      << R"({"cniVersion":"1.1.0","code":103,"msg":"unexpected failure"})"
      << '\n';
    std::cerr << "troupe-cni: " << why.what() << '\n';
    return 1;
  }
}
