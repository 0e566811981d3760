#include "troupe/tools/oci/hook.hpp"

#include <gtest/gtest.h>

namespace troupe::oci {

TEST(OciHook, ReadsTheState) {
  auto state = read_state(R"({
    "ociVersion": "1.0.2", "id": "c1", "status": "creating", "pid": 4711,
    "bundle": "/b", "annotations": {
      "io.troupe.networks": "front,back",
      "io.troupe.ip": "10.1.0.9,fd00::9",
      "io.troupe.mac": "02:00:00:00:00:09",
      "io.troupe.publish": "8080:80,127.0.0.1:53:53/udp",
      "org.opencontainers.image.os": "linux"}})");
  ASSERT_TRUE(state) << state.error().message;
  EXPECT_EQ(state->id, "c1");
  EXPECT_EQ(state->pid, 4711);
  EXPECT_EQ(state->networks, (std::vector<std::string>{"front", "back"}));
  EXPECT_EQ(to_string(*state->first.ipv4), "10.1.0.9");
  EXPECT_EQ(to_string(*state->first.ipv6), "fd00::9");
  EXPECT_EQ(to_string(*state->first.mac), "02:00:00:00:00:09");
  ASSERT_EQ(state->first.ports.size(), 2U);
  EXPECT_EQ(to_string(state->first.ports[1]), "127.0.0.1:53:53/udp");
  EXPECT_TRUE(read_state(R"({"id": "c1"})"));
}

TEST(OciHook, RefusesWhatCannotBe) {
  auto annotated = [](const std::string& text) {
    return R"({"id": "c1", "annotations": {)" + text + "}}";
  };
  for (const auto& text :
       {std::string{}, std::string{"[]"}, std::string{"null"},
        std::string{R"({"id": 3})"}, std::string{R"({"id": ""})"},
        std::string(100'000, '['), annotated(R"("io.troupe.ip": "x")"),
        annotated(R"("io.troupe.mac": "x")"),
        annotated(R"("io.troupe.publish": "99999")"),
        annotated(R"("io.troupe.network": "front")")}) {
    auto state = read_state(text);
    EXPECT_FALSE(state) << text.substr(0, 60);
  }
}

} // namespace troupe::oci
