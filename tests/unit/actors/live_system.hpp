#pragma once

#include "troupe/tests/fixtures/simulated_parts.hpp"
#include "troupe/tests/unit/drivers/fixture.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace troupe::test {

/// An embedded controller with its real threads on a simulated machine. The
/// machine and the disk outlive it, so it can be started again.
struct live_system : testing::Test {
  live_system() {
    how.state_dir = "/var/lib/troupe-test";
    how.run_dir = "/run/troupe-test";
    forward();
    start();
  }

  /// As the host's own settings do, before the daemon starts.
  void forward() {
    auto host = netns::open_simulated_kernel(machine.world);
    for (auto key :
         {netns::sysctl::ipv4_forwarding, netns::sysctl::ipv6_forwarding})
      ASSERT_TRUE(host->set_sysctl(key, "all", 1));
  }

  embedded_parts parts_of_machine() const {
    return simulated_parts(machine.world, disk, ports);
  }

  void start() {
    auto opened = open_backend(how, parts_of_machine());
    ASSERT_TRUE(opened) << opened.error().message;
    backend = std::move(*opened);
  }

  void restart() {
    backend.reset();
    start();
  }

  /// Sends a request and waits. @pre its reply is a `Reply`.
  template <class Reply>
  result<Reply> call(request what) {
    auto answer = backend->call(std::move(what), std::chrono::seconds{30});
    if (!answer)
      return fail(std::move(answer.error()));
    return std::get<Reply>(std::move(*answer));
  }

  /// `ok`, or the error's code and message.
  std::string outcome(request what) {
    auto answer = backend->call(std::move(what), std::chrono::seconds{30});
    if (answer)
      return "ok";
    return std::string{to_string(answer.error().code)} + ": "
           + answer.error().message;
  }

  network_status
  make_network(const std::string& name, const std::string& driver = "bridge") {
    auto spec = network_spec{};
    spec.name = name;
    spec.driver = driver;
    return call<network_status>(create_network{spec}).value();
  }

  sandbox_status make_sandbox(const std::string& name) {
    auto spec = sandbox_spec{};
    spec.name = name;
    return call<sandbox_status>(create_sandbox{spec}).value();
  }

  endpoint_status
  make_endpoint(const std::string& network, const std::string& name) {
    auto spec = endpoint_spec{};
    spec.name = name;
    return call<endpoint_status>(create_endpoint{network, spec}).value();
  }

  endpoint_status
  attach(const std::string& network, const std::string& sandbox) {
    return call<endpoint_status>(attach_sandbox{network, sandbox, {}}).value();
  }

  /// The machine as text.
  std::string shape() const {
    return machine.print();
  }

  std::string state_of_endpoint(const std::string& name) {
    return call<endpoint_status>(inspect_endpoint{"", name}).value().state;
  }

  settings how;
  host machine;
  std::shared_ptr<persistence::memory_disk> disk
    = std::make_shared<persistence::memory_disk>();
  /// The host's ports; the proxy outlives the daemon as well.
  std::shared_ptr<netns::simulated_ports> ports
    = std::make_shared<netns::simulated_ports>();
  std::shared_ptr<troupe::backend> backend;
};

} // namespace troupe::test
