#include "troupe/tools/troupe/filter.hpp"

#include <gtest/gtest.h>

namespace troupe::tools {

namespace {

const auto id_1 = std::string{"c1"} + std::string(62, '0');
const auto id_2 = std::string{"c2"} + std::string(62, '0');
const auto id_3 = std::string{"d3"} + std::string(62, '0');

name_index networks() {
  auto result = name_index{};
  result.add(id_1, "web");
  result.add(id_2, "db");
  result.add(id_3, "c1"); // Called like another's prefix.
  return result;
}

/// Whose endpoints match, or why not.
std::string matching(const std::string& wanted) {
  auto x = filter::parse({"network=" + wanted}, {"network"}).value();
  if (auto found = x.resolve(networks()); !found)
    return found.error().message;
  auto result = std::string{};
  for (const auto& id : {id_1, id_2, id_3}) {
    auto view = filter_view{};
    view.network_id = id;
    if (x.matches(view))
      result += id.substr(0, 2);
  }
  return result;
}

TEST(Filter, ANetworkIsReferredToAsEverywhere) {
  EXPECT_EQ(matching("web"), "c1");
  EXPECT_EQ(matching(id_2), "c2");
  EXPECT_EQ(matching("c2"), "c2");
  EXPECT_EQ(matching("d"), "d3");
  EXPECT_EQ(matching("c1"), "d3"); // A name before a prefix.
  EXPECT_EQ(matching("nope"), "");
  EXPECT_NE(matching("c").find("more than one id starts like this"),
            std::string::npos);
}

} // namespace

} // namespace troupe::tools
