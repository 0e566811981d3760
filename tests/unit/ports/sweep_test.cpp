// Each call fails once, with each errno: the book, the host and the proxy are
// as before, and the same request works afterwards.

#include "fixture.hpp"
#include <cerrno>
#include <functional>

namespace troupe::drivers {
namespace {

using netns::simulated_ports;
using test::ip;

class PortBookSweep : public test::book_fixture {
protected:
  using step = std::function<result<void>()>;

  // Calls that the step makes without a fault.
  size_t count_calls(const step& run) {
    auto calls = size_t{0};
    host.on_call = [&](simulated_ports::call) {
      ++calls;
      return simulated_ports::fault{};
    };
    EXPECT_TRUE(run().has_value());
    host.on_call = nullptr;
    return calls;
  }

  // The call, or it and all that follow.
  void
  fail_call(size_t nth, simulated_ports::fault fault, bool for_ever = false) {
    host.on_call = [=, calls = size_t{0}](simulated_ports::call) mutable {
      const auto number = calls++;
      const auto fails = for_ever ? number >= nth : number == nth;
      return fails ? fault : simulated_ports::fault{};
    };
  }

  // `prepare` makes the state anew, `run` is what fails in it. What is final
  // is done all the same, at the latest by a repair.
  void sweep(const std::function<void()>& prepare, const step& run,
             bool final = false) {
    prepare();
    auto calls = count_calls(run);
    is_final = final;
    bindings_after = book->bindings();
    held_after = host.held();
    ASSERT_GT(calls, 0U);
    for (auto number : {EADDRINUSE, EADDRNOTAVAIL, EMFILE, ENOBUFS, EACCES})
      for (auto done : {false, true})
        for (auto for_ever : {false, true})
          for (size_t nth = 0; nth < calls; ++nth) {
            SCOPED_TRACE("errno " + std::to_string(number) + ", call "
                         + std::to_string(nth) + (done ? ", done" : "")
                         + (for_ever ? ", and all that follow" : ""));
            prepare();
            fail_once(nth, {number, done}, for_ever, run);
          }
  }

  void fail_once(size_t nth, simulated_ports::fault fault, bool for_ever,
                 const step& run) {
    auto bindings = book->bindings();
    auto held = host.held();
    auto served = host.served();
    fail_call(nth, fault, for_ever);
    auto outcome = run();
    host.on_call = nullptr;
    if (outcome)
      return; // Another port was free.
    ++failures;
    EXPECT_FALSE(outcome.error().message.empty());
    if (is_final) {
      EXPECT_EQ(book->bindings(), bindings_after);
      EXPECT_TRUE(book->repair().has_value());
      EXPECT_EQ(host.held(), held_after);
      EXPECT_EQ(host.served().size(), held_after.size());
      return;
    }
    EXPECT_EQ(book->bindings(), bindings);
    if (!fault.done_though && !for_ever) {
      EXPECT_EQ(host.held(), held);
      EXPECT_EQ(host.served(), served);
    }
    // What was done though it seemed to fail is put right later.
    EXPECT_TRUE(book->repair().has_value());
    EXPECT_EQ(host.held(), held);
    auto again = run();
    EXPECT_TRUE(again.has_value()) << again.error().message;
  }

  void TearDown() override {
    EXPECT_TRUE(failures > 0 || !expects_failures);
  }

  bool is_final = false;
  std::map<endpoint_id, std::vector<port_binding>> bindings_after;
  std::vector<std::string> held_after;
  int failures = 0;
  bool expects_failures = true;

  void fresh() {
    host.on_call = nullptr;
    book.reset();
    host.kill_proxy();
    open_book();
    book->publish(endpoint("db"), wishes({"5432:5432"}), options).value();
  }

  void sweep_publish(const std::vector<std::string>& ports) {
    sweep(
      [this] {
        fresh();
      },
      [&]() -> result<void> {
        auto done = book->publish(endpoint(), wishes(ports), options);
        if (!done)
          return fail(done.error());
        return {};
      });
  }
};

TEST_F(PortBookSweep, Publish) {
  sweep_publish({"8080:80", "81", "127.0.0.1:9000-9002:82"});
}

// More than go to the proxy at once.
TEST_F(PortBookSweep, PublishMany) {
  sweep_publish({"8000-8039:8000-8039"});
}

// Both are on their way to the proxy at the same time.
TEST_F(PortBookSweep, PublishForTwoAtOnce) {
  sweep(
    [this] {
      fresh();
    },
    [this]() -> result<void> {
      const auto web = endpoint();
      const auto mail = endpoint("mail");
      auto begun = book->begin_publish(web, wishes({"8080:80"}), options);
      if (begun)
        begun = book->begin_publish(mail, wishes({"25:25"}), options);
      auto done = begun ? result<void>{} : fail(begun.error());
      for (const auto& id : {web.id, mail.id})
        if (auto ok = book->finish_publish(id); !ok)
          done = std::move(ok);
      // Nothing more is asked of the host that fails.
      host.on_call = nullptr;
      static_cast<void>(book->release(web.id));
      static_cast<void>(book->release(mail.id));
      return done;
    });
}

// The rules could not be loaded meanwhile.
TEST_F(PortBookSweep, ReleaseWhatIsOnItsWay) {
  sweep(
    [this] {
      fresh();
      book->begin_publish(endpoint(), wishes({"8080:80", "81"}), options)
        .value();
    },
    [this] {
      return book->release(endpoint().id);
    },
    true);
}

TEST_F(PortBookSweep, Release) {
  sweep(
    [this] {
      fresh();
      book->publish(endpoint(), wishes({"8080:80", "81"}), options).value();
    },
    [this] {
      return book->release(endpoint().id);
    },
    true);
}

// One family of a port that has one socket for both.
TEST_F(PortBookSweep, ReleaseOfAPart) {
  sweep(
    [this] {
      fresh();
      book->publish(endpoint(), wishes({"8080:80", "81"}), options).value();
    },
    [this] {
      auto gone = book->bindings(endpoint().id);
      std::erase_if(gone, [](const auto& x) {
        return x.host_ip.is_v6() || x.port != 80;
      });
      EXPECT_EQ(gone.size(), 1U);
      return book->release(endpoint().id, gone);
    },
    true);
}

TEST_F(PortBookSweep, Restore) {
  auto bindings
    = std::vector<port_binding>{{protocol::tcp, 80, ip("0.0.0.0"), 8080},
                                {protocol::tcp, 80, ip("::"), 8080},
                                {protocol::udp, 53, ip("127.0.0.1"), 53}};
  sweep(
    [this] {
      fresh();
    },
    [&] {
      return book->restore(endpoint(), bindings);
    });
}

TEST_F(PortBookSweep, RepairComesThroughInTheEnd) {
  expects_failures = false;
  fresh();
  auto held = host.held();
  for (size_t nth = 0; nth < 8; ++nth) {
    for (auto done : {false, true}) {
      host.kill_proxy();
      fail_call(nth, {ENOBUFS, done});
      static_cast<void>(book->repair());
      host.on_call = nullptr;
      EXPECT_TRUE(book->repair().has_value());
      EXPECT_EQ(host.held(), held);
    }
  }
}

} // namespace
} // namespace troupe::drivers
