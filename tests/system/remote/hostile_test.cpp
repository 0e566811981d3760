// Peers that mean harm, most of them with a valid certificate: the daemon does
// not notice, local clients are not delayed, other peers are served.

#include "troupe/tests/system/remote/fixture.hpp"
#include "troupe/tests/system/remote/raw_peer.hpp"

#include <atomic>
#include <filesystem>
#include <map>
#include <thread>

namespace troupe::test {

namespace {

using namespace std::chrono_literals;

/// The promise for local clients is 100 ms; the rest is the machine's, which
/// runs compilers beside the tests.
constexpr auto local_bound = 1s;

class HostilePeer : public remote_test {
protected:
  void SetUp() override {
    remote_test::SetUp();
    if (IsSkipped() || HasFatalFailure())
      return;
    daemon_pid_ = daemon().pid();
    bystander_.emplace(connect("other"));
    ASSERT_TRUE(bystander_->status());
    connections_ = count_connections();
  }

  void TearDown() override {
    bystander_.reset();
    remote_test::TearDown();
  }

  // Nobody else has noticed anything: the bystander is still on the connection
  // it made before.
  void expect_unharmed() {
    EXPECT_LT(slowest_local_request(), local_bound);
    auto status = bystander_->status();
    EXPECT_TRUE(status) << status.error().message;
    EXPECT_EQ(count_connections(), connections_);
    EXPECT_TRUE(connect().status());
    EXPECT_EQ(daemon().pid(), daemon_pid_);
    EXPECT_EQ(::kill(remote_pid(), 0), 0);
    EXPECT_EQ(doctor(), "");
  }

  // How often the bystander has connected, by the log.
  size_t count_connections() {
    auto text = remote_log();
    auto result = size_t{0};
    for (auto at = text.find("CN=other connects"); at != text.npos;
         at = text.find("CN=other connects", at + 1))
      ++result;
    return result;
  }

  // A peer that has been greeted.
  raw_peer greeted(const std::string& who = "client") {
    auto x = raw_peer{};
    EXPECT_EQ(x.shake_hands(files_of(who)), "");
    EXPECT_EQ(x.receive(32).size(), 32U);
    return x;
  }

  outcome stock_peer(const std::string& what) {
    auto files = files_of("client");
    return run(
      {TROUPE_STOCK_PEER, what, files.certificate, files.key, files.authority},
      {}, 30s);
  }

private:
  pid_t daemon_pid_ = 0;
  std::optional<controller> bystander_;
  size_t connections_ = 0;
};

} // namespace

// A greeting that announces no content makes CAF 0.17.6 use a null pointer.
TEST_F(HostilePeer, The32ByteFrameEndsItsSendersConnectionOnly) {
  for (auto i = 0; i < 3; ++i) {
    auto x = greeted();
    x.send(encode({.operation = 1}));
    EXPECT_TRUE(x.is_closed_within(5s));
  }
  expect_unharmed();
}

TEST_F(HostilePeer, AGiantLengthTakesNobodysMemory) {
  auto before = status_field(remote_pid(), "VmRSS");
  auto peers = std::vector<raw_peer>{};
  for (auto i = 0; i < 3; ++i) {
    peers.push_back(greeted());
    peers.back().send(encode(
      {.operation = 2, .payload_bytes = 1'500'000'000, .from = 1, .to = 1}));
    peers.back().send(std::string(100'000, 'x'));
  }
  expect_unharmed();
  EXPECT_LT(status_field(remote_pid(), "VmRSS"), before + 50'000);
}

TEST_F(HostilePeer, NoiseOfEveryKindIsSurvived) {
  auto seed = number_from_environment("TEST_SEED", 20'240'607);
  for (uint8_t operation = 0; operation < 9; ++operation) {
    auto x = greeted();
    auto frame = encode({.operation = operation,
                         .flags = static_cast<uint8_t>(operation & 1U),
                         .payload_bytes = 64,
                         .data = 3,
                         .from = 0,
                         .to = 1});
    for (auto i = 0; i < 64; ++i) {
      seed = seed * 6364136223846793005UL + 1442695040888963407UL;
      frame += static_cast<char>(seed >> 56U);
    }
    x.send(frame);
    x.send(frame);
    x.is_closed_within(100ms);
  }
  expect_unharmed();
}

TEST_F(HostilePeer, AnExitMessageEndsItsSendersConnectionOnly) {
  auto ran = stock_peer("kill");
  // No welcome, but whichever error CAF has for it.
  EXPECT_TRUE(ran.out.starts_with("timeout")
              || ran.out.starts_with("unavailable"))
    << ran.out << ran.err;
  EXPECT_NE(remote_log().find("its worker ended"), std::string::npos);
  expect_unharmed();
}

TEST_F(HostilePeer, LookUpsFindNothingOfTheDaemon) {
  auto ran = stock_peer("lookup");
  EXPECT_NE(ran.out.find("secret nothing"), std::string::npos) << ran.out;
  expect_unharmed();
}

TEST_F(HostilePeer, OtherVersionsAreToldSo) {
  auto ran = stock_peer("versions");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("unsupported connect: troupe stock has other "
                         "messages"),
            std::string::npos)
    << ran.out;
  EXPECT_NE(ran.out.find("the other (troupe stock) protocol 99"),
            std::string::npos)
    << ran.out;
  EXPECT_NE(ran.out.find("32 hex digits"), std::string::npos) << ran.out;
  expect_unharmed();
}

TEST_F(HostilePeer, HalfOpenConnectionsDoNotKeepOthersOut) {
  auto strangers = std::vector<std::unique_ptr<raw_peer>>{};
  for (auto i = 0; i < 100; ++i)
    strangers.push_back(
      std::make_unique<raw_peer>("127.0.0." + std::to_string(100 + i % 3)));
  expect_unharmed();
  EXPECT_LT(std::distance(
              std::filesystem::directory_iterator{
                "/proc/" + std::to_string(remote_pid()) + "/fd"},
              std::filesystem::directory_iterator{}),
            100);
  // All of them are gone when their time for a handshake is over.
  for (auto& x : strangers)
    EXPECT_TRUE(x->is_closed_within(7s));
  expect_unharmed();
}

TEST_F(HostilePeer, AFloodOfRequestsIsRefusedAndHeldBack) {
  auto controller = connect();
  ASSERT_TRUE(controller.status());
  constexpr auto count = 900;
  auto answered = std::atomic<int>{0};
  auto refused = std::atomic<int>{0};
  for (auto i = 0; i < count; ++i)
    controller.submit(list_networks{}, [&](result<reply> x) {
      EXPECT_TRUE(x || x.error().code == ec::unavailable);
      refused += x ? 0 : 1;
      ++answered;
    });
  EXPECT_LT(slowest_local_request(50), local_bound);
  EXPECT_TRUE(eventually(
    [&] {
      return answered == count;
    },
    30s));
  EXPECT_GT(refused, 0);
  expect_unharmed();
}

TEST_F(HostilePeer, AFloodOfBytesKeepsToItsOwnWorker) {
  auto x = greeted();
  auto stop = std::atomic<bool>{false};
  auto flood = std::thread{[&] {
    auto beats = std::string{};
    for (auto i = 0; i < 1'000; ++i)
      beats += encode({.operation = 6});
    for (auto i = 0; i < 300 && !stop && x.send(beats); ++i) {
    }
  }};
  EXPECT_LT(slowest_local_request(50), local_bound);
  stop = true;
  flood.join();
  expect_unharmed();
}

// What a worker could do in an enemy's hands.
TEST_F(HostilePeer, AWorkerHasNoRightsAndTheDaemonNoPartOfCafsNetwork) {
  auto workers = processes_named("troupe-worker");
  ASSERT_EQ(workers.size(), 1U); // The bystander's.
  for (const auto& [field, value] : std::map<std::string, long>{
         {"Uid", 65'534}, {"Seccomp", 2}, {"NoNewPrivs", 1}, {"CapEff", 0}})
    EXPECT_EQ(status_field(workers[0], field), value) << field;
  // Its two sockets and CAF's own pipes and loops: none to the daemon.
  auto open = descriptors_of(workers[0]);
  for (const auto& x : open)
    EXPECT_FALSE(x.starts_with(pki())) << x;
  EXPECT_LE(open.count("socket"), 2U);
  auto linked = run({"ldd", daemon_path()});
  EXPECT_EQ(linked.out.find("caf_io"), std::string::npos) << linked.out;
}

TEST_F(HostilePeer, ConnectionsOfOnePeerAreCounted) {
  auto peers = std::vector<std::unique_ptr<raw_peer>>{};
  auto greeted_count = 0;
  for (auto i = 0; i < 12; ++i) {
    peers.push_back(std::make_unique<raw_peer>());
    EXPECT_EQ(peers.back()->shake_hands(files_of("other")), "");
    greeted_count += peers.back()->receive(32, 10s).size() == 32 ? 1 : 0;
  }
  // Eight, of which the bystander has one.
  EXPECT_EQ(greeted_count, 7);
  EXPECT_LT(slowest_local_request(), local_bound);
  EXPECT_TRUE(connect("client").status());
}

} // namespace troupe::test
