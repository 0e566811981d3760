// libnetwork's README example, in our API: a controller, a network, an endpoint
// and a sandbox; the endpoint joins the sandbox and tells what it got.
//
// Runs as root. Usage: embed [DIRECTORY], where the state is kept.

#include "troupe/actors/troupe.hpp"

#include <iostream>

namespace {

/// Prints why a step failed.
template <class T>
bool failed(const char* step, const troupe::result<T>& x) {
  if (!x)
    std::cerr << step << ": " << x.error().message << '\n';
  return !x;
}

int run(const std::string& directory) {
  // Where the controller keeps its records and pins its namespaces.
  auto settings = troupe::settings{};
  settings.state_dir = directory + "/state";
  settings.run_dir = directory + "/run";
  settings.log_level = "error";

  // A controller that lives in this process.
  auto controller = troupe::controller::open(settings);
  if (failed("open", controller))
    return 1;

  // A network of the bridge driver. Its subnet is chosen automatically.
  auto network = controller->create_network("bridge", "network1");
  if (failed("create network", network))
    return 1;

  // An endpoint: its address is allocated now, its interface when it joins.
  auto endpoint = network->create_endpoint("Endpoint1");
  if (failed("create endpoint", endpoint))
    return 1;

  // A sandbox for a container: a network namespace of its own.
  auto sandbox
    = controller->create_sandbox("container1", {.hostname = "test",
                                                .domainname = "docker.io",
                                                .netns_path = {},
                                                .use_host_namespace = false,
                                                .labels = {}});
  if (failed("create sandbox", sandbox))
    return 1;

  // Joining makes the interface inside the sandbox.
  auto joined = endpoint->join(*sandbox);
  if (failed("join", joined))
    return 1;

  // What `docker inspect` would show.
  auto info = endpoint->info();
  if (failed("info", info))
    return 1;
  std::cout << "sandbox   " << sandbox->key() << '\n'
            << "interface " << info->interface << '\n'
            << "address   " << to_string(info->spec.addresses.front()) << '\n'
            << "mac       " << to_string(*info->spec.mac) << '\n'
            << "gateway   " << to_string(*info->gateway) << '\n';

  // And back: what was made is removed, in the reverse order.
  if (failed("leave", endpoint->leave()) || failed("remove", sandbox->remove())
      || failed("remove", endpoint->remove())
      || failed("remove", network->remove()))
    return 1;
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  return run(argc > 1 ? argv[1] : "/run/troupe-embed");
}
