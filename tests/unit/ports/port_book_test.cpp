#include "fixture.hpp"
#include <algorithm>
#include <cerrno>

namespace troupe::drivers {
namespace {

using test::ip;
using lines = std::vector<std::string>;

class PortBook : public test::book_fixture {
protected:
  error refusal(const std::string& wish) {
    auto before = host.held();
    auto done = book->publish(endpoint(), wishes({wish}), options);
    EXPECT_FALSE(done.has_value()) << wish;
    EXPECT_EQ(host.held(), before);
    return done ? error{} : done.error();
  }
};

TEST_F(PortBook, NamesTheProcessThatHasThePort) {
  host.occupy(protocol::udp, ip("127.0.0.1"), 53, {"dnsmasq", 42, 0});
  auto why = refusal("53:53/udp");
  EXPECT_EQ(why.code, ec::conflict);
  EXPECT_EQ(why.message, "publish 0.0.0.0:53/udp: the port is in use by "
                         "process \"dnsmasq\" (pid 42)");
}

TEST_F(PortBook, RefusesAnAddressOfAnotherHost) {
  auto why = refusal("192.0.2.1:8080:80");
  EXPECT_EQ(why.code, ec::invalid_argument);
  EXPECT_EQ(why.message, "publish 192.0.2.1:8080/tcp: address 192.0.2.1 is "
                         "not on this host");
}

TEST_F(PortBook, SaysWhenNoAutomaticPortIsFree) {
  host.limits.first = 40'000;
  host.limits.last = 40'001;
  open_book();
  publish(endpoint(), {"80", "81"});
  auto why = refusal("82");
  EXPECT_EQ(why.code, ec::unavailable);
  EXPECT_NE(why.message.find("no automatic port is free"), std::string::npos);
}

TEST_F(PortBook, DoesNotWalkThroughATakenHostForEver) {
  for (auto port = uint32_t{32'768}; port <= 60'999; ++port)
    host.occupy(protocol::tcp, ip("0.0.0.0"), static_cast<uint16_t>(port));
  EXPECT_EQ(refusal("80").code, ec::unavailable);
}

TEST_F(PortBook, TellsTheProxyWhereConnectionsGo) {
  publish(endpoint(), {"127.0.0.1:8080:80", "10.0.0.1:8081:81"});
  auto served = host.served();
  ASSERT_EQ(served.size(), 2U);
  EXPECT_EQ(served[0].target, ip("172.19.0.2"));
  EXPECT_EQ(served[0].target_port, 80);
  // The firewall leads to it, but for who comes from a loopback address.
  EXPECT_EQ(served[1].target, ip("172.19.0.2"));
  EXPECT_EQ(served[1].target_port, 81);
}

TEST_F(PortBook, TakesBothFamiliesWithOneSocket) {
  publish(endpoint(), {"8080:80", "127.0.0.1:8081:81"});
  auto served = host.served();
  ASSERT_EQ(served.size(), 3U);
  for (const auto& x : served) {
    EXPECT_EQ(x.shared, x.host_port == 8'080);
    EXPECT_EQ(x.target, x.host_ip.is_v6() ? endpoint().ipv6 : endpoint().ipv4);
  }
  EXPECT_TRUE(book->repair().has_value());
  EXPECT_EQ(host.served(), served);
}

TEST_F(PortBook, GivesTheOtherFamilyASocketOfItsOwn) {
  for (auto leaves : {0, 1}) {
    publish(endpoint(), {"8080:80"});
    auto both = book->bindings(endpoint().id);
    auto gone = both.at(static_cast<size_t>(leaves));
    EXPECT_TRUE(book->release(endpoint().id, {&gone, 1}).has_value());
    auto served = host.served();
    ASSERT_EQ(served.size(), 1U);
    EXPECT_FALSE(served.front().shared);
    EXPECT_EQ(served.front().host_ip.is_v6(), gone.host_ip.is_v4());
    EXPECT_EQ(host.held().size(), 1U);
    EXPECT_TRUE(book->release(endpoint().id).has_value());
    EXPECT_TRUE(host.held().empty());
  }
}

TEST_F(PortBook, ReleasesBothFamiliesAtOnce) {
  publish(endpoint(), {"8080:80", "8081:81"});
  auto leaving = book->bindings(endpoint().id);
  leaving.resize(2);
  EXPECT_TRUE(book->release(endpoint().id, leaving).has_value());
  EXPECT_EQ(host.held(), (lines{"0.0.0.0:8081/tcp", "[::]:8081/tcp"}));
}

TEST_F(PortBook, TriesAgainWhenTheOtherFamilyGetsNoSocket) {
  publish(endpoint(), {"8080:80"});
  auto gone = book->bindings(endpoint().id).front();
  host.on_call = [](netns::simulated_ports::call x) {
    return netns::simulated_ports::fault{
      x == netns::simulated_ports::call::hold ? ENOBUFS : 0, false};
  };
  EXPECT_TRUE(book->release(endpoint().id, {&gone, 1}).has_value());
  EXPECT_TRUE(host.held().empty());
  EXPECT_FALSE(book->repair().has_value());
  host.on_call = {};
  EXPECT_TRUE(book->repair().has_value());
  EXPECT_EQ(host.held(), lines{"[::]:8080/tcp"});
}

TEST_F(PortBook, PartsASharedSocketAfterARestart) {
  publish(endpoint(), {"8080:80"});
  auto kept = book->bindings(endpoint().id).front();
  open_book();
  ASSERT_TRUE(book->start().has_value());
  ASSERT_TRUE(book->restore(endpoint(), {&kept, 1}).has_value());
  EXPECT_TRUE(book->finish_restore().has_value());
  EXPECT_EQ(host.held(), lines{"0.0.0.0:8080/tcp"});
  EXPECT_TRUE(book->release(endpoint().id).has_value());
  EXPECT_TRUE(host.held().empty());
}

TEST_F(PortBook, HoldsThePortsItselfWithoutAProxy) {
  open_book(false);
  publish(endpoint(), {"8080:80"});
  EXPECT_EQ(host.held().size(), 2U);
  EXPECT_TRUE(book->release(endpoint().id).has_value());
  EXPECT_TRUE(host.held().empty());
}

TEST_F(PortBook, PublishesMoreAndLess) {
  publish(endpoint(), {"8080:80"});
  publish(endpoint(), {"8081:81"});
  EXPECT_EQ(book->bindings(endpoint().id).size(), 4U);
  auto leaving = book->bindings(endpoint().id);
  leaving.resize(1);
  EXPECT_TRUE(book->release(endpoint().id, leaving).has_value());
  EXPECT_EQ(
    texts(book->bindings(endpoint().id)),
    (lines{"[::]:8080->80/tcp", "0.0.0.0:8081->81/tcp", "[::]:8081->81/tcp"}));
  auto again = book->release(endpoint().id, leaving);
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, ec::not_found);
  EXPECT_EQ(host.held().size(), 3U);
}

TEST_F(PortBook, SettlesWhatIsOnItsWayBeforeAnythingElse) {
  const auto web = endpoint();
  const auto steps = std::vector<std::function<result<void>()>>{
    [&] {
      return book->release(web.id);
    },
    [&] {
      return book->repair();
    },
    [&] {
      return book->restore(
        endpoint("mail"),
        std::vector<port_binding>{{protocol::tcp, 25, ip("0.0.0.0"), 25}});
    },
    [&] {
      return book->finish_restore();
    },
  };
  for (const auto& step : steps) {
    open_book();
    host.kill_proxy();
    ASSERT_TRUE(book->begin_publish(web, wishes({"8080:80"}), options));
    EXPECT_TRUE(host.served().empty());
    auto done = step();
    EXPECT_TRUE(done) << done.error().message;
    EXPECT_TRUE(book->finish_publish(web.id));
    EXPECT_TRUE(book->release(web.id));
    EXPECT_TRUE(book->release(endpoint("mail").id));
    EXPECT_TRUE(host.held().empty());
  }
}

TEST_F(PortBook, GivesBackOnlyWhatWasBegun) {
  const auto web = endpoint();
  ASSERT_EQ(publish(web, {"8080:80"}).size(), 2U);
  auto before = host.held();
  ASSERT_TRUE(book->begin_publish(web, wishes({"8081:81"}), options));
  host.on_call = [](netns::simulated_ports::call x) {
    return netns::simulated_ports::fault{
      x == netns::simulated_ports::call::add ? EMFILE : 0, false};
  };
  EXPECT_FALSE(book->finish_publish(web.id));
  host.on_call = nullptr;
  EXPECT_EQ(host.held(), before);
  EXPECT_EQ(book->bindings(web.id).size(), 2U);
  EXPECT_EQ(publish(web, {"8081:81"}).size(), 2U);
}

TEST_F(PortBook, ReleasesNothingGladly) {
  EXPECT_TRUE(book->release(endpoint().id).has_value());
  EXPECT_TRUE(book->bindings().empty());
}

TEST_F(PortBook, PublishesSctpWithoutSocketsWhereRulesLead) {
  host.has_sctp = false;
  EXPECT_EQ(publish(endpoint(), {"0.0.0.0:99:99/sctp"}),
            (lines{"0.0.0.0:99->99/sctp"}));
  EXPECT_TRUE(host.held().empty());
  EXPECT_NE(publish(endpoint("db"), {"0.0.0.0:99:99/sctp"})
              .front()
              .find("already published"),
            std::string::npos);
  EXPECT_EQ(refusal("127.0.0.1:98:98/sctp").code, ec::unsupported);
}

TEST_F(PortBook, RefusesAPortThatTheSameRequestTook) {
  auto before = book->bindings();
  EXPECT_NE(publish(endpoint(), {"8080:80", "8080:81"})
              .front()
              .find("or it is given twice"),
            std::string::npos);
  EXPECT_EQ(book->bindings(), before);
  EXPECT_TRUE(host.held().empty());
}

TEST_F(PortBook, SkipsReservedPorts) {
  host.limits.reserved.set(32'768);
  open_book();
  EXPECT_EQ(publish(endpoint(), {"80"}).front(), "0.0.0.0:32769->80/tcp");
}

} // namespace
} // namespace troupe::drivers
