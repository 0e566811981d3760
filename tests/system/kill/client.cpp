#include "troupe/tests/system/kill/client.hpp"

#include "troupe/tests/system/harness/system_test.hpp"

namespace troupe::test {

kill_client::kill_client(int number, std::string shared_network,
                         unsigned long seed, testing::history& log)
  : prefix_("c" + std::to_string(number)), shared_(std::move(shared_network)),
    random_(static_cast<std::mt19937::result_type>(seed)), told_(log) {
}

void kill_client::work(const daemon_process& daemon,
                       const std::atomic<bool>& killed) {
  auto connection = daemon.client();
  for (;;) {
    auto next = choose(world_, prefix_, shared_, random_);
    pending_ = next;
    told_.ask(next, world_);
    auto answer = connection.send(next.method(), next.target(), next.body());
    if (!answer) {
      if (!killed)
        complaint_ = next.text() + ": no answer, and nobody killed the daemon";
      return;
    }
    if (!answer->ok()) {
      complaint_ = next.text() + ": " + text_of(answer);
      return;
    }
    told_.answer(answer->body);
    world_ = after(std::move(world_), next, answer->body);
    pending_.reset();
    ++acknowledged_;
  }
}

std::string kill_client::check(const nlohmann::json& networks,
                               const nlohmann::json& endpoints,
                               const nlohmann::json& sandboxes) {
  auto seen = listed(networks, endpoints, sandboxes, prefix_);
  told_.see(seen);
  auto problem = contradiction(world_, seen);
  if (pending_) {
    ++interrupted_;
    auto other = contradiction(after(world_, *pending_, nullptr), seen);
    if (other.empty() && !problem.empty())
      ++happened_;
    if (!problem.empty() && !other.empty())
      return "if not done:\n" + problem + "if done (" + pending_->text()
             + "):\n" + other;
  } else if (!problem.empty()) {
    return problem;
  }
  // From here on, what is there is what must stay, with its identity.
  world_ = std::move(seen);
  pending_.reset();
  return {};
}

} // namespace troupe::test
