// Rows PA and PM of libnetwork's port allocator.

#include "troupe/drivers/publish/allocator.hpp"
#include "troupe/tests/fixtures/addresses.hpp"

#include <gtest/gtest.h>

#include <set>

namespace troupe::drivers {
namespace {

using troupe::test::ip;

constexpr uint16_t begin = 49'153;
constexpr uint16_t end = 65'535;

class PortAllocator : public ::testing::Test {
protected:
  result<uint16_t> take(std::vector<std::string> where, uint16_t first = 0,
                        uint16_t last = 0, protocol proto = protocol::tcp) {
    auto addresses = std::vector<ip_address>{};
    for (const auto& x : where)
      addresses.push_back(ip(x));
    return book.take(addresses, proto, {first, last}, "endpoint web");
  }

  result<uint16_t> exact(std::string where, uint16_t port) {
    return take({std::move(where)}, port, port);
  }

  port_allocator book;
};

TEST_F(PortAllocator, BeginsAtTheFirstAutomaticPort) {
  EXPECT_EQ(take({"0.0.0.0"}), begin);
}

TEST_F(PortAllocator, GivesAnExactPortOnce) {
  EXPECT_EQ(exact("0.0.0.0", 5000), 5000);
  auto again = exact("0.0.0.0", 5000);
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, ec::conflict);
  EXPECT_EQ(again.error().message,
            "0.0.0.0:5000/tcp: already allocated to endpoint web");
}

TEST_F(PortAllocator, GivesAReturnedPortAgain) {
  EXPECT_EQ(exact("0.0.0.0", 5000), 5000);
  EXPECT_TRUE(book.give_back(protocol::tcp, ip("0.0.0.0"), 5000));
  EXPECT_FALSE(book.give_back(protocol::tcp, ip("0.0.0.0"), 5000));
  EXPECT_EQ(exact("0.0.0.0", 5000), 5000);
}

TEST_F(PortAllocator, RefusesAnUnknownProtocolAndBadRanges) {
  auto unknown = take({"0.0.0.0"}, 0, 0, static_cast<protocol>(9));
  ASSERT_FALSE(unknown.has_value());
  EXPECT_NE(unknown.error().message.find("unknown protocol"),
            std::string::npos);
  for (auto [first, last] :
       {std::pair<uint16_t, uint16_t>{0, 8082}, {8081, 0}, {8081, 8080}})
    EXPECT_EQ(take({"0.0.0.0"}, first, last).error().code,
              ec::invalid_argument);
}

TEST_F(PortAllocator, GivesAllAndThenTheOnlyFreeOne) {
  for (auto port = uint32_t{begin}; port <= end; ++port)
    ASSERT_EQ(take({"0.0.0.0"}), port);
  EXPECT_EQ(take({"0.0.0.0"}).error().code, ec::unavailable);
  EXPECT_EQ(take({"0.0.0.0"}, 0, 0, protocol::udp), begin);
  for (auto round = 0; round < 2; ++round) {
    book.give_back(protocol::tcp, ip("0.0.0.0"), begin + 5);
    EXPECT_EQ(take({"0.0.0.0"}), begin + 5);
  }
  EXPECT_FALSE(take({"0.0.0.0"}).has_value());
}

TEST_F(PortAllocator, GivesTheSameNumberAtOtherAddresses) {
  EXPECT_EQ(exact("192.168.0.1", 80), 80);
  EXPECT_FALSE(exact("192.168.0.1", 80).has_value());
  EXPECT_EQ(exact("192.168.0.2", 80), 80);
  EXPECT_FALSE(exact("192.168.0.2", 80).has_value());
  EXPECT_EQ(take({"192.168.0.1"}, 80, 80, protocol::udp), 80);
}

TEST_F(PortAllocator, NeverGivesATakenAutomaticPort) {
  auto first = *take({"0.0.0.0"});
  auto next = static_cast<uint16_t>(first + 1);
  EXPECT_EQ(exact("0.0.0.0", next), next);
  EXPECT_EQ(take({"0.0.0.0"}), first + 2);
  auto fresh = port_allocator{};
  auto any = std::vector{ip("0.0.0.0")};
  EXPECT_EQ(fresh.take(any, protocol::tcp, {begin, begin}, "x"), begin);
  EXPECT_EQ(fresh.take(any, protocol::tcp, {}, "x"), begin + 1);
}

TEST_F(PortAllocator, GivesTheRangeAndNoMore) {
  auto first = *take({"0.0.0.0"});
  EXPECT_EQ(take({"0.0.0.0"}, 8081, 8082), 8081);
  auto second = *take({"0.0.0.0"});
  EXPECT_GE(second, first);
  EXPECT_EQ(take({"0.0.0.0"}, 8081, 8082), 8082);
  auto third = take({"0.0.0.0"}, 8081, 8082);
  ASSERT_FALSE(third.has_value());
  EXPECT_EQ(third.error().code, ec::conflict);
  EXPECT_NE(third.error().message.find("all ports"), std::string::npos);
}

TEST_F(PortAllocator, GivesOneNumberForSeveralAddresses) {
  auto both = std::vector<std::string>{"127.0.0.1", "::1"};
  EXPECT_EQ(take(both), begin);
  EXPECT_EQ(take(both, 10'000, 10'000), 10'000);
  EXPECT_FALSE(take(both, 10'000, 10'000).has_value());
  for (auto port = uint16_t{20'000}; port < 20'004; ++port)
    EXPECT_EQ(take(both, 20'000, 20'004), port);
  EXPECT_EQ(exact("::1", 20'004), 20'004);
  EXPECT_FALSE(take(both, 20'000, 20'004).has_value());
  // Nothing is left behind by the one that failed.
  EXPECT_EQ(exact("127.0.0.1", 20'004), 20'004);
}

TEST_F(PortAllocator, CountsTheUnspecifiedAddressAsAll) {
  EXPECT_EQ(take({"127.0.0.1"}, 0, 0, protocol::udp), begin);
  EXPECT_EQ(take({"0.0.0.0"}, 0, 0, protocol::udp), begin + 1);
  EXPECT_EQ(take({"127.0.0.1"}, 0, 0, protocol::udp), begin + 2);
  EXPECT_EQ(exact("0.0.0.0", 8080), 8080);
  EXPECT_FALSE(exact("127.0.0.1", 8080).has_value());
  EXPECT_EQ(exact("::1", 8080), 8080);
  EXPECT_FALSE(exact("::", 8080).has_value());
}

TEST_F(PortAllocator, LeavesReservedPortsAloneUnlessAsked) {
  auto reserved = std::bitset<65'536>{};
  reserved.set(begin);
  reserved.set(begin + 2);
  book.set_automatic({begin, begin + 3}, reserved);
  EXPECT_EQ(take({"0.0.0.0"}), begin + 1);
  EXPECT_EQ(take({"0.0.0.0"}), begin + 3);
  EXPECT_FALSE(take({"0.0.0.0"}).has_value());
  EXPECT_EQ(exact("0.0.0.0", begin), begin);
}

TEST_F(PortAllocator, DoesNotGiveAPortAgainAtOnce) {
  auto first = *take({"0.0.0.0"});
  book.give_back(protocol::tcp, ip("0.0.0.0"), first);
  EXPECT_EQ(take({"0.0.0.0"}), first + 1);
}

TEST_F(PortAllocator, CanBeFilledAndEmptiedAgainAndAgain) {
  book.set_automatic({begin, begin + 999}, {});
  for (auto round = 0; round < 10; ++round) {
    auto given = std::set<uint16_t>{};
    for (auto i = 0; i < 1'000; ++i)
      given.insert(take({"0.0.0.0", "::"}).value_or(0));
    EXPECT_EQ(given.size(), 1'000U);
    EXPECT_FALSE(given.contains(0));
    EXPECT_FALSE(exact("10.0.0.1", begin).has_value());
    for (auto port : given) {
      EXPECT_TRUE(book.give_back(protocol::tcp, ip("0.0.0.0"), port));
      EXPECT_TRUE(book.give_back(protocol::tcp, ip("::"), port));
    }
  }
}

} // namespace
} // namespace troupe::drivers
