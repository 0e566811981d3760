#include "troupe/netns/unique_fd.hpp"
#include "troupe/tools/trouped/log_queue.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace troupe::test {

namespace {

using namespace std::chrono_literals;
using tools::log_queue;

/// The writing end stays open, as standard error does.
struct pipe_of_log {
  pipe_of_log() {
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    reader = netns::unique_fd{ends[0]};
  }

  /// Until the next write would wait.
  void fill() const {
    const auto flags = ::fcntl(ends[1], F_GETFL);
    ::fcntl(ends[1], F_SETFL, flags | O_NONBLOCK);
    while (::write(ends[1], "x", 1) == 1)
      continue;
    ::fcntl(ends[1], F_SETFL, flags);
  }

  /// Reads until the text has come.
  std::string read_until(const std::string& text) const {
    auto result = std::string{};
    auto buffer = std::array<char, 65'536>{};
    while (result.find(text) == std::string::npos) {
      const auto bytes = ::read(reader.get(), buffer.data(), buffer.size());
      if (bytes <= 0)
        break;
      result.append(buffer.data(), static_cast<size_t>(bytes));
    }
    return result;
  }

  std::array<int, 2> ends{-1, -1};
  netns::unique_fd reader;
};

} // namespace

TEST(LogQueue, WritesLinesInTheirOrder) {
  auto log = pipe_of_log{};
  auto queue = log_queue::start(log.ends[1]);
  for (auto i = 0; i < 100; ++i)
    queue->push("line " + std::to_string(i) + "\n");
  EXPECT_TRUE(queue->flush(20s));
  const auto text = log.read_until("line 99\n");
  EXPECT_NE(text.find("line 0\nline 1\nline 2\n"), std::string::npos);
  EXPECT_EQ(queue->dropped(), 0U);
}

TEST(LogQueue, DropsTheOldestWhenNobodyReadsAndSaysSo) {
  auto log = pipe_of_log{};
  log.fill();
  auto queue = log_queue::start(log.ends[1], 10'000);
  const auto filling = std::string(99, 'x') + "\n";
  const auto began = std::chrono::steady_clock::now();
  // More than the queue holds.
  for (auto i = 0; i < 5'000; ++i)
    queue->push(filling);
  queue->push("the newest\n");
  EXPECT_LT(std::chrono::steady_clock::now() - began, 10s);
  EXPECT_GT(queue->dropped(), 0U);
  EXPECT_FALSE(queue->flush(10ms));
  const auto text = log.read_until("the newest\n");
  EXPECT_NE(text.find("the reader of this log was too slow: "),
            std::string::npos);
  EXPECT_NE(text.find(" lines were dropped\n"), std::string::npos);
  EXPECT_NE(text.find("the newest\n"), std::string::npos);
  EXPECT_TRUE(queue->flush(20s));
}

} // namespace troupe::test
