// Many cycles of each kind of work; afterwards kernel and daemon must hold no
// more than before. The base of the tests compares the kernel and the
// descriptors; here it is memory and threads, and that nothing grows on the
// way.

#include "troupe/tests/system/harness/system_test.hpp"

#include <chrono>
#include <thread>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define TROUPE_TEST_ASAN 1
#endif
#endif

namespace troupe::test {

namespace {

using nlohmann::json;

// CAF keeps the timeout of a request until it would have been due, also when
// the answer was there long before. Short timeouts make that memory small.
constexpr auto timeout = std::chrono::seconds{5};

class Leak : public system_test {
protected:
  Leak() {
    auto text = std::to_string(
      std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count());
    flags_ = {"--request-timeout-ms", text, "--driver-timeout-ms", text};
  }

  struct usage {
    long resident_kib = 0;
    long threads = 0;
    size_t descriptors = 0;
  };

  usage daemon_usage() {
    std::this_thread::sleep_for(timeout + std::chrono::milliseconds{500});
    return {status_field(daemon().pid(), "VmRSS"),
            status_field(daemon().pid(), "Threads"),
            descriptors_of(daemon().pid()).size()};
  }

  // Runs the cycles twice: what the first run takes, the second must do with.
  template <class Cycle>
  void repeat(unsigned long count, Cycle cycle) {
    auto kernel = observe_kernel();
    auto enough = std::chrono::steady_clock::now() + 2 * timeout;
    for (auto i = 0UL; i < count; ++i)
      if (std::chrono::steady_clock::now() < enough)
        cycle();
    auto before = daemon_usage();
    auto started = std::chrono::steady_clock::now();
    for (auto i = 0UL; i < count && !HasFailure(); ++i)
      cycle();
    auto took = std::chrono::steady_clock::now() - started;
    EXPECT_EQ(difference_that_stays(kernel), "");
    auto after = daemon_usage();
    EXPECT_EQ(after.threads, before.threads);
    EXPECT_EQ(after.descriptors, before.descriptors);
    std::printf("%lu cycles, %.2f ms each; resident %ld KiB -> %ld KiB\n",
                count,
                std::chrono::duration<double, std::milli>(took).count()
                  / static_cast<double>(count),
                before.resident_kib, after.resident_kib);
#ifndef TROUPE_TEST_ASAN
    // The allocator's own slack; a leak of one record per cycle is more.
    EXPECT_LT(after.resident_kib - before.resident_kib, 384);
#endif
  }

  const unsigned long cycles_ = number_from_environment("TEST_CYCLES", 1'000);
};

} // namespace

TEST_F(Leak, AttachAndDetachLeaveNothing) {
  create_network("net", {{"enable_ipv6", true}});
  create_sandbox("box");
  repeat(cycles_, [&] {
    attach("net", "box");
    must("POST", "/v1/networks/net/detach", {{"sandbox", "box"}});
  });
}

TEST_F(Leak, SandboxesWithEndpointsLeaveNothing) {
  create_network("net");
  repeat(cycles_ / 2, [&] {
    create_sandbox("box");
    attach("net", "box");
    must("DELETE", "/v1/sandboxes/box");
  });
}

TEST_F(Leak, NetworksLeaveNothing) {
  repeat(cycles_ / 5, [&] {
    create_network("net", {{"enable_ipv6", true}});
    must("DELETE", "/v1/networks/net");
  });
}

TEST_F(Leak, RefusedRequestsLeaveNothing) {
  create_network("net", {{"pools", {{{"subnet", "10.1.0.0/29"}}}}});
  create_sandbox("box");
  auto connection = daemon().client();
  auto refuse = [&](const std::string& target, const json& body) {
    auto answer = connection.send("POST", target, body);
    ASSERT_TRUE(answer);
    EXPECT_FALSE(answer->ok()) << text_of(answer);
  };
  repeat(cycles_, [&] {
    refuse("/v1/networks", {{"spec", {{"name", "net"}}}});
    refuse("/v1/networks",
           {{"spec", {{"name", "other"}, {"driver", "nosuchdriver"}}}});
    refuse("/v1/networks/net/attach",
           {{"sandbox", "box"}, {"spec", {{"ipv4", "10.1.0.1"}}}});
    refuse("/v1/networks/net/attach", {{"sandbox", "nosuchbox"}});
  });
}

TEST_F(Leak, LookingLeavesNothing) {
  create_network("net");
  create_sandbox("box");
  attach("net", "box");
  repeat(cycles_ / 5, [&] {
    EXPECT_EQ(doctor(), "");
    must("GET", "/v1/endpoints");
    must("GET", "/v1/sandboxes/box");
  });
}

TEST_F(Leak, ManyConnectionsLeaveNothing) {
  repeat(cycles_, [&] {
    auto connection = daemon().client();
    EXPECT_TRUE(connection.get("/v1/status"));
  });
}

} // namespace troupe::test
