#include "troupe/netns/real/kernel.hpp"
#include "troupe/tests/fixtures/kernel_release.hpp"
#include "troupe/tests/fixtures/scratch.hpp"
#include "troupe/tests/fixtures/slowness.hpp"
#include "troupe/tests/unit/netns/kernel_contract.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <thread>

namespace troupe::test {

namespace {

// This machine, from within a network namespace of the test's own.
class real_machine : public machine {
public:
  explicit real_machine(std::string run_dir) : run_dir_(std::move(run_dir)) {
  }

  std::unique_ptr<netns::kernel> open() override {
    auto opened = netns::open_netlink_kernel(run_dir_ + "/netns");
    EXPECT_TRUE(works(opened));
    return opened ? std::move(*opened) : nullptr;
  }

  std::string make_external_namespace() override {
    auto path = make_plain_file();
    std::thread{[&] {
      EXPECT_EQ(unshare(CLONE_NEWNET), 0);
      EXPECT_EQ(mount("/proc/thread-self/ns/net", path.c_str(), nullptr,
                      MS_BIND, nullptr),
                0);
    }}.join();
    return path;
  }

  std::string host_path() override {
    return "/proc/thread-self/ns/net";
  }

  std::string make_plain_file() override {
    auto path = run_dir_ + "/file-" + std::to_string(++files_);
    std::ofstream{path} << "plain";
    return path;
  }

  void unmount_pin(const std::string& path) override {
    EXPECT_EQ(umount2(path.c_str(), MNT_DETACH), 0);
  }

  bool renames_running_links() override {
    return kernel_is_at_least(6, 2);
  }

  bool eventually(const std::function<bool()>& condition) override {
    for (int i = 0; i < 1000 * slowness(); ++i) {
      if (condition())
        return true;
      std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
    return condition();
  }

private:
  std::string run_dir_;
  int files_ = 0;
};

std::unique_ptr<machine> make_machine(std::string& why) {
  auto run_dir = std::string{};
  why = enter_scratch(run_dir);
  if (!why.empty())
    return nullptr;
  return std::make_unique<real_machine>(run_dir);
}

} // namespace

INSTANTIATE_TEST_SUITE_P(Real, KernelContract,
                         ::testing::Values(contract_param{"real",
                                                          make_machine}));

INSTANTIATE_TEST_SUITE_P(Real, FirewallContract,
                         ::testing::Values(contract_param{"real",
                                                          make_machine}));

} // namespace troupe::test
