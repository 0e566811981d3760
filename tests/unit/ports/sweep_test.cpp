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

  void fail_call(size_t nth, simulated_ports::fault fault) {
    host.on_call
      = [nth, fault, calls = size_t{0}](simulated_ports::call) mutable {
          return calls++ == nth ? fault : simulated_ports::fault{};
        };
  }

  // `prepare` makes the state anew, `run` is what fails in it.
  void sweep(const std::function<void()>& prepare, const step& run) {
    prepare();
    auto calls = count_calls(run);
    ASSERT_GT(calls, 0U);
    for (auto number : {EADDRINUSE, EADDRNOTAVAIL, EMFILE, ENOBUFS, EACCES}) {
      for (auto done : {false, true}) {
        for (size_t nth = 0; nth < calls; ++nth) {
          prepare();
          auto bindings = book->bindings();
          auto held = host.held();
          auto served = host.served();
          fail_call(nth, {number, done});
          auto outcome = run();
          host.on_call = nullptr;
          if (outcome)
            continue; // Another port was free.
          SCOPED_TRACE("errno " + std::to_string(number) + ", call "
                       + std::to_string(nth));
          EXPECT_FALSE(outcome.error().message.empty());
          EXPECT_EQ(book->bindings(), bindings);
          if (!done) {
            EXPECT_EQ(host.held(), held);
            EXPECT_EQ(host.served(), served);
          }
          // What was done though it seemed to fail is put right later.
          EXPECT_TRUE(book->repair().has_value());
          EXPECT_EQ(host.held(), held);
          auto again = run();
          EXPECT_TRUE(again.has_value()) << again.error().message;
        }
      }
    }
  }

  void fresh() {
    host.on_call = nullptr;
    book.reset();
    host.kill_proxy();
    open_book();
    book->publish(endpoint("db"), wishes({"5432:5432"}), options).value();
  }
};

TEST_F(PortBookSweep, Publish) {
  sweep(
    [this] {
      fresh();
    },
    [this]() -> result<void> {
      auto done = book->publish(
        endpoint(), wishes({"8080:80", "81", "127.0.0.1:9000-9002:82"}),
        options);
      if (!done)
        return fail(done.error());
      return {};
    });
}

TEST_F(PortBookSweep, Release) {
  sweep(
    [this] {
      fresh();
      book->publish(endpoint(), wishes({"8080:80", "81"}), options).value();
    },
    [this] {
      return book->release(endpoint().id);
    });
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
