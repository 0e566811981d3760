#include "troupe/tools/trouped/daemon.hpp"
#include "troupe/tools/trouped/flags.hpp"
#include "troupe/tools/trouped/openapi.hpp"

#include <iostream>

int main(int argc, char** argv) {
  using namespace troupe::tools;
  using action = daemon_command::action;
  auto command = parse_daemon_flags(argc, argv, troupe_environment(), std::cout,
                                    std::cerr);
  switch (command.what) {
  case action::serve:
    return run_daemon(command.configuration, command.inject_faults);
  case action::print_openapi:
    std::cout << openapi_text();
    return 0;
  case action::check:
    std::cout << "settings are valid\n";
    return 0;
  case action::leave:
    break;
  }
  return command.exit_code;
}
