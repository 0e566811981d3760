#include "troupe/netns/netlink_kernel.hpp"
#include "troupe/netns/unique_fd.hpp"
#include "troupe/tests/fixtures/scratch.hpp"
#include "troupe/tests/unit/netns/kernel_contract.hpp"

#include <chrono>
#include <fstream>
#include <thread>

namespace troupe::test {

namespace {

/// The real kernel, in a network namespace of this test alone.
class real_machine : public machine {
public:
  /// @param refusal why it cannot be made; empty: it was made.
  explicit real_machine(std::string& refusal) {
    static const auto mounts = enter_scratch_mounts();
    refusal = mounts;
    if (refusal.empty() && unshare(CLONE_NEWNET) != 0)
      refusal = std::string{"unshare: "} + std::strerror(errno);
    static int count = 0;
    directory_ = "/run/contract-" + std::to_string(++count);
    std::filesystem::create_directories(directory_);
  }

  std::unique_ptr<netns::kernel> open() override {
    auto opened = netns::open_netlink_kernel(directory_ + "/netns");
    EXPECT_TRUE(works(opened));
    return opened ? std::move(*opened) : nullptr;
  }

  std::string make_external_namespace() override {
    // As a process does that starts in a namespace of its own: a descriptor
    // holds it.
    auto own = unique_fd{::open(own_path, O_RDONLY | O_CLOEXEC)};
    EXPECT_EQ(unshare(CLONE_NEWNET), 0);
    held_.emplace_back(::open(own_path, O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(setns(own.get(), CLONE_NEWNET), 0);
    return "/proc/self/fd/" + std::to_string(held_.back().get());
  }

  std::string host_path() override {
    return own_path;
  }

  std::string make_plain_file() override {
    auto path = directory_ + "/plain";
    std::ofstream{path} << "no namespace\n";
    return path;
  }

  void unmount_pin(const std::string& path) override {
    EXPECT_EQ(umount2(path.c_str(), MNT_DETACH), 0) << std::strerror(errno);
  }

  bool eventually(const std::function<bool()>& condition) override {
    constexpr auto pause = std::chrono::milliseconds{10};
    for (int i = 0; i < 1000; ++i) {
      if (condition())
        return true;
      std::this_thread::sleep_for(pause);
    }
    return false;
  }

private:
  static constexpr auto own_path = "/proc/thread-self/ns/net";
  using unique_fd = netns::unique_fd;

  std::string directory_;
  std::vector<unique_fd> held_;
};

std::unique_ptr<machine> make_machine(std::string& why) {
  auto made = std::make_unique<real_machine>(why);
  if (!why.empty())
    return nullptr;
  return made;
}

} // namespace

INSTANTIATE_TEST_SUITE_P(Real, KernelContract,
                         ::testing::Values(contract_param{"real",
                                                          make_machine}));

} // namespace troupe::test
