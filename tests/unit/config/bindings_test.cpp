#include "troupe/config/model/port.hpp"

#include <gtest/gtest.h>

namespace troupe {

namespace {

port_binding
binding_of(int port, int host_port, const char* host_ip = "0.0.0.0",
           protocol proto = protocol::udp) {
  return {proto, static_cast<uint16_t>(port),
          ip_address::parse(host_ip).value(), static_cast<uint16_t>(host_port)};
}

std::string text_of(const std::vector<port_binding>& xs) {
  auto result = std::string{};
  for (const auto& x : xs)
    result += (result.empty() ? "" : " ") + to_string(x);
  return result;
}

TEST(Bindings, LongRunsAreOneEntry) {
  auto all = std::vector<port_binding>{};
  for (auto i = 0; i <= 10'000; ++i)
    for (const auto* address : {"0.0.0.0", "::"})
      all.push_back(binding_of(10'000 + i, 30'000 + i, address));
  all.push_back(binding_of(80, 8'080, "0.0.0.0", protocol::tcp));
  sort_bindings(all);
  const auto few = compressed(all);
  EXPECT_EQ(text_of(few), "0.0.0.0:8080->80/tcp "
                          "0.0.0.0:30000-40000->10000-20000/udp "
                          "[::]:30000-40000->10000-20000/udp");
  EXPECT_EQ(expanded(few), all);
  EXPECT_EQ(expanded(all), all);
  EXPECT_EQ(compressed(few), few);
}

TEST(Bindings, RunsEndWhereSomethingElseBegins) {
  auto all = std::vector<port_binding>{};
  auto run = [&](int first, int count, int host, protocol proto) {
    for (auto i = 0; i < count; ++i)
      all.push_back(
        binding_of(first + i, host == 0 ? 0 : host + i, "0.0.0.0", proto));
  };
  run(100, 20, 1'000, protocol::tcp);
  run(120, 20, 2'000, protocol::tcp); // Another offset.
  run(100, 20, 1'000, protocol::udp);
  run(100, 20, 0, protocol::sctp);    // Routed.
  run(200, 15, 3'000, protocol::tcp); // Too short.
  sort_bindings(all);
  auto few = compressed(all);
  EXPECT_EQ(few.size(), 4U + 15U);
  EXPECT_EQ(expanded(few), all);
}

TEST(Bindings, OddRangesAreCut) {
  auto x = binding_of(65'000, 65'530);
  x.port_end = 65'535;
  EXPECT_EQ(expanded({x}).size(), 6U); // The host has no more.
  x = binding_of(100, 200);
  x.port_end = 50;
  EXPECT_EQ(expanded({x}).size(), 1U);
  EXPECT_EQ(to_string(x), "0.0.0.0:200->100/udp");
  x = binding_of(1, 1);
  x.port_end = 65'535;
  EXPECT_EQ(expanded({x}).size(), 65'535U);
}

} // namespace

} // namespace troupe
