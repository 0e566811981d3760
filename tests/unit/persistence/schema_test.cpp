#include "troupe/persistence/schema.hpp"

#include <gtest/gtest.h>

#include <set>

namespace troupe::persistence {

TEST(Envelope, GivesBackTheText) {
  auto value = encode(table::networks, "key", R"({"name":"n"})");
  auto text = decode(table::networks, "key", value);
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, R"({"name":"n"})");
}

TEST(Envelope, BeginsWithTheSchemaVersion) {
  EXPECT_EQ(encode(table::joins, "k", "{}").substr(0, 2), "1 ");
}

TEST(Envelope, BelongsToItsTableAndKey) {
  auto value = encode(table::networks, "key", "{}");
  EXPECT_FALSE(decode(table::endpoints, "key", value));
  EXPECT_FALSE(decode(table::networks, "kez", value));
  EXPECT_FALSE(decode(table::networks, "ke", value));
}

TEST(Envelope, NoticesEveryFlippedBit) {
  auto value = encode(table::networks, "key", R"({"name":"network1"})");
  for (size_t bit = 0; bit < value.size() * 8; ++bit) {
    auto damaged = value;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1U << (bit % 8)));
    EXPECT_FALSE(decode(table::networks, "key", damaged)) << "bit " << bit;
  }
}

TEST(Envelope, NoticesEveryTruncation) {
  auto value = encode(table::networks, "key", R"({"name":"network1"})");
  for (size_t size = 0; size < value.size(); ++size)
    EXPECT_FALSE(decode(table::networks, "key", value.substr(0, size)));
  EXPECT_FALSE(decode(table::networks, "key", value + " "));
}

TEST(Envelope, NamesTableAndKeyOfWhatItRefuses) {
  auto text = decode(table::joins, "abc", "junk");
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, ec::internal);
  EXPECT_EQ(text.error().message, "read joins/abc: not a record");
}

TEST(Seal, CountsEachValueDifferently) {
  auto seen = std::set<uint64_t>{};
  for (int n = 0; n < 1000; ++n)
    seen.insert(
      seal_term(encode(table::networks, "k" + std::to_string(n), "{}")));
  EXPECT_EQ(seen.size(), 1000u);
}

TEST(Checksum, IsFnv1a) {
  // Test vectors of the algorithm's authors.
  EXPECT_EQ(checksum(""), 0xcbf29ce484222325U);
  EXPECT_EQ(checksum("a"), 0xaf63dc4c8601ec8cU);
  EXPECT_EQ(checksum("foobar"), 0x85944171f73967e8U);
}

TEST(Tables, AreInTheOrderOfTheirNames) {
  EXPECT_EQ(to_string(table::networks), "networks");
  EXPECT_EQ(to_string(table::meta), "meta");
  EXPECT_EQ(table_names.size(), record_tables + 1);
}

} // namespace troupe::persistence
