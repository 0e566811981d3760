#include "troupe/config/model/id.hpp"
#include "troupe/tools/adapter/lock.hpp"
#include "troupe/tools/adapter/names.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>

#include <unistd.h>

namespace troupe::adapter {

TEST(AdapterNames, ADigestIsTheSameEverywhere) {
  // FNV-1a with 128 bits, as published.
  EXPECT_EQ(digest(""), "6c62272e07bb014262b821756295c58d");
  EXPECT_EQ(digest("a"), "d228cb696f1a8caf78912b704e4a8964");
}

TEST(AdapterNames, AValidNameStaysAsItIs) {
  EXPECT_EQ(name_for("front"), "front");
  EXPECT_EQ(name_for("a.b_c-D9"), "a.b_c-D9");
}

TEST(AdapterNames, LongOnesAreMappedApart) {
  auto names = std::set<std::string>{};
  for (auto i = 0; i < 50; ++i) {
    auto text = std::string(128, 'n') + std::to_string(i);
    auto name = name_for(text);
    EXPECT_TRUE(is_valid_name(name)) << name;
    EXPECT_TRUE(names.insert(name).second) << name;
  }
}

TEST(AdapterNames, EndpointsOfOneContainerDiffer) {
  auto names = std::set<std::string>{};
  auto count = size_t{0};
  for (const auto* container : {"a", "a.eth0", "a.b", "a.b.c"})
    for (const auto* interface : {"eth0", "b", "c", "b.c", "eth0.1", "n@x"}) {
      auto name = endpoint_name({"cni", "net", container, interface});
      EXPECT_TRUE(is_valid_name(name)) << name;
      EXPECT_TRUE(names.insert(name).second) << container << " " << interface;
      ++count;
    }
  EXPECT_EQ(names.size(), count);
  EXPECT_EQ(endpoint_name({"cni", "net", "8c98", "eth0"}), "8c98.eth0");
}

TEST(AdapterNames, SandboxesOfAnyIdAreValid) {
  auto id = attachment_id{"cni", "net", std::string(300, 'x'), "eth0"};
  EXPECT_TRUE(is_valid_name(sandbox_name(id)));
  id.container += "y";
  EXPECT_NE(sandbox_name(id),
            sandbox_name({"cni", "net", std::string(300, 'x'), "eth0"}));
}

namespace {

// A directory of this test alone.
struct AdapterLock : ::testing::Test {
  void SetUp() override {
    char path[] = "/tmp/troupe-lock-XXXXXX";
    ASSERT_NE(::mkdtemp(path), nullptr);
    dir = path;
  }
  void TearDown() override {
    std::filesystem::remove_all(dir);
  }

  std::string dir;
};

} // namespace

TEST_F(AdapterLock, IsHeldByOne) {
  using std::chrono::milliseconds;
  auto first = attachment_lock::take(dir + "/x", milliseconds{0});
  ASSERT_TRUE(first);
  auto second = attachment_lock::take(dir + "/x", milliseconds{0});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ec::unavailable);
  EXPECT_TRUE(attachment_lock::take(dir + "/y", milliseconds{0}));
}

TEST_F(AdapterLock, TellsWhatWasBegunAndNotEnded) {
  using std::chrono::milliseconds;
  {
    auto held = attachment_lock::take(dir + "/x", milliseconds{0});
    ASSERT_TRUE(held);
    EXPECT_FALSE(held->is_unsettled());
    ASSERT_TRUE(held->begin());
  }
  {
    auto held = attachment_lock::take(dir + "/x", milliseconds{0});
    ASSERT_TRUE(held);
    EXPECT_TRUE(held->is_unsettled());
    held->settle();
  }
  auto held = attachment_lock::take(dir + "/x", milliseconds{0});
  ASSERT_TRUE(held);
  EXPECT_FALSE(held->is_unsettled());
  held->forget();
  EXPECT_FALSE(std::filesystem::exists(dir + "/x"));
}

TEST_F(AdapterLock, AForgottenFileIsNotTheLock) {
  using std::chrono::milliseconds;
  auto first = attachment_lock::take(dir + "/x", milliseconds{0});
  ASSERT_TRUE(first);
  first->forget();
  // A new file, a new lock.
  EXPECT_TRUE(attachment_lock::take(dir + "/x", milliseconds{0}));
}

} // namespace troupe::adapter
