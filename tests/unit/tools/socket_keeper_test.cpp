#include "troupe/tests/unit/tools/server_fixture.hpp"
#include "troupe/tools/trouped/socket_keeper.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace troupe::test {

namespace {

using tools::socket_keeper;

class SocketKeeper : public server_fixture {
protected:
  void keep() {
    start();
    keeper_ = std::make_unique<socket_keeper>(
      std::move(*listener_), "", [this](netns::unique_fd connection) {
        server_->take_connection(std::move(connection));
      });
    listener_.reset();
  }

  /// As the daemon's first thread does, once.
  void wait() {
    auto polled = std::array{pollfd{keeper_->changes(), POLLIN, 0},
                             pollfd{keeper_->connections(), POLLIN, 0}};
    ASSERT_GT(::poll(polled.data(), polled.size(), 20'000), 0);
    keeper_->look();
  }

  std::unique_ptr<socket_keeper> keeper_;
};

} // namespace

TEST_F(SocketKeeper, MakesARemovedSocketAgain) {
  keep();
  auto before = client();
  EXPECT_EQ(before.ask("GET", "/v1/status").status, 200);
  for (auto round = 0; round < 3; ++round) {
    ASSERT_EQ(::unlink(socket_.c_str()), 0);
    wait();
    auto after = client();
    ASSERT_TRUE(after.send("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"));
    wait();
    EXPECT_EQ(after.receive().status, 200);
  }
  // Who was connected is served as before.
  EXPECT_EQ(before.ask("GET", "/v1/status").status, 200);
}

TEST_F(SocketKeeper, MakesAMovedSocketAgain) {
  keep();
  ASSERT_EQ(::rename(socket_.c_str(), (directory_ / "elsewhere").c_str()), 0);
  wait();
  auto after = client();
  ASSERT_TRUE(after.send("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"));
  wait();
  EXPECT_EQ(after.receive().status, 200);
}

TEST_F(SocketKeeper, LeavesOtherFilesAloneAndTriesAgain) {
  keep();
  ASSERT_EQ(::unlink(socket_.c_str()), 0);
  std::ofstream{socket_} << "somebody else's";
  keeper_->look();
  ASSERT_TRUE(keeper_->due());
  EXPECT_LE(*keeper_->due() - socket_keeper::clock::now(),
            std::chrono::seconds{1});
  ASSERT_EQ(::unlink(socket_.c_str()), 0);
  keeper_->look();
  auto after = client();
  ASSERT_TRUE(after.send("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"));
  wait();
  EXPECT_EQ(after.receive().status, 200);
}

} // namespace troupe::test
