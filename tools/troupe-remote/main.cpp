#include "troupe/tools/troupe-remote/flags.hpp"
#include "troupe/tools/troupe-remote/service.hpp"
#include "troupe/tools/troupe-remote/worker/worker.hpp"

#include <iostream>
#include <string_view>

namespace {

using namespace troupe::tools::remote;

int make_pki(const pki_plan& plan) {
  auto made = init_pki(plan);
  if (made) {
    for (const auto& path : *made)
      std::cout << path << "\n";
    return 0;
  }
  std::cerr << "Error: " << made.error().message << "\n";
  if (!made.error().hint.empty())
    std::cerr << "Hint: " << made.error().hint << "\n";
  return 1;
}

} // namespace

int main(int argc, char** argv) {
  // How the service starts itself for each peer; no command for people.
  if (argc == 2 && std::string_view{argv[1]} == "worker")
    return run_worker();
  auto command = parse_remote_flags(argc, argv, std::cout, std::cerr);
  using action = remote_command::action;
  switch (command.what) {
  case action::serve:
    return run_service(command.serve);
  case action::check:
    return check_service(command.serve);
  case action::init_pki:
    return make_pki(command.pki);
  case action::leave:
    break;
  }
  return command.exit_code;
}
