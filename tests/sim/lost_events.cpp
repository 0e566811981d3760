#include "troupe/tests/sim/lost_events.hpp"

#include "troupe/tests/lab/invariants.hpp"
#include "troupe/tests/lab/simulated_system.hpp"

namespace troupe::test {

namespace {

// More than the regular comparison looks at in the time that is waited.
constexpr auto objects = 4;

std::string wrong_in(const testing::simulated_system& system) {
  auto result = std::string{};
  for (const auto& x : testing::check_world(system))
    result += x + "\n";
  return result;
}

std::string lose_and_look() {
  using namespace std::chrono_literals;
  auto system = testing::simulated_system{};
  if (auto started = system.start(); !started)
    return started.error().message;
  for (auto i = 0; i < objects; ++i) {
    auto number = std::to_string(i);
    auto network = network_spec{};
    network.name = "n" + number;
    auto sandbox = sandbox_spec{};
    sandbox.name = "s" + number;
    for (auto& x :
         {request{create_network{network}}, request{create_sandbox{sandbox}},
          request{attach_sandbox{network.name, sandbox.name, {}}}})
      if (auto done = system.call(x); !done)
        return done.error().message;
  }
  const auto seen = system.world->view();
  for (const auto& link : seen.namespaces.front().links)
    if (link.info.name.starts_with("trp"))
      (void)system.world->delete_link("", link.info.name);
  if (wrong_in(system).empty())
    return "nothing was wrong, so nothing is shown";
  system.lose_events();
  system.advance(500ms);
  return wrong_in(system);
}

} // namespace

std::string check_lost_events() {
  auto result = std::string{};
  testing::with_seed(1, [&] {
    result = lose_and_look();
  });
  return result;
}

} // namespace troupe::test
