// troupe-oci: OCI runtimes start it as a hook, docs/runtimes.md.

#include "troupe/config/settings.hpp"
#include "troupe/tools/oci/hook.hpp"

#include <csignal>
#include <iostream>
#include <iterator>
#include <string_view>

namespace {

constexpr auto usage
  = "usage: troupe-oci createRuntime|poststop [--socket PATH]\n"
    "                  [--network NAME]...\n"
    "A hook of OCI runtimes: attaches a container to the networks that its\n"
    "annotation io.troupe.networks names, and detaches it.\n";

bool read_options(int argc, char** argv, troupe::oci::surroundings& to) {
  for (auto i = 2; i + 1 < argc; i += 2) {
    auto name = std::string_view{argv[i]};
    if (name == "--socket")
      to.socket = argv[i + 1];
    else if (name == "--network")
      to.networks.emplace_back(argv[i + 1]);
    else
      return false;
  }
  return argc % 2 == 0;
}

} // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  auto around
    = troupe::oci::surroundings{troupe::socket_path(troupe::settings{}),
                                {},
                                {},
                                std::cerr,
                                [](const std::string& uri) {
                                  return troupe::connect_backend(uri);
                                }};
  auto what = std::string_view{argc > 1 ? argv[1] : ""};
  if ((what != "createRuntime" && what != "poststop")
      || !read_options(argc, argv, around)) {
    std::cerr << usage;
    return 2;
  }
  around.state = {std::istreambuf_iterator<char>{std::cin}, {}};
  return what == "poststop" ? post_stop(around) : create_runtime(around);
}
