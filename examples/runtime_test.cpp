// How a container runtime tests its use of networks without privileges: the
// real controller on a machine in memory, with faults on demand. Any test
// framework will do; this program returns 1 if a check fails.

#include "troupe/tests/lab/invariants.hpp"
#include "troupe/tests/lab/simulated_system.hpp"

#include <cerrno>
#include <iostream>
#include <string>

namespace {

/// The code under test: what a runtime does when a container starts.
class runtime {
public:
  explicit runtime(troupe::controller controller)
    : controller_{std::move(controller)} {
  }

  /// Gives the container a namespace and an address in the network. All or
  /// nothing. @returns the address.
  troupe::result<std::string>
  start(const std::string& container, const std::string& network) {
    auto found = controller_.find_network(network);
    if (!found)
      return tl::unexpected{std::move(found.error())};
    auto sandbox = controller_.create_sandbox(container);
    if (!sandbox)
      return tl::unexpected{std::move(sandbox.error())};
    auto joined = join(*found, *sandbox, container);
    if (!joined)
      (void)sandbox->remove();
    return joined;
  }

private:
  static troupe::result<std::string>
  join(troupe::network& network, troupe::sandbox& sandbox,
       const std::string& name) {
    auto endpoint = network.create_endpoint(name);
    if (!endpoint)
      return tl::unexpected{std::move(endpoint.error())};
    auto joined = endpoint->join(sandbox);
    if (!joined) {
      (void)endpoint->remove();
      return tl::unexpected{std::move(joined.error())};
    }
    return to_string(joined->spec.addresses.front());
  }

  troupe::controller controller_;
};

bool failed = false;

void check(bool good, const std::string& what) {
  std::cout << (good ? "ok      " : "FAILED  ") << what << '\n';
  failed = failed || !good;
}

void starts_a_container() {
  auto host = troupe::testing::simulated_system{};
  check(host.start().has_value(), "the daemon starts");
  auto controller = host.controller();
  check(controller.create_network("bridge", "web").has_value(),
        "the network is made");
  auto address = runtime{controller}.start("c1", "web");
  check(address.has_value(), "the container has an address");
  host.crash();
  check(host.start().has_value(), "the daemon is killed and starts again");
  check(controller.find_sandbox("c1").has_value(), "the container is there");
  check(troupe::testing::check_all(host).empty(), "all invariants hold");
}

/// Fails call 0, 1, 2, … of the kernel until there is no such call; when the
/// runtime says that it failed, nothing must be left behind.
void leaves_nothing_when_a_call_fails() {
  auto call = 0U;
  for (auto hit = true; hit; ++call) {
    auto host = troupe::testing::simulated_system{};
    (void)host.start();
    (void)host.controller().create_network("bridge", "web");
    const auto before = fingerprint(*host.world);
    auto rule = troupe::netns::fault_rule{};
    rule.nth = call;
    rule.os_error = ENOBUFS;
    host.kernel_faults->reset_counters();
    host.kernel_faults->add(rule);
    const auto done = runtime{host.controller()}.start("c1", "web").has_value();
    hit = host.kernel_faults->faults() > 0;
    host.heal();
    host.advance(std::chrono::seconds{2});
    if (!done && fingerprint(*host.world) != before)
      check(false,
            "nothing is left when call " + std::to_string(call) + " fails");
  }
  check(call > 5, "the runtime was tried with " + std::to_string(call - 1)
                    + " calls that fail");
}

} // namespace

int main() {
  troupe::testing::with_seed(42, [] {
    starts_a_container();
    leaves_nothing_when_a_call_fails();
  });
  return failed ? 1 : 0;
}
