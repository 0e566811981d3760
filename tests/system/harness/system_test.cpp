#include "troupe/tests/system/harness/system_test.hpp"

#include "troupe/tests/system/harness/isolation.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <thread>

namespace troupe::test {

void system_test::SetUp() {
  if (!isolation_refusal().empty())
    GTEST_SKIP() << "cannot make scratch namespaces: " << isolation_refusal();
  ASSERT_TRUE(enter_fresh_network()) << std::strerror(errno);
  static auto count = 0;
  auto dir = "/run/test-" + std::to_string(++count);
  daemon_ = std::make_unique<daemon_process>(dir);
  before_ = observe_kernel();
  daemon_->wrap(wrapper_);
  ASSERT_EQ(daemon_->start(flags_), "");
  client_ = std::make_unique<http_client>(daemon_->socket());
  touch_everything();
  observe_daemon();
}

void system_test::TearDown() {
  if (!daemon_ || IsSkipped())
    return;
  if (daemon_->is_running()) {
    remove_everything();
    expect_same_descriptors();
    client_.reset();
    EXPECT_EQ(daemon_->terminate(), 0) << daemon_->log();
  }
  EXPECT_EQ(difference_that_stays(before_), "") << "left in the kernel";
  if (HasFailure())
    std::fprintf(stderr, "The daemon's log:\n%s\n", daemon_->log().c_str());
}

void system_test::expect_same_descriptors() {
  // Each thread that reads sysctls keeps one mount of its own for that, from
  // its first need on; nothing else may be there that was not there before.
  auto without_mounts = [](std::multiset<std::string> xs) {
    xs.erase("/");
    return xs;
  };
  auto wanted = without_mounts(descriptors_);
  // Sandboxes that were there then are gone, and what kept them open.
  std::erase_if(wanted, [](const std::string& x) {
    return x.find("/netns/") != std::string::npos || x.starts_with("net:[");
  });
  auto left = std::multiset<std::string>{};
  // A socket that the daemon has just closed may still be listed.
  for (auto i = 0; i < 100; ++i) {
    left = descriptors_of(daemon_->pid());
    if (without_mounts(left) == wanted)
      break;
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
  const auto present = without_mounts(left);
  auto other = std::vector<std::string>{};
  std::ranges::set_symmetric_difference(present, wanted,
                                        std::back_inserter(other));
  EXPECT_EQ(other, std::vector<std::string>{})
    << "descriptors of the daemon: " << present.size() << " instead of "
    << wanted.size();
  EXPECT_LE(static_cast<long>(left.count("/")),
            status_field(daemon_->pid(), "Threads"));
}

void system_test::touch_everything() {
  create_network("warm");
  create_sandbox("warm");
  attach("warm", "warm");
  EXPECT_EQ(doctor(), "");
  remove_everything();
}

void system_test::observe_daemon() {
  reconnect();
  // The watcher opens its last descriptor a moment after the daemon is ready,
  // and namespaces are kept ready in the background.
  // While nft runs, what it reads and writes is open.
  auto is_at_rest = [this] {
    return std::ranges::any_of(descriptors_,
                               [](const auto& x) {
                                 return x.ends_with("/mountinfo");
                               })
           && std::ranges::none_of(descriptors_, [](const auto& x) {
                return x.starts_with("/memfd:");
              });
  };
  constexpr auto calm = 5; // That many looks in a row see the same.
  auto same = 0;
  for (auto i = 0; i < 100 && same < calm; ++i) {
    auto now = descriptors_of(daemon_->pid());
    same = now == descriptors_ && is_at_rest() ? same + 1 : 0;
    descriptors_ = std::move(now);
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
}

void system_test::reconnect() {
  client_ = std::make_unique<http_client>(daemon_->socket());
  client_->get("/v1/status");
}

nlohmann::json
system_test::must(const std::string& method, const std::string& target,
                  const nlohmann::json& body) {
  auto answer = client_->send(method, target, body);
  if (answer && answer->ok())
    return answer->body;
  ADD_FAILURE() << method << " " << target << ": " << text_of(answer);
  return nullptr;
}

nlohmann::json
system_test::create_network(const std::string& name, nlohmann::json spec) {
  spec["name"] = name;
  return must("POST", "/v1/networks", {{"spec", spec}});
}

nlohmann::json system_test::create_sandbox(const std::string& name) {
  return must("POST", "/v1/sandboxes", {{"spec", {{"name", name}}}});
}

nlohmann::json
system_test::attach(const std::string& network, const std::string& sandbox) {
  return must("POST", "/v1/networks/" + network + "/attach",
              {{"sandbox", sandbox}});
}

std::string system_test::doctor() {
  auto report = must("POST", "/v1/doctor", {{"repair", false}});
  auto result = std::string{};
  for (const auto& finding : report.value("findings", nlohmann::json::array()))
    result += finding.dump() + "\n";
  return result;
}

void system_test::remove_everything() {
  auto names = [&](const std::string& target, const std::string& key,
                   const std::string& what) {
    auto result = std::vector<std::string>{};
    auto list = must("GET", target);
    for (const auto& x : list.value(key, nlohmann::json::array()))
      result.push_back(x.at("spec").value(what, ""));
    return result;
  };
  for (const auto& id : names("/v1/sandboxes", "sandboxes", "id"))
    must("DELETE", "/v1/sandboxes/" + id);
  for (const auto& id : names("/v1/endpoints", "endpoints", "id"))
    must("DELETE", "/v1/endpoints/" + id);
  for (const auto& id : names("/v1/networks", "networks", "id"))
    must("DELETE", "/v1/networks/" + id);
}

std::string text_of(const std::optional<response>& answer) {
  if (!answer)
    return "no answer";
  return std::to_string(answer->status) + " " + answer->body.dump();
}

std::string without_length(const std::string& address) {
  return address.substr(0, address.find('/'));
}

} // namespace troupe::test
