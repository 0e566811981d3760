#include "troupe/netns/names.hpp"

#include <gtest/gtest.h>

#include <string>

namespace troupe::netns {

TEST(InterfaceName, TakesWhatTheKernelTakes) {
  for (auto name : {"a", "eth0", "fifteen-bytes-x", "...", "a.b", "-", "@"})
    EXPECT_TRUE(is_interface_name(name)) << name;
}

TEST(InterfaceName, RefusesTheRest) {
  for (auto name : {"", ".", "..", "a/b", "a:b", "a b", "a\tb", "a\n", "a%d",
                    "%", "sixteen-bytes-xx", "\x7f", "\xc3\xa4"})
    EXPECT_FALSE(is_interface_name(name)) << name;
  EXPECT_FALSE(is_interface_name({"a\0b", 3}));
}

TEST(PinName, TakesNamesOfObjectsAndIds) {
  for (const auto& name : {std::string{"a"}, std::string{"web_1.x-y"},
                           std::string(64, '0'), std::string(255, 'x')})
    EXPECT_TRUE(is_pin_name(name)) << name;
}

TEST(PinName, NeverLeavesItsDirectory) {
  for (const auto& name :
       {std::string{}, std::string{"."}, std::string{".."}, std::string{"a/b"},
        std::string{"/"}, std::string{"a b"}, std::string{"a\n"},
        std::string(256, 'x'), std::string{"a\0b", 3}})
    EXPECT_FALSE(is_pin_name(name)) << name;
}

} // namespace troupe::netns
