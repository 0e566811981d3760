// Many cycles of each kind of work; afterwards kernel and daemon must hold no
// more than before. The base of the tests compares the kernel and the
// descriptors; here it is memory and threads, and that nothing grows on the
// way.

#include "troupe/tests/system/harness/system_test.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <thread>

namespace troupe::test {

namespace {

using nlohmann::json;

// The first cycles, which fill pools and caches, get this long at most.
constexpr auto warm_up = std::chrono::seconds{2};

// How long the daemon gets to come to rest; on a busy machine, too.
constexpr auto patience = std::chrono::seconds{10};

class Leak : public system_test {
protected:
  Leak() {
    flags_ = {"--request-timeout-ms", "8000", "--driver-timeout-ms", "1000"};
  }

  // The daemon remembers the last 1 024 events: it has grown by them before it
  // is measured.
  void fill_events() {
    for (auto i = 0; i < 600 && !HasFailure(); ++i) {
      must("POST", "/v1/sandboxes",
           {{"spec", {{"name", "filler"}, {"use_host_namespace", true}}}});
      must("DELETE", "/v1/sandboxes/filler");
    }
  }

  struct usage {
    long resident_kib = 0;
    long threads = 0;
    size_t descriptors = 0;

    bool operator==(const usage&) const = default;
  };

  // Its own memory: the pages of the runtime store are mapped as well, and
  // LMDB comes by all of them in turn.
  usage look() {
    return {status_field(daemon().pid(), "RssAnon"),
            status_field(daemon().pid(), "Threads"),
            descriptors_of(daemon().pid()).size()};
  }

  // What it has once it rests: the same in some looks.
  usage daemon_usage() {
    // A fresh connection: the daemon closes those that were silent for long.
    reconnect();
    constexpr auto pause = std::chrono::milliseconds{50};
    constexpr auto calm = 6;
    auto result = look();
    for (auto same = 0, left = static_cast<int>(patience / pause);
         same < calm && left > 0; --left) {
      std::this_thread::sleep_for(pause);
      auto now = look();
      same = now == result ? same + 1 : 0;
      result = now;
    }
    return result;
  }

  // Runs the cycles once to fill pools and caches, then again in `windows`
  // parts: what the first run took must do for all of them.
  template <class Cycle>
  void repeat(unsigned long count, Cycle cycle) {
    auto enough = std::chrono::steady_clock::now() + warm_up;
    for (auto i = 0UL; i < count; ++i)
      if (std::chrono::steady_clock::now() < enough)
        cycle();
    auto before = daemon_usage();
    // Only now: the first endpoint gives a bridge its link-local address, and
    // the links of namespaces removed before are still dying for a while.
    auto kernel = observe_kernel();
    auto last = before;
    auto least_growth = std::numeric_limits<long>::max();
    for (auto window = 0UL; window < windows && !HasFailure(); ++window) {
      for (auto i = 0UL; i < count / windows && !HasFailure(); ++i)
        cycle();
      auto now = daemon_usage();
      least_growth
        = std::min(least_growth, now.resident_kib - last.resident_kib);
      last = now;
    }
    EXPECT_EQ(difference_that_stays(kernel), "");
    EXPECT_LE(last.threads, before.threads);
    EXPECT_LE(last.descriptors, before.descriptors);
    std::printf("%lu cycles; memory %ld KiB -> %ld KiB, at least %ld KiB in "
                "each of %lu parts\n",
                count, before.resident_kib, last.resident_kib, least_growth,
                windows);
    // A leak grows in every part; the allocator takes pages now and then. A
    // sanitizer keeps what was freed for a while; its shadow is terabytes.
    constexpr auto tebibyte = 1L << 30; // In KiB.
    if (status_field(daemon().pid(), "VmSize") < tebibyte) {
      EXPECT_LT(least_growth, std::max(32L, static_cast<long>(count / 32)));
    }
  }

  static constexpr auto windows = 3UL;
  const unsigned long cycles_ = number_from_environment(
    "TEST_CYCLES", 600 * number_from_environment("TEST_FACTOR", 1));
};

} // namespace

TEST_F(Leak, AttachAndDetachLeaveNothing) {
  fill_events();
  create_network("net", {{"enable_ipv6", true}});
  create_sandbox("box");
  repeat(cycles_, [&] {
    attach("net", "box");
    must("POST", "/v1/networks/net/detach", {{"sandbox", "box"}});
  });
}

TEST_F(Leak, SandboxesWithEndpointsLeaveNothing) {
  fill_events();
  create_network("net");
  repeat(cycles_ / 2, [&] {
    create_sandbox("box");
    attach("net", "box");
    must("DELETE", "/v1/sandboxes/box");
  });
}

TEST_F(Leak, NetworksLeaveNothing) {
  fill_events();
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
