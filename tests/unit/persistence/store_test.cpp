#include "fixture.hpp"
#include <algorithm>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace troupe::persistence {

using Store = store_test;

TEST_F(Store, StartsNewWithBothEnvironmentsEmpty) {
  auto store = open();
  ASSERT_TRUE(store) << store.error().message;
  const auto& start = (*store)->opened();
  EXPECT_TRUE(start.durable_is_new);
  EXPECT_TRUE(start.runtime_is_new);
  EXPECT_FALSE(start.rebooted);
  EXPECT_FALSE(start.suspicious);
  EXPECT_EQ(start.generation, 1u);
  auto content = (*store)->load();
  ASSERT_TRUE(content);
  EXPECT_TRUE(content->networks.empty());
  EXPECT_TRUE(content->joins.empty());
}

TEST_F(Store, GivesBackEveryKindOfRecordAfterARestart) {
  auto reserved = make_endpoint(2);
  auto attached = make_endpoint(3, true);
  {
    auto store = open();
    ASSERT_TRUE(store) << store.error().message;
    ASSERT_TRUE(commit(**store, {make_network(1), reserved, attached,
                                 make_sandbox(4), make_join(3)}));
  }
  auto store = open();
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ((*store)->opened().generation, 2u);
  EXPECT_FALSE((*store)->opened().durable_is_new);
  EXPECT_FALSE((*store)->opened().runtime_is_new);
  auto content = (*store)->load();
  ASSERT_TRUE(content) << content.error().message;
  ASSERT_EQ(content->networks.size(), 1u);
  EXPECT_TRUE(content->networks[0] == make_network(1));
  ASSERT_EQ(content->endpoints.size(), 2u);
  EXPECT_TRUE(content->endpoints[0] == reserved);
  EXPECT_TRUE(content->endpoints[1] == attached);
  ASSERT_EQ(content->sandboxes.size(), 1u);
  EXPECT_TRUE(content->sandboxes[0] == make_sandbox(4));
  ASSERT_EQ(content->joins.size(), 1u);
  EXPECT_TRUE(content->joins[0] == make_join(3));
}

TEST_F(Store, ReplacesAndRemovesByKey) {
  auto store = open();
  ASSERT_TRUE(store);
  auto changed = make_network(1);
  changed.name = "renamed";
  ASSERT_TRUE(commit(**store, {make_network(1), make_network(2)}));
  ASSERT_TRUE(commit(**store, {changed, remove_network_record{{id_text(2)}}}));
  ASSERT_TRUE(commit(**store, {remove_network_record{{id_text(7)}}}));
  auto content = (*store)->load();
  ASSERT_EQ(content->networks.size(), 1u);
  EXPECT_EQ(content->networks[0].name, "renamed");
}

TEST_F(Store, AppliesABatchInOrder) {
  auto store = open();
  ASSERT_TRUE(store);
  ASSERT_TRUE(commit(**store, {make_join(1), remove_join_record{{id_text(1)}},
                               make_join(1), make_sandbox(2),
                               remove_sandbox_record{{id_text(2)}}}));
  auto content = (*store)->load();
  EXPECT_EQ(content->joins.size(), 1u);
  EXPECT_TRUE(content->sandboxes.empty());
}

TEST_F(Store, RemovesAnEndpointFromTheEnvironmentItIsIn) {
  auto store = open();
  ASSERT_TRUE(store);
  ASSERT_TRUE(commit(**store, {make_endpoint(1), make_endpoint(2, true)}));
  ASSERT_TRUE(commit(**store, {remove_endpoint_record{{id_text(1)}, false},
                               remove_endpoint_record{{id_text(2)}, true}}));
  EXPECT_TRUE((*store)->load()->endpoints.empty());
}

TEST_F(Store, LeavesAnEnvironmentWithoutChangesAlone) {
  auto store = open();
  ASSERT_TRUE(store);
  auto before = read_file(durable_file());
  ASSERT_TRUE(commit(**store, {make_join(1)}));
  ASSERT_TRUE(commit(**store, {}));
  EXPECT_EQ(read_file(durable_file()), before);
}

TEST_F(Store, RefusesAnIdThatCouldNotBeReadBack) {
  auto store = open();
  ASSERT_TRUE(store);
  auto done = commit(**store, {make_network(1), network_spec{}});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ec::invalid_argument);
  EXPECT_TRUE((*store)->load()->networks.empty());
}

TEST_F(Store, RefusesARecordThatIsTooLongToBeReadBack) {
  auto store = open();
  ASSERT_TRUE(store);
  auto network = make_network(1);
  network.labels["long"] = std::string(2 << 20, 'x');
  auto done = commit(**store, {network});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ec::invalid_argument);
  network.labels["long"] = std::string(900 << 10, 'x');
  ASSERT_TRUE(commit(**store, {network}));
  EXPECT_TRUE((*store)->load()->networks[0] == network);
}

// -- starts ------------------------------------------------------------------

TEST_F(Store, DropsRuntimeRecordsAfterAReboot) {
  {
    auto store = open();
    ASSERT_TRUE(store);
    ASSERT_TRUE(commit(**store, {make_network(1), make_sandbox(2)}));
  }
  boot("second");
  auto store = open();
  ASSERT_TRUE(store);
  EXPECT_TRUE((*store)->opened().rebooted);
  EXPECT_FALSE((*store)->opened().suspicious);
  auto content = (*store)->load();
  EXPECT_EQ(content->networks.size(), 1u);
  EXPECT_TRUE(content->sandboxes.empty());
}

TEST_F(Store, RemembersWhatItForwardsUntilTheNextBoot) {
  const auto recorded = forwarding_record{false, true};
  {
    auto store = open();
    ASSERT_TRUE(store);
    EXPECT_EQ((*store)->load()->forwarding, forwarding_record{});
    ASSERT_TRUE(commit(**store, {make_sandbox(2), recorded}));
    EXPECT_EQ((*store)->load()->forwarding, recorded);
  }
  for (auto i = 0; i < 2; ++i) {
    auto store = open();
    ASSERT_TRUE(store);
    EXPECT_EQ((*store)->load()->forwarding, recorded);
    EXPECT_EQ((*store)->load()->sandboxes.size(), 1U);
  }
  boot("second");
  auto store = open();
  ASSERT_TRUE(store);
  EXPECT_EQ((*store)->load()->forwarding, forwarding_record{});
}

TEST_F(Store, KnowsARebootByAVanishedRuntimeDirectory) {
  ASSERT_TRUE(open());
  std::filesystem::remove_all(how.runtime_dir);
  boot("second");
  auto store = open();
  ASSERT_TRUE(store);
  EXPECT_TRUE((*store)->opened().rebooted);
  EXPECT_TRUE((*store)->opened().runtime_is_new);
}

TEST_F(Store, TellsALostRuntimeFileFromAReboot) {
  ASSERT_TRUE(open());
  std::filesystem::remove_all(how.runtime_dir);
  auto store = open();
  ASSERT_TRUE(store);
  EXPECT_FALSE((*store)->opened().rebooted);
  EXPECT_TRUE((*store)->opened().runtime_is_new);
  EXPECT_FALSE((*store)->opened().durable_is_new);
}

TEST_F(Store, IsSuspiciousOfARestoredDurableFile) {
  ASSERT_TRUE(open());
  auto backup = read_file(durable_file());
  ASSERT_TRUE(open());
  write_file(durable_file(), backup);
  auto store = open();
  ASSERT_TRUE(store);
  ASSERT_TRUE((*store)->opened().suspicious);
  EXPECT_NE((*store)->opened().suspicious->find("start 1"), std::string::npos);
  EXPECT_EQ((*store)->opened().generation, 3u);
}

TEST_F(Store, IsSuspiciousOfALostDurableFile) {
  ASSERT_TRUE(open());
  std::filesystem::remove(durable_file());
  auto store = open();
  ASSERT_TRUE(store);
  EXPECT_TRUE((*store)->opened().durable_is_new);
  EXPECT_TRUE((*store)->opened().suspicious);
}

// -- directories -------------------------------------------------------------

TEST_F(Store, RefusesASecondStoreInTheSameProcess) {
  auto first = open();
  ASSERT_TRUE(first);
  auto second = open();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ec::conflict);
  EXPECT_NE(second.error().message.find(how.durable_dir), std::string::npos);
  EXPECT_NE(second.error().message.find(std::to_string(::getpid())),
            std::string::npos);
}

TEST_F(Store, RefusesASecondStoreOnTheRuntimeDirectoryAlone) {
  auto first = open();
  ASSERT_TRUE(first);
  how.durable_dir = root.path() + "/other";
  auto second = open();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ec::conflict);
  EXPECT_NE(second.error().message.find(how.runtime_dir), std::string::npos);
}

TEST_F(Store, RefusesASecondProcess) {
  auto first = open();
  ASSERT_TRUE(first);
  auto child = ::fork();
  if (child == 0) {
    // The inherited descriptors are the parent's lock: a second opener must
    // not get it through a descriptor of its own.
    auto second = open();
    ::_exit(!second && second.error().code == ec::conflict ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(Store, MakesPrivateDirectories) {
  ASSERT_TRUE(open());
  struct stat info = {};
  ASSERT_EQ(::stat(how.durable_dir.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0700u);
  ASSERT_EQ(::stat(durable_file().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600u);
}

TEST_F(Store, RefusesADirectoryOthersMayWriteTo) {
  std::filesystem::create_directories(how.durable_dir);
  ASSERT_EQ(::chmod(how.durable_dir.c_str(), 0777), 0);
  auto store = open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ec::forbidden);
  EXPECT_NE(store.error().hint.find("chmod"), std::string::npos);
}

TEST_F(Store, RefusesALinkOrAFileInPlaceOfTheDirectory) {
  std::filesystem::create_directories(root.path() + "/state/elsewhere");
  std::filesystem::create_symlink(root.path() + "/state/elsewhere",
                                  how.durable_dir);
  auto store = open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ec::forbidden);
  std::filesystem::remove(how.durable_dir);
  write_file(how.durable_dir, "");
  store = open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ec::forbidden);
}

TEST_F(Store, RefusesSwappedFiles) {
  ASSERT_TRUE(open());
  std::filesystem::copy_file(runtime_file(), durable_file(),
                             std::filesystem::copy_options::overwrite_existing);
  auto store = open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ec::conflict);
  EXPECT_TRUE(std::filesystem::exists(durable_file()));
}

TEST_F(Store, NeedsTheBootId) {
  how.boot_id_file = root.path() + "/absent";
  EXPECT_FALSE(open());
}

} // namespace troupe::persistence
