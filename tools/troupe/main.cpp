#include "troupe/config/settings.hpp"
#include "troupe/tools/troupe/cli.hpp"

#include <cstdlib>
#include <iostream>

#include <unistd.h>

namespace {

// A variable that is set to nothing counts as not set.
std::string variable(const char* name, const std::string& otherwise) {
  const auto* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

// Where people keep the files that `troupe-remote init-pki` made for them.
troupe::credentials default_credentials() {
  auto home = variable("HOME", "/root") + "/.config";
  auto folder = variable("XDG_CONFIG_HOME", home) + "/troupe/";
  return {variable("TROUPE_TLS_CERT", folder + "client.crt"),
          variable("TROUPE_TLS_KEY", folder + "client.key"),
          variable("TROUPE_TLS_CA", folder + "ca.crt")};
}

} // namespace

int main(int argc, char** argv) {
  auto address
    = variable("TROUPE_HOST", "unix://" + socket_path(troupe::settings{}));
  auto io = troupe::tools::terminal{std::cout, std::cerr, std::cin,
                                    ::isatty(STDIN_FILENO) == 1};
  return troupe::tools::run_cli(argc, argv, io, address, default_credentials());
}
