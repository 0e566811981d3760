// Kills the real daemon at random instants under concurrent clients, and looks
// whether anything was lost or left.

#include "troupe/tests/fixtures/slowness.hpp"
#include "troupe/tests/system/harness/system_test.hpp"
#include "troupe/tests/system/harness/traffic.hpp"
#include "troupe/tests/system/kill/client.hpp"
#include "troupe/tests/system/publish/connection.hpp"

#include <random>
#include <thread>

namespace troupe::test {

namespace {

using nlohmann::json;

constexpr auto clients = 8;
constexpr auto shared_network = "shared";

class Kill : public system_test {
protected:
  void SetUp() override {
    system_test::SetUp();
    if (IsSkipped() || HasFatalFailure())
      return;
    seed_ = number_from_environment("TEST_SEED", std::random_device{}());
    random_.seed(static_cast<std::mt19937::result_type>(seed_));
    create_network(shared_network);
    for (auto i = 0; i < clients; ++i)
      clients_.push_back(
        std::make_unique<kill_client>(i, shared_network, seed_ + 1 + i, log_));
  }

  // Lets all clients work for some milliseconds, kills the daemon, waits for
  // the clients.
  void work_and_kill() {
    auto killed = std::atomic<bool>{false};
    auto threads = std::vector<std::thread>{};
    for (auto& client : clients_)
      threads.emplace_back([&] {
        client->work(daemon(), killed);
      });
    std::this_thread::sleep_for(random_pause(60'000));
    killed = true;
    daemon().kill();
    for (auto& thread : threads)
      thread.join();
    for (auto& client : clients_)
      EXPECT_EQ(client->complaint(), "");
  }

  // Starts the daemon; every fourth time it is killed while it starts.
  int restart() {
    auto kills = 0;
    while (random_() % 4 == 0 && kills < 3) {
      daemon().launch();
      std::this_thread::sleep_for(random_pause(40'000));
      daemon().kill();
      ++kills;
    }
    EXPECT_EQ(daemon().start(), "");
    return kills;
  }

  // A slow daemon needs longer to do something.
  std::chrono::microseconds random_pause(unsigned most_us) {
    return patient(std::chrono::microseconds{random_() % most_us});
  }

  // The daemon's lists against the books of all clients.
  void check_objects() {
    networks_ = must("GET", "/v1/networks");
    endpoints_ = must("GET", "/v1/endpoints");
    sandboxes_ = must("GET", "/v1/sandboxes");
    if (HasFailure())
      return;
    log_.settle(); // What was under way at the kill has happened or never will.
    for (auto& client : clients_)
      EXPECT_EQ(client->check(networks_, endpoints_, sandboxes_), "");
  }

  // The kernel against the daemon's lists: all of it is there, and no more.
  void check_kernel() {
    auto links = std::set<std::string>{"lo"};
    for (const auto& network : networks_.at("networks"))
      links.insert(network.value("interface", ""));
    for (const auto& endpoint : endpoints_.at("endpoints"))
      if (!endpoint.value("sandbox_name", "").empty())
        links.insert(endpoint.value("host_interface", ""));
    // Links of removed endpoints die in the background.
    for (auto i = 0; i < 100 && link_names() != links; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
    EXPECT_EQ(link_names(), links);

    auto pins = std::multiset<std::string>{};
    for (const auto& sandbox : sandboxes_.at("sandboxes")) {
      pins.insert(sandbox.value("key", ""));
      check_inside(sandbox);
    }
    EXPECT_EQ(pinned_namespaces(), pins);
  }

  // Each joined endpoint has its interface and addresses, and no others are.
  void check_inside(const json& sandbox) {
    using interface = std::pair<std::string, std::multiset<std::string>>;
    auto name = sandbox.at("spec").value("name", "");
    auto wanted = std::set<interface>{};
    for (const auto& endpoint : endpoints_.at("endpoints")) {
      if (endpoint.value("sandbox_name", "") != name)
        continue;
      auto& addresses = endpoint.at("spec").at("addresses");
      wanted.insert({endpoint.value("interface", ""),
                     {addresses.begin(), addresses.end()}});
    }
    auto seen = std::set<interface>{};
    for (auto& x : interfaces_inside(sandbox.value("key", "")))
      seen.insert({x.name, x.addresses});
    EXPECT_EQ(seen, wanted) << "in sandbox " << name;
  }

  unsigned long seed_ = 0;
  std::mt19937 random_;
  testing::history log_;
  std::vector<std::unique_ptr<kill_client>> clients_;
  json networks_;
  json endpoints_;
  json sandboxes_;
};

// Two sandboxes that nobody touches; they must not notice anything.
struct steady_pair {
  std::string from;
  std::string to;
  std::vector<std::string> addresses; ///< Of the second; no lengths.
};

// A published port of a sandbox that nobody touches, and two connections to it
// that were there before the first kill: one through the rules, one through the
// proxy.
class steady_port {
public:
  steady_port(const std::string& server, const std::string& client,
              std::string host)
    : client_{client}, host_{std::move(host)}, listener_{listen_in(server, 80)},
      outside_{connect_from(client, host_, 8080)},
      through_rules_{listener_.accept()}, inside_{connect_from("", "127.0.0.1",
                                                               8080)},
      through_proxy_{listener_.accept()} {
  }

  // Both are alive, and new ones can be made.
  void check() const {
    expect_talk(outside_, through_rules_);
    expect_talk(inside_, through_proxy_);
    for (const auto& from : {client_, std::string{}}) {
      auto fresh = connect_from(from, from.empty() ? "127.0.0.1" : host_, 8080);
      expect_talk(fresh, listener_.accept());
    }
  }

private:
  static void expect_talk(const connection& a, const connection& b) {
    EXPECT_TRUE(a.is_open() && b.is_open());
    EXPECT_TRUE(a.say("there"));
    EXPECT_EQ(b.hear(), "there");
    EXPECT_TRUE(b.say("and back"));
    EXPECT_EQ(a.hear(), "and back");
  }

  std::string client_;
  std::string host_;
  connection listener_;
  connection outside_;
  connection through_rules_;
  connection inside_;
  connection through_proxy_;
};

std::string text_at(const json& x, const char* name) {
  return x.is_object() ? x.value(name, "") : "";
}

} // namespace

TEST_F(Kill, LosesNothingAndLeavesNothingAtRandomInstants) {
  const auto kills = number_from_environment(
    "TEST_KILLS", 300 * number_from_environment("TEST_FACTOR", 1));
  create_network("steady", {{"enable_ipv6", true}});
  auto pair = steady_pair{};
  pair.from = text_at(create_sandbox("from"), "key");
  pair.to = text_at(create_sandbox("to"), "key");
  create_network("elsewhere");
  auto far = text_at(create_sandbox("far"), "key");
  attach("steady", "from");
  attach("elsewhere", "far");
  auto published = daemon().troupe({"attach", "steady", "to", "-p", "8080:80"});
  ASSERT_EQ(published.code, 0) << published.err;
  auto endpoint = must("GET", "/v1/networks/steady/endpoints/to");
  ASSERT_FALSE(HasFailure());
  for (const auto& address : endpoint.at("spec").at("addresses"))
    pair.addresses.push_back(without_length(address));
  ASSERT_EQ(pair.addresses.size(), 2U);

  auto v4 = traffic{pair.from, pair.to, pair.addresses[0]};
  auto v6 = traffic{pair.from, pair.to, pair.addresses[1]};
  ASSERT_EQ(v4.refusal() + v6.refusal(), "");

  auto port = std::make_optional<steady_port>(pair.to, far,
                                              text_at(endpoint, "gateway"));
  port->check();
  ASSERT_FALSE(HasFailure()) << daemon().log();

  for (auto done = 0UL; done < kills;) {
    SCOPED_TRACE("seed " + std::to_string(seed_) + ", kill "
                 + std::to_string(done));
    work_and_kill();
    port->check(); // while there is no daemon
    done += 1 + static_cast<unsigned long>(restart());
    ASSERT_TRUE(daemon().is_running());
    observe_daemon();
    check_objects();
    ASSERT_FALSE(HasFailure());
    check_kernel();
    port->check();
    EXPECT_EQ(doctor(), "");
    ASSERT_FALSE(HasFailure()) << daemon().log();
  }

  for (auto* stream : {&v4, &v6}) {
    auto report = stream->stop();
    EXPECT_TRUE(report.is_complete()) << report.text();
    std::printf("traffic: %s\n", report.text().c_str());
  }
  auto acknowledged = uint64_t{0}, interrupted = uint64_t{0},
       happened = uint64_t{0};
  for (auto& client : clients_) {
    acknowledged += client->acknowledged();
    interrupted += client->interrupted();
    happened += client->happened();
  }
  std::printf("%lu kills, %lu operations acknowledged, %lu interrupted of "
              "which %lu had happened\n",
              kills, acknowledged, interrupted, happened);
  EXPECT_EQ(log_.check(), "");
  std::printf("fault count: kills of the real daemon: %lu\n", kills);
  std::printf("history: %zu operations and looks have an order\n", log_.size());
  // A run in which nothing was under way would prove nothing.
  EXPECT_GT(acknowledged, kills);
  EXPECT_GT(interrupted, kills / 2);
  port.reset();
  remove_everything();
  touch_everything();
  observe_daemon();
}

} // namespace troupe::test
