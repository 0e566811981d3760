#pragma once

#include "troupe/netns/real/kernel.hpp"
#include "troupe/tests/fixtures/kernel_release.hpp"
#include "troupe/tests/fixtures/scratch.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <thread>

namespace troupe::test {

/// `ASSERT_TRUE(x)` for results, with the error's message.
#define ASSERT_OK(x)                                                           \
  if (auto&& outcome_ = (x); outcome_)                                         \
    SUCCEED();                                                                 \
  else                                                                         \
    FAIL() << #x << ": " << outcome_.error().message

/// `EXPECT_TRUE(x)` for results, with the error's message.
#define EXPECT_OK(x)                                                           \
  if (auto&& outcome_ = (x); outcome_)                                         \
    SUCCEED();                                                                 \
  else                                                                         \
    ADD_FAILURE() << #x << ": " << outcome_.error().message

/// Expects a failed result with that errno.
#define EXPECT_ERRNO(x, number)                                                \
  if (auto&& outcome_ = (x); outcome_)                                         \
    ADD_FAILURE() << #x << ": succeeded";                                      \
  else                                                                         \
    EXPECT_EQ(outcome_.error().os_error, number) << outcome_.error().message

/// The real kernel in a fresh namespace; checks that a test leaves no
/// descriptor and no thread behind.
class netlink_test : public scratch_test {
protected:
  void SetUp() override {
    scratch_test::SetUp();
    if (IsSkipped())
      return;
    descriptors_ = open_descriptors();
    threads_ = running_threads();
    auto opened = netns::open_netlink_kernel(pin_dir());
    ASSERT_OK(opened);
    kernel = std::move(*opened);
  }

  void TearDown() override {
    if (!kernel)
      return;
    kernel.reset();
    EXPECT_EQ(open_descriptors(), descriptors_);
    // One that was joined may still be listed.
    for (int i = 0; i < 1000 && running_threads() != threads_; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds{2});
    EXPECT_EQ(running_threads(), threads_);
  }

  /// Makes a bridge that is up.
  int make_bridge(const std::string& name = "br0") {
    auto request = netns::bridge_request{};
    request.name = name;
    request.mac = *mac_address::parse("02:42:00:00:00:01");
    auto index = kernel->add_bridge(request).value_or(0);
    EXPECT_GT(index, 0);
    raise(*kernel, index);
    return index;
  }

  /// Sets a link up.
  static void raise(netns::kernel& kernel, int index) {
    auto change = netns::link_change{};
    change.up = true;
    EXPECT_OK(kernel.set_link(index, change));
  }

  /// A request for a pair `name` – `eth0` with the peer in `ns`.
  static netns::veth_request
  veth(const std::string& name, int master, const netns::namespace_ref& ns) {
    auto request = netns::veth_request{};
    request.name = name;
    request.master = master;
    request.peer_name = "eth0";
    request.peer_mac = *mac_address::parse("02:42:0a:01:00:05");
    request.peer_namespace = ns;
    return request;
  }

  std::unique_ptr<netns::kernel> kernel;

private:
  size_t descriptors_ = 0;
  size_t threads_ = 0;
};

} // namespace troupe::test
