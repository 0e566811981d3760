// Store files of released programs, read by the present one.

#include "troupe/actors/embedded/embedded.hpp"
#include "troupe/config/model/json_text.hpp"
#include "troupe/netns/simulated/kernel.hpp"
#include "troupe/persistence/lmdb_store.hpp"
#include "troupe/tests/upgrade/compare.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <unistd.h>

namespace troupe {

namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  auto in = std::ifstream{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

/// A copy of the files of one release, which a start may write to, and a
/// machine in memory.
class Upgrade : public ::testing::TestWithParam<std::string> {
protected:
  void SetUp() override {
    if (::sysconf(_SC_PAGESIZE) != 4096)
      GTEST_SKIP() << "LMDB's files are for pages of 4096 bytes";
    auto name = std::string{"/tmp/troupe-upgrade-XXXXXX"};
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    scratch = name;
    fs::copy(fs::path{TROUPE_UPGRADE_DIR} / GetParam(), scratch,
             fs::copy_options::recursive);
    expected = parse_json(text_of(scratch / "inspect.json")).value();
    auto host = netns::open_simulated_kernel(world);
    for (auto key :
         {netns::sysctl::ipv4_forwarding, netns::sysctl::ipv6_forwarding})
      ASSERT_TRUE(host->set_sysctl(key, "all", 1));
  }

  ~Upgrade() override {
    auto ignored = std::error_code{};
    fs::remove_all(scratch, ignored);
  }

  void start() {
    auto how = settings{};
    how.state_dir = "/var/lib/troupe-test";
    how.run_dir = "/run/t"; // As then: names are made from it.
    auto parts = embedded_parts{};
    parts.open_kernel = netns::simulated_kernel_factory(world);
    parts.open_store = [from = scratch] {
      auto files = persistence::store_options{};
      files.durable_dir = from / "durable";
      files.runtime_dir = from / "runtime";
      files.boot_id_file = from / "boot_id";
      return persistence::open_lmdb_with(files);
    };
    auto opened = open_backend(how, std::move(parts));
    ASSERT_TRUE(opened) << opened.error().message;
    backend = std::move(*opened);
  }

  template <class Reply>
  Reply call(request what) {
    auto answer = backend->call(std::move(what), std::chrono::seconds{30});
    if (!answer)
      throw std::runtime_error{answer.error().message};
    return std::get<Reply>(std::move(*answer));
  }

  /// What is said of an object now.
  template <class Reply>
  json now(request what) {
    return to_json(call<Reply>(std::move(what)));
  }

  std::string differences() {
    auto result = std::string{};
    for (const auto& was : expected["networks"])
      test::compare(
        was, now<network_status>(inspect_network{was["spec"]["id"]}),
        "network " + was["spec"]["name"].get<std::string>(), result);
    for (const auto& was : expected["endpoints"])
      test::compare(
        was, now<endpoint_status>(inspect_endpoint{"", was["spec"]["id"]}),
        "endpoint " + was["spec"]["name"].get<std::string>(), result);
    for (auto was : expected["sandboxes"]) {
      // The machine in memory has other namespaces.
      was["spec"].erase("netns_inode");
      was.erase("state"); // So it says that they were rebuilt.
      was.erase("key");
      test::compare(
        was, now<sandbox_status>(inspect_sandbox{was["spec"]["id"]}),
        "sandbox " + was["spec"]["name"].get<std::string>(), result);
    }
    return result;
  }

  fs::path scratch;
  json expected;
  std::shared_ptr<netns::simulated_world> world
    = std::make_shared<netns::simulated_world>();
  std::shared_ptr<troupe::backend> backend;
};

TEST_P(Upgrade, SaysOfEveryObjectWhatTheReleaseSaid) {
  ASSERT_GE(expected["networks"].size(), 3U);
  ASSERT_GE(expected["endpoints"].size(), 3U);
  ASSERT_GE(expected["sandboxes"].size(), 2U);
  for (auto round = 0; round < 2; ++round) { // As read, and as written again.
    SCOPED_TRACE("start " + std::to_string(round + 1));
    ASSERT_NO_FATAL_FAILURE(start());
    EXPECT_EQ(differences(), "");
    auto counts = call<daemon_status>(get_status{});
    EXPECT_EQ(counts.networks, expected["networks"].size());
    EXPECT_EQ(counts.endpoints, expected["endpoints"].size());
    EXPECT_EQ(counts.sandboxes, expected["sandboxes"].size());
    backend.reset();
  }
}

TEST_P(Upgrade, RemovesWhatTheReleaseMade) {
  ASSERT_NO_FATAL_FAILURE(start());
  for (const auto& x : expected["sandboxes"])
    call<done>(remove_sandbox{x["spec"]["id"]});
  for (const auto& x : call<endpoint_list>(list_endpoints{}).endpoints)
    call<done>(remove_endpoint{"", x.spec.id.value, true});
  for (const auto& x : expected["networks"])
    call<done>(remove_network{x["spec"]["id"]});
  backend.reset();
  ASSERT_NO_FATAL_FAILURE(start());
  EXPECT_EQ(call<network_list>(list_networks{}).networks.size(), 0U);
}

std::vector<std::string> releases() {
  auto result = std::vector<std::string>{};
  for (const auto& x : fs::directory_iterator{TROUPE_UPGRADE_DIR})
    if (x.path().filename().string().starts_with("schema-"))
      result.push_back(x.path().filename());
  return result;
}

INSTANTIATE_TEST_SUITE_P(Releases, Upgrade, ::testing::ValuesIn(releases()),
                         [](const auto& x) {
                           return "schema_" + x.param.substr(7);
                         });

// One for each schema there was.
TEST(Upgrades, NoSchemaIsMissing) {
  EXPECT_EQ(releases().size(), size_t{persistence::schema_version});
}

} // namespace

} // namespace troupe
