#include "fixture.hpp"

namespace troupe::drivers {
namespace {

using test::ip;
using lines = std::vector<std::string>;

class PortBookRestart : public test::book_fixture {
protected:
  // The daemon dies and comes back.
  void restart() {
    open_book();
    ASSERT_TRUE(book->start().has_value());
  }
};

TEST_F(PortBookRestart, FindsItsPortsInTheProxy) {
  auto before = *book->publish(endpoint(), wishes({"8080:80", "81"}), options);
  auto served = host.served();
  restart();
  auto done = book->restore(endpoint(), before);
  ASSERT_TRUE(done.has_value()) << done.error().message;
  EXPECT_TRUE(book->finish_restore().has_value());
  EXPECT_EQ(book->bindings(endpoint().id), before);
  EXPECT_EQ(host.served(), served);
}

TEST_F(PortBookRestart, TakesThemAgainWhenTheProxyIsGoneToo) {
  auto before = *book->publish(endpoint(), wishes({"8080:80", "81"}), options);
  auto held = host.held();
  restart();
  host.kill_proxy();
  restart();
  ASSERT_TRUE(book->restore(endpoint(), before).has_value());
  EXPECT_EQ(host.held(), held);
}

TEST_F(PortBookRestart, ClosesWhatNobodyRestored) {
  book->publish(endpoint(), wishes({"8080:80"}), options).value();
  restart();
  EXPECT_TRUE(book->finish_restore().has_value());
  EXPECT_TRUE(host.held().empty());
}

TEST_F(PortBookRestart, LeavesEverythingWhenAPortIsTaken) {
  auto before
    = *book->publish(endpoint(), wishes({"8080:80", "8081:81"}), options);
  host.kill_proxy();
  host.occupy(protocol::tcp, ip("0.0.0.0"), 8081);
  restart();
  auto done = book->restore(endpoint(), before);
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, ec::conflict);
  EXPECT_TRUE(book->bindings().empty());
  EXPECT_TRUE(host.held().empty());
  host.vacate(protocol::tcp, ip("0.0.0.0"), 8081);
  EXPECT_TRUE(book->restore(endpoint(), before).has_value());
}

TEST_F(PortBookRestart, TellsTheProxyANewTarget) {
  auto before
    = *book->publish(endpoint(), wishes({"127.0.0.1:8080:80"}), options);
  restart();
  auto moved = endpoint();
  moved.ipv4 = ip("172.19.0.9");
  ASSERT_TRUE(book->restore(moved, before).has_value());
  ASSERT_EQ(host.served().size(), 1U);
  EXPECT_EQ(host.served()[0].target, ip("172.19.0.9"));
}

TEST_F(PortBookRestart, GivesTheProxyBackWhatItLost) {
  book->publish(endpoint(), wishes({"8080:80"}), options).value();
  auto served = host.served();
  host.kill_proxy();
  EXPECT_TRUE(host.held().empty());
  ASSERT_TRUE(book->repair().has_value());
  for (auto& x : served)
    x.shared = false; // Each is taken by itself now.
  EXPECT_EQ(host.served(), served);
}

TEST_F(PortBookRestart, SaysWhichPortWasLostAndTakesTheOthersBack) {
  book->publish(endpoint(), wishes({"8080:80", "8081:81"}), options).value();
  host.kill_proxy();
  host.occupy(protocol::tcp, ip("0.0.0.0"), 8080, {"thief", 7, 0});
  auto done = book->repair();
  ASSERT_FALSE(done.has_value());
  EXPECT_NE(done.error().message.find("0.0.0.0:8080/tcp"), std::string::npos);
  EXPECT_NE(done.error().message.find("thief"), std::string::npos);
  EXPECT_EQ(host.served().size(), 3U);
  host.vacate(protocol::tcp, ip("0.0.0.0"), 8080);
  EXPECT_TRUE(book->repair().has_value());
  EXPECT_EQ(host.served().size(), 4U);
}

TEST_F(PortBookRestart, LooksAfterTheProxy) {
  EXPECT_EQ(book->look_after_proxy(), "") << "nobody needs it";
  book->publish(endpoint(), wishes({"8080:80"}), options).value();
  const auto served = host.served().size();
  EXPECT_EQ(book->look_after_proxy(), "");
  EXPECT_TRUE(book->problems().empty());
  host.stop_proxy();
  EXPECT_EQ(book->problems().size(), 1U);
  EXPECT_EQ(book->look_after_proxy(), "troupe-proxy was stopped");
  EXPECT_TRUE(book->problems().empty());
  host.kill_proxy();
  EXPECT_EQ(book->problems().size(), 1U);
  EXPECT_EQ(book->look_after_proxy(), "troupe-proxy was gone");
  EXPECT_TRUE(book->problems().empty());
  EXPECT_EQ(host.served().size(), served);
}

TEST_F(PortBookRestart, TellsOfAPortThatWasTakenUntilItIsBack) {
  book->publish(endpoint(), wishes({"8080:80"}), options).value();
  host.kill_proxy();
  host.occupy(protocol::tcp, ip("0.0.0.0"), 8080, {"thief", 7, 0});
  EXPECT_EQ(book->look_after_proxy(), "troupe-proxy was gone");
  ASSERT_EQ(book->problems().size(), 1U);
  EXPECT_NE(book->problems()[0].find("thief"), std::string::npos);
  EXPECT_EQ(book->look_after_proxy(), "");
  EXPECT_EQ(book->problems().size(), 1U);
  host.vacate(protocol::tcp, ip("0.0.0.0"), 8080);
  EXPECT_EQ(book->look_after_proxy(), "");
  EXPECT_TRUE(book->problems().empty());
}

TEST_F(PortBookRestart, RemovesStraysUnlessItIsStillRestoring) {
  book->publish(endpoint(), wishes({"8080:80"}), options).value();
  restart();
  EXPECT_TRUE(book->repair().has_value());
  EXPECT_EQ(host.served().size(), 2U);
  EXPECT_TRUE(book->finish_restore().has_value());
  EXPECT_TRUE(host.served().empty());
}

} // namespace
} // namespace troupe::drivers
