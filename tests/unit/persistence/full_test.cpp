// Full and read-only file systems, in a mount namespace of the test's own.

#include "fixture.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

namespace troupe::persistence {

namespace {

/// A store whose durable directory is on a tmpfs of 1 MiB.
class Full : public store_test {
protected:
  void SetUp() override {
    if (::unshare(CLONE_NEWNS) != 0)
      GTEST_SKIP() << "needs CAP_SYS_ADMIN for a mount namespace";
    ASSERT_EQ(::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    std::filesystem::create_directories(disk());
    ASSERT_EQ(::mount("tmpfs", disk().c_str(), "tmpfs", 0, "size=1m"), 0);
    mounted = true;
    how.durable_dir = disk() + "/durable";
  }

  ~Full() override {
    if (mounted)
      ::umount2(disk().c_str(), MNT_DETACH);
  }

  std::string disk() const {
    return root.path() + "/disk";
  }

  /// Somebody else's file that takes all the rest.
  void fill_disk() const {
    auto out = std::ofstream{disk() + "/other", std::ios::binary};
    auto piece = std::string(4096, 'x');
    for (int i = 0; i < 1000 && out; ++i)
      out << piece << std::flush;
    EXPECT_FALSE(out);
  }

  /// Adds networks until the store has enough. @returns how many it took.
  static unsigned fill_store(store& to, unsigned first = 0) {
    for (unsigned n = first; n < first + 10'000; ++n)
      if (auto done = commit(to, {make_network(n)}); !done) {
        EXPECT_EQ(done.error().code, ec::unavailable) << done.error().message;
        EXPECT_NE(done.error().message.find("full"), std::string::npos);
        EXPECT_FALSE(done.error().hint.empty());
        return n - first;
      }
    ADD_FAILURE() << "the store never became full";
    return 0;
  }

  static std::vector<change> removals(unsigned first, unsigned count) {
    auto result = std::vector<change>{};
    for (unsigned n = first; n < first + count; ++n)
      result.push_back(remove_network_record{{id_text(n)}});
    return result;
  }

  bool mounted = false;
};

} // namespace

TEST_F(Full, RefusesAdditionsAndLosesNothing) {
  auto store = open();
  ASSERT_TRUE(store) << store.error().message;
  auto count = fill_store(**store);
  EXPECT_GT(count, 100u);
  EXPECT_EQ((*store)->load()->networks.size(), count);
}

TEST_F(Full, StillRemovesOneByOneAndThenTakesMore) {
  auto store = open();
  ASSERT_TRUE(store);
  auto count = fill_store(**store);
  fill_disk();
  for (unsigned n = 0; n < count; ++n)
    ASSERT_TRUE(commit(**store, removals(n, 1))) << "removal " << n;
  EXPECT_TRUE((*store)->load()->networks.empty());
  // The disk is as full as before; the pages that became free are enough.
  EXPECT_GT(fill_store(**store, 20'000), 50u);
}

// Such as a join that has fewer ports.
TEST_F(Full, StillMakesRecordsShorter) {
  auto store = open();
  ASSERT_TRUE(store);
  auto longer = make_network(20'000);
  longer.labels["note"] = std::string(2'000, 'x');
  ASSERT_TRUE(commit(**store, {longer}));
  auto count = fill_store(**store);
  fill_disk();
  auto shorter = longer;
  shorter.labels["note"].resize(20);
  ASSERT_FALSE(commit(**store, {make_network(20'001)}));
  EXPECT_TRUE(commit(**store, {shorter}));
  // The other way round it is growth, like another one beside it.
  EXPECT_FALSE(commit(**store, {longer}));
  EXPECT_FALSE(commit(**store, {shorter, make_network(20'001)}));
  for (unsigned n = 0; n < count; ++n)
    ASSERT_TRUE(commit(**store, removals(n, 1))) << "removal " << n;
  EXPECT_EQ((*store)->load()->networks, std::vector{shorter});
}

TEST_F(Full, StillRemovesEverythingInOneBatch) {
  auto store = open();
  ASSERT_TRUE(store);
  auto count = fill_store(**store);
  fill_disk();
  ASSERT_TRUE(commit(**store, removals(0, count)));
  EXPECT_TRUE((*store)->load()->networks.empty());
}

TEST_F(Full, RecoversWithoutARestartWhenTheDiskHasSpaceAgain) {
  auto store = open();
  ASSERT_TRUE(store);
  fill_disk();
  auto count = fill_store(**store);
  std::filesystem::remove(disk() + "/other");
  EXPECT_TRUE(commit(**store, {make_network(count)}));
}

TEST_F(Full, OpensOnAFullDiskAndRemoves) {
  auto count = 0U;
  {
    auto store = open();
    ASSERT_TRUE(store);
    count = fill_store(**store);
    fill_disk();
  }
  for (unsigned n = 0; n < 3; ++n) {
    auto store = open();
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_EQ((*store)->opened().generation, n + 2);
    EXPECT_EQ((*store)->load()->networks.size(), count - n);
    EXPECT_TRUE(commit(**store, removals(n, 1)));
  }
}

// What a start writes anew has room for removals before anything is added.
TEST_F(Full, RemovesAfterAStartThatAddedNothing) {
  {
    auto store = open();
    ASSERT_TRUE(store);
    ASSERT_TRUE(commit(**store, {make_network(0), make_network(1)}));
  }
  {
    auto store = open();
    ASSERT_TRUE(store);
    fill_disk();
  }
  for (unsigned n = 0; n < 2; ++n) {
    auto store = open();
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_EQ((*store)->load()->networks.size(), 2 - n);
    EXPECT_TRUE(commit(**store, removals(n, 1)));
  }
}

// However little space is left, down to a part of what LMDB writes at once,
// which is a short write and no error of the system's.
TEST_F(Full, OpensWithAnySpaceLeft) {
  auto count = 0U;
  {
    auto store = open();
    ASSERT_TRUE(store);
    count = fill_store(**store);
    fill_disk();
  }
  const auto filled = std::filesystem::file_size(disk() + "/other");
  for (auto left = uintmax_t{0}; left <= 256 * 1024 && left <= filled;
       left += 12 * 1024) {
    std::filesystem::resize_file(disk() + "/other", filled - left);
    auto store = open();
    ASSERT_TRUE(store) << left << " bytes left: " << store.error().message;
    EXPECT_EQ((*store)->load()->networks.size(), count) << left;
    EXPECT_TRUE(commit(**store, removals(--count, 1))) << left;
  }
}

TEST_F(Full, CannotStartAnewOnAFullDisk) {
  fill_disk();
  auto store = open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ec::unavailable) << store.error().message;
}

TEST_F(Full, RefusesAReadOnlyFileSystem) {
  {
    auto store = open();
    ASSERT_TRUE(store);
    ASSERT_TRUE(commit(**store, {make_network(1)}));
  }
  ASSERT_EQ(
    ::mount("", disk().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
  auto store = open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ec::forbidden) << store.error().message;
  ASSERT_EQ(::mount("", disk().c_str(), nullptr, MS_REMOUNT, nullptr), 0);
  store = open();
  ASSERT_TRUE(store);
  EXPECT_EQ((*store)->load()->networks.size(), 1u);
}

TEST_F(store_test, GrowsTheMapUpToItsCapAndStillRemoves) {
  how.durable.initial_map_bytes = 128 << 10;
  how.durable.max_map_bytes = 4 << 20;
  how.durable.reserve_bytes = 64 << 10;
  how.durable.sync = false;
  auto store = open();
  ASSERT_TRUE(store) << store.error().message;
  auto n = 0U;
  auto done = result<void>{};
  while (done && n < 100'000) {
    auto batch = std::vector<change>{};
    for (int i = 0; i < 50; ++i)
      batch.push_back(make_network(n++));
    done = commit(**store, batch);
  }
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ec::unavailable);
  auto stored = (*store)->load()->networks.size();
  // Far more than the first map holds, and all of it is there.
  EXPECT_GT(stored, 1'000u);
  EXPECT_EQ(stored, n - 50);
  auto all = std::vector<change>{};
  for (unsigned i = 0; i < stored; ++i)
    all.push_back(remove_network_record{{id_text(i)}});
  ASSERT_TRUE(commit(**store, all));
  EXPECT_TRUE(commit(**store, {make_network(1)}));
}

} // namespace troupe::persistence
