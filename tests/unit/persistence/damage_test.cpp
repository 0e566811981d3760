// Files as a bad disk, a full disk or a careless hand leave them. Whatever the
// damage: this process never crashes, and a record is either there, unchanged,
// or the file was set aside and the store says that it is new.

#include "troupe/persistence/check.hpp"
#include "troupe/persistence/page_check.hpp"

#include "fixture.hpp"
#include <functional>
#include <iostream>

namespace troupe::persistence {

namespace {

constexpr size_t page_bytes = 4096;

/// Where LMDB keeps the number of a root page's snapshot.
constexpr size_t snapshot_offset = 144;
constexpr size_t root_page_bytes = 152;

class Damage : public store_test {
protected:
  Damage() {
    // In memory, where 1 000 openings take seconds and not minutes.
    if (std::filesystem::exists("/dev/shm")) {
      auto name = std::string{"/dev/shm/troupe-store-XXXXXX"};
      fast_root = ::mkdtemp(name.data());
      how.durable_dir = fast_root + "/durable";
      how.runtime_dir = fast_root + "/runtime";
    }
    how.durable.sync = false;
    fill();
  }

  ~Damage() override {
    std::cout << "fault count: damaged stores: "
              << set_aside_count + intact_count << "\n";
    auto ignored = std::error_code{};
    if (!fast_root.empty())
      std::filesystem::remove_all(fast_root, ignored);
  }

  /// Records of all sizes, written and removed in many commits, so that the
  /// file has branch, leaf, overflow and free pages.
  void fill() {
    auto store = open();
    ASSERT_TRUE(store) << store.error().message;
    for (unsigned n = 0; n < 48; ++n) {
      auto network = make_network(n);
      network.labels["text"] = std::string(n % 8 == 1 ? 5000 : n, 'x');
      ASSERT_TRUE(commit(**store, {network, make_endpoint(1000 + n)}));
    }
    for (unsigned n = 0; n < 48; n += 3)
      ASSERT_TRUE(commit(**store, {remove_network_record{{id_text(n)}}}));
    expected = (*store)->load().value();
    store->reset();
    healthy = read_file(durable_file());
    sealed = check_file(durable_file(), "durable").value().found;
    used_bytes
      = healthy.find_last_not_of('\0') / page_bytes * page_bytes + page_bytes;
  }

  bool is_intact(const snapshot& x) const {
    return x.networks == expected.networks && x.endpoints == expected.endpoints;
  }

  /// Checks this durable file alone, and every eighth one through the store.
  void expect_noticed(const std::string& damaged, const std::string& what) {
    if (++cases % 8 == 0) {
      expect_survival(damaged, what);
      return;
    }
    SCOPED_TRACE(what);
    write_file(durable_file(), damaged);
    auto checked = check_file(durable_file(), "durable");
    ASSERT_TRUE(checked) << checked.error().message;
    if (checked->verdict == checked_file::health::damaged) {
      ++set_aside_count;
      EXPECT_FALSE(checked->reason.empty());
    } else {
      ++intact_count;
      EXPECT_EQ(checked->found.records, sealed.records);
    }
  }

  /// Opens the store with this durable file and checks the rule above, twice:
  /// the second opening finds what the first one made of it.
  void expect_survival(const std::string& damaged, const std::string& what) {
    SCOPED_TRACE(what);
    for (const auto& dir : {how.durable_dir, how.runtime_dir})
      for (const auto& file : std::filesystem::directory_iterator{dir})
        std::filesystem::remove(file);
    write_file(durable_file(), damaged);
    auto store = open();
    ASSERT_TRUE(store) << store.error().message;
    const auto& start = (*store)->opened();
    auto content = (*store)->load();
    ASSERT_TRUE(content) << content.error().message;
    if (start.durable_is_new) {
      ++set_aside_count;
      ASSERT_EQ(start.quarantined.size(), 1u);
      EXPECT_EQ(read_file(how.durable_dir + "/data.mdb.damaged-1"), damaged);
      EXPECT_TRUE(content->networks.empty());
    } else {
      ++intact_count;
      EXPECT_TRUE(start.quarantined.empty());
      EXPECT_TRUE(is_intact(*content));
    }
    ASSERT_TRUE(commit(**store, {make_network(5000)}));
    ASSERT_TRUE(commit(**store, {remove_network_record{{id_text(5000)}}}));
    store->reset();
    auto again = open();
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_TRUE((*again)->load()->networks == content->networks);
  }

  std::string fast_root;
  std::string healthy;
  size_t used_bytes = 0;
  snapshot expected;
  contents sealed;
  int cases = 0;
  int set_aside_count = 0;
  int intact_count = 0;
};

} // namespace

TEST_F(Damage, LeavesAHealthyFileAlone) {
  expect_survival(healthy, "healthy");
  EXPECT_EQ(intact_count, 1);
}

TEST_F(Damage, SetsAnEmptyFileAsideInsteadOfStartingAnew) {
  expect_survival("", "empty");
  EXPECT_EQ(set_aside_count, 1);
}

TEST_F(Damage, NoticesEveryTruncation) {
  auto sizes = std::vector<size_t>{1, 100, 4095, 4096, 8191, 8192, 8193};
  for (size_t size = 3 * page_bytes; size < used_bytes; size += 2 * page_bytes)
    sizes.push_back(size);
  sizes.push_back(used_bytes / 2);
  sizes.push_back(used_bytes - 1);
  for (auto size : sizes)
    expect_survival(healthy.substr(0, size), "cut to " + std::to_string(size));
  EXPECT_EQ(set_aside_count, static_cast<int>(sizes.size()));
}

TEST_F(Damage, DoesNotMissTheSpaceReservedBehindTheLastPage) {
  expect_survival(healthy.substr(0, used_bytes), "cut to the used part");
  EXPECT_EQ(intact_count, 1);
}

TEST_F(Damage, NoticesGarbage) {
  auto random = std::mt19937{1};
  for (size_t size : {10u, 4096u, 8192u, 100'000u}) {
    auto garbage = std::string(size, '\0');
    expect_survival(garbage, "zeros " + std::to_string(size));
    for (auto& c : garbage)
      c = static_cast<char>(random());
    expect_survival(garbage, "noise " + std::to_string(size));
  }
  EXPECT_EQ(set_aside_count, 8);
}

TEST_F(Damage, SurvivesEveryPageOverwritten) {
  auto random = std::mt19937{2};
  for (size_t offset = 0; offset < used_bytes; offset += page_bytes) {
    auto file = healthy;
    std::fill_n(file.begin() + static_cast<long>(offset), page_bytes, '\0');
    expect_noticed(file, "zero page at " + std::to_string(offset));
    for (size_t i = 0; i < page_bytes; ++i)
      file[offset + i] = static_cast<char>(random());
    expect_noticed(file, "noise page at " + std::to_string(offset));
    // The same number in the header, so that only the inside is wrong.
    std::copy_n(healthy.begin() + static_cast<long>(offset), 16,
                file.begin() + static_cast<long>(offset));
    expect_noticed(file, "noise inside page at " + std::to_string(offset));
  }
  EXPECT_GT(set_aside_count, 50);
  RecordProperty("set_aside", set_aside_count);
  RecordProperty("intact", intact_count);
}

TEST_F(Damage, SurvivesPagesInEachOthersPlace) {
  auto random = std::mt19937{3};
  auto pages = used_bytes / page_bytes;
  for (auto i = 0U; i < 60 * test_factor(); ++i) {
    auto from = random() % pages * page_bytes;
    auto to = random() % pages * page_bytes;
    auto file = healthy;
    file.replace(to, page_bytes, healthy, from, page_bytes);
    expect_noticed(file, "page " + std::to_string(from) + " over "
                           + std::to_string(to));
  }
}

TEST_F(Damage, SurvivesFlippedBits) {
  auto random = std::mt19937{4};
  for (auto i = 0U; i < 400 * test_factor(); ++i) {
    auto bit = random() % (used_bytes * 8);
    auto file = healthy;
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ (1U << (bit % 8)));
    expect_noticed(file, "bit " + std::to_string(bit));
  }
  EXPECT_GT(set_aside_count, 20);
  RecordProperty("set_aside", set_aside_count);
  RecordProperty("intact", intact_count);
}

TEST_F(Damage, SurvivesFlippedBitsInPageHeadersAndNodes) {
  auto random = std::mt19937{5};
  for (auto i = 0U; i < 200 * test_factor(); ++i) {
    auto page = random() % (used_bytes / page_bytes) * page_bytes;
    auto bit = page * 8 + random() % (64 * 8);
    auto file = healthy;
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ (1U << (bit % 8)));
    expect_noticed(file, "bit " + std::to_string(bit));
  }
  EXPECT_GT(set_aside_count, 20);
}

TEST_F(Damage, NoticesEveryFlippedBitOfASnapshotNumber) {
  for (size_t page : {0u, 1u})
    for (size_t bit = 0; bit < 64; ++bit) {
      auto place = page * page_bytes + snapshot_offset + bit / 8;
      auto file = healthy;
      file[place] = static_cast<char>(file[place] ^ (1U << (bit % 8)));
      write_file(durable_file(), file);
      auto found = check_pages(durable_file());
      ASSERT_TRUE(found);
      EXPECT_TRUE(found->has_value()) << "page " << page << " bit " << bit;
    }
}

TEST_F(Damage, NeverGoesBackACommitForAFlippedBitOfARoot) {
  for (size_t page : {0u, 1u})
    for (size_t bit = page; bit < root_page_bytes * 8; bit += 7) {
      auto place = page * page_bytes + bit / 8;
      auto file = healthy;
      file[place] = static_cast<char>(file[place] ^ (1U << (bit % 8)));
      expect_noticed(file, "page " + std::to_string(page) + " bit "
                             + std::to_string(bit));
    }
}

TEST_F(Damage, TreatsTheRuntimeFileAlike) {
  write_file(runtime_file(), "damaged");
  auto store = open();
  ASSERT_TRUE(store);
  EXPECT_TRUE((*store)->opened().runtime_is_new);
  EXPECT_FALSE((*store)->opened().durable_is_new);
  EXPECT_FALSE((*store)->opened().rebooted);
  EXPECT_EQ((*store)->opened().quarantined.size(), 1u);
  EXPECT_TRUE(is_intact((*store)->load().value()));
}

TEST_F(Damage, NeverOverwritesAnEarlierCopy) {
  for (int n = 1; n <= 3; ++n) {
    write_file(durable_file(), "damage " + std::to_string(n));
    ASSERT_TRUE(open());
  }
  for (int n = 1; n <= 3; ++n)
    EXPECT_EQ(read_file(durable_file() + ".damaged-" + std::to_string(n)),
              "damage " + std::to_string(n));
}

} // namespace troupe::persistence
