#include "troupe/netns/undo_stack.hpp"
#include "troupe/netns/unique_fd.hpp"

#include <gtest/gtest.h>

#include <string>

#include <fcntl.h>

namespace troupe::netns {

TEST(UndoStack, RunsItsStepsBackwards) {
  auto order = std::string{};
  {
    auto undo = undo_stack{};
    for (auto letter : {'a', 'b', 'c'})
      undo.push([&order, letter] {
        order += letter;
      });
  }
  EXPECT_EQ(order, "cba");
}

TEST(UndoStack, ForgetsThemWhenCommitted) {
  auto runs = 0;
  {
    auto undo = undo_stack{};
    auto count = [&runs] {
      ++runs;
    };
    undo.push(count);
    undo.commit();
    undo.push(count);
  }
  EXPECT_EQ(runs, 1);
}

namespace {

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

unique_fd open_null() {
  return unique_fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
}

} // namespace

TEST(UniqueFd, ClosesWhatItOwns) {
  auto number = -1;
  {
    auto fd = open_null();
    ASSERT_TRUE(fd);
    number = fd.get();
    EXPECT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(UniqueFd, MovesOwnership) {
  auto first = open_null();
  auto number = first.get();
  auto second = std::move(first);
  EXPECT_EQ(second.get(), number);
  auto third = open_null();
  third = std::move(second);
  EXPECT_EQ(third.get(), number);
  EXPECT_TRUE(is_open(number));
  EXPECT_FALSE(unique_fd{});
}

} // namespace troupe::netns
