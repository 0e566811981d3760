#include "troupe/tools/troupe/program.hpp"

#include "troupe/config/settings.hpp"
#include "troupe/tools/troupe/cli.hpp"

#include <cstdlib>
#include <iostream>

#include <sys/ioctl.h>
#include <unistd.h>

namespace troupe::tools {

namespace {

// A variable that is set to nothing counts as not set.
std::string variable(const char* name, const std::string& otherwise) {
  const auto* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

// Where people keep the files that `troupe-remote init-pki` made for them.
credentials default_credentials() {
  auto home = variable("HOME", "/root") + "/.config";
  auto folder = variable("XDG_CONFIG_HOME", home) + "/troupe/";
  return {variable("TROUPE_TLS_CERT", folder + "client.crt"),
          variable("TROUPE_TLS_KEY", folder + "client.key"),
          variable("TROUPE_TLS_CA", folder + "ca.crt")};
}

// Where output goes to a terminal: its width, and 80 where it has none.
size_t terminal_columns() {
  constexpr size_t otherwise = 80;
  if (::isatty(STDOUT_FILENO) != 1)
    return 0;
  auto size = winsize{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
    return otherwise;
  return size.ws_col;
}

// See https://no-color.org.
bool shows_colours() {
  return ::isatty(STDOUT_FILENO) == 1 && variable("NO_COLOR", "").empty()
         && variable("TERM", "dumb") != "dumb";
}

} // namespace

int run_program(int argc, const char* const* argv, far_connector connect_far) {
  auto address = variable("TROUPE_HOST", "unix://" + socket_path(settings{}));
  auto io = terminal{std::cout,          std::cerr,
                     std::cin,           ::isatty(STDIN_FILENO) == 1,
                     terminal_columns(), shows_colours()};
  return run_cli(argc, argv, io, address, default_credentials(),
                 std::move(connect_far));
}

} // namespace troupe::tools
