#include "troupe/config/settings.hpp"
#include "troupe/tools/troupe/cli.hpp"

#include <cstdlib>
#include <iostream>

#include <unistd.h>

int main(int argc, char** argv) {
  const auto* host = std::getenv("TROUPE_HOST");
  auto address = host != nullptr && *host != '\0'
                   ? std::string{host}
                   : "unix://" + socket_path(troupe::settings{});
  auto io = troupe::tools::terminal{std::cout, std::cerr, std::cin,
                                    ::isatty(STDIN_FILENO) == 1};
  return troupe::tools::run_cli(argc, argv, io, address);
}
