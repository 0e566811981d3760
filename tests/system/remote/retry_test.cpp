// What breaks between client and daemon: the network, the process in between,
// the daemon itself.

#include "troupe/tests/system/remote/breaking_proxy.hpp"
#include "troupe/tests/system/remote/fixture.hpp"

#include <future>
#include <mutex>

#include <signal.h>

namespace troupe::test {

namespace {

using namespace std::chrono_literals;

class Break : public remote_test {
protected:
  controller connect_through() {
    auto x = controller::connect("caf+tls://127.0.0.1:"
                                   + std::to_string(breaking_proxy::port),
                                 files_of("client"));
    EXPECT_TRUE(x);
    x->set_deadline(20s);
    return *x;
  }

  // Stops the daemon's work without its knowing; requests then hang.
  void freeze_daemon(bool on) {
    ::kill(daemon().pid(), on ? SIGSTOP : SIGCONT);
  }

  auto create_in_background(controller x, const std::string& name) {
    return std::async(std::launch::async, [x, name]() mutable {
      return x.create_network("bridge", name);
    });
  }

  // Until the request is with the front, which nothing tells while the daemon
  // stands still. Were this too short, it would be sent again from the
  // beginning: the test would see less, and not fail.
  void let_it_arrive() {
    std::this_thread::sleep_for(300ms);
  }
};

} // namespace

TEST_F(Break, ARequestThatIsSentAgainHasOneEffect) {
  auto network = breaking_proxy{};
  auto controller = connect_through();
  ASSERT_TRUE(controller.status());
  freeze_daemon(true);
  auto made = create_in_background(controller, "once");
  let_it_arrive();
  network.cut();
  // Sent again over a new connection while the first one is still under way.
  EXPECT_TRUE(eventually([&] {
    return network.count() >= 2;
  }));
  let_it_arrive();
  freeze_daemon(false);
  auto outcome = made.get();
  EXPECT_TRUE(outcome) << outcome.error().message;
  EXPECT_EQ(local_networks(), std::vector<std::string>{"once"});
}

TEST_F(Break, AnAnswerThatWasLostIsGivenAgain) {
  auto network = breaking_proxy{};
  auto controller = connect_through();
  ASSERT_TRUE(controller.status());
  freeze_daemon(true);
  auto made = create_in_background(controller, "once");
  let_it_arrive();
  // The answer gets as far as the cable that is out.
  network.hold(true);
  freeze_daemon(false);
  EXPECT_TRUE(eventually([&] {
    return local_networks().size() == 1;
  }));
  network.cut();
  network.hold(false);
  auto outcome = made.get();
  EXPECT_TRUE(outcome) << outcome.error().message;
  EXPECT_EQ(local_networks(), std::vector<std::string>{"once"});
}

TEST_F(Break, ManyBreaksLoseAndRepeatNothing) {
  auto network = breaking_proxy{};
  auto controller = connect_through();
  auto stop = std::atomic<bool>{false};
  auto breaker = std::thread{[&] {
    while (!stop) {
      std::this_thread::sleep_for(400ms); // The pace of the breaks.
      network.cut();
    }
  }};
  for (auto i = 0; i < 20; ++i) {
    // Repeated by hand it would be a conflict.
    auto made = controller.create_sandbox("s" + std::to_string(i));
    EXPECT_TRUE(made) << made.error().message;
  }
  stop = true;
  breaker.join();
  EXPECT_EQ(controller.sandboxes()->size(), 20U);
}

TEST_F(Break, WhenTheProcessInBetweenDiesTheOutcomeIsSaidToBeUnknown) {
  auto controller = connect();
  ASSERT_TRUE(controller.status());
  freeze_daemon(true);
  auto made = create_in_background(controller, "maybe");
  let_it_arrive();
  auto asked = std::async(std::launch::async, [controller]() mutable {
    return controller.status();
  });
  let_it_arrive();
  kill_remote();
  EXPECT_EQ(start_remote(), "");
  freeze_daemon(false);
  auto outcome = made.get();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, ec::unavailable);
  EXPECT_NE(outcome.error().hint.find("unknown"), std::string::npos);
  // What changes nothing is simply asked again.
  auto status = asked.get();
  EXPECT_TRUE(status) << status.error().message;
  EXPECT_TRUE(controller.status());
}

TEST_F(Break, ADaemonThatIsAwayIsAClearError) {
  auto controller = connect();
  ASSERT_TRUE(controller.status());
  daemon().terminate();
  auto begin = std::chrono::steady_clock::now();
  auto status = controller.status();
  ASSERT_FALSE(status);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  EXPECT_EQ(status.error().code, ec::unavailable);
  EXPECT_NE(status.error().message.find("cannot reach the daemon"),
            std::string::npos)
    << status.error().message;
  ASSERT_EQ(daemon().start(flags_), "");
  observe_daemon();
  EXPECT_TRUE(controller.status());
}

TEST_F(Break, ADeadlineHoldsWhateverHangs) {
  auto network = breaking_proxy{};
  auto controller = connect_through();
  ASSERT_TRUE(controller.status());
  controller.set_deadline(700ms);
  auto expect_timeout = [&] {
    auto begin = std::chrono::steady_clock::now();
    auto status = controller.status();
    auto took = std::chrono::steady_clock::now() - begin;
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ec::timeout) << status.error().message;
    EXPECT_LT(took, 2s);
  };
  freeze_daemon(true);
  expect_timeout();
  freeze_daemon(false);
  network.hold(true);
  expect_timeout();
  network.hold(false);
  controller.set_deadline(20s);
  EXPECT_TRUE(controller.status());
}

TEST_F(Break, EventsGoOnWithoutAGap) {
  auto network = breaking_proxy{};
  auto controller = connect_through();
  auto mutex = std::mutex{};
  auto seen = std::vector<event>{};
  auto subscribed = controller.subscribe([&](const event& x) {
    auto guard = std::lock_guard{mutex};
    seen.push_back(x);
  });
  ASSERT_TRUE(subscribed) << subscribed.error().message;
  auto last_is = [&](const char* name) {
    auto guard = std::lock_guard{mutex};
    return !seen.empty() && seen.back().name == name;
  };
  create_network("before");
  EXPECT_TRUE(eventually([&] {
    return last_is("before");
  }));
  network.hold(true);
  create_network("meanwhile");
  network.cut();
  network.hold(false);
  create_network("after");
  EXPECT_TRUE(eventually([&] {
    return last_is("after");
  }));
  controller.unsubscribe(*subscribed);
  auto texts = std::vector<std::string>{};
  for (const auto& x : seen)
    texts.push_back(x.name.empty() ? x.action : x.name);
  EXPECT_EQ(texts, (std::vector<std::string>{"before", "disconnect", "connect",
                                             "meanwhile", "after"}));
}

TEST_F(Break, ARestartInBetweenIsInvisibleToTheDaemonAndToIdleClients) {
  auto controller = connect();
  ASSERT_TRUE(controller.create_network("bridge", "net"));
  for (auto i = 0; i < 3; ++i) {
    kill_remote();
    EXPECT_LT(slowest_local_request(), 1s);
    EXPECT_EQ(start_remote(), "");
    auto status = controller.status();
    EXPECT_TRUE(status) << status.error().message;
  }
  EXPECT_EQ(doctor(), "");
}

} // namespace troupe::test
