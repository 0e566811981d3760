// Requests that no command line of ours would send, and requests that race.

#include "troupe/tests/system/harness/system_test.hpp"

#include <atomic>
#include <thread>

namespace troupe::test {

namespace {

using nlohmann::json;

class Request : public system_test {
protected:
  void expect(int status, const std::string& says,
              const std::optional<response>& answer) {
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, status) << text_of(answer);
    EXPECT_NE(answer->body.dump().find(says), std::string::npos)
      << text_of(answer);
  }

  void expect_refused(const std::string& body, const std::string& says) {
    SCOPED_TRACE(body.substr(0, 80));
    auto connection = daemon().client();
    expect(400, says, connection.send_text("POST", "/v1/networks", body));
  }
};

} // namespace

TEST_F(Request, MalformedBodiesAreRefusedWithTheirPlace) {
  expect_refused("", "");
  expect_refused("{", "line 1");
  expect_refused("[]", "");
  expect_refused("null", "");
  expect_refused(R"({"spec": {"name": "a", "name": "b"}})", "name");
  expect_refused(R"({"spec": {"name": 7}})", "name");
  expect_refused(R"({"spec": {"name": "a", "enable_ipv6": "yes"}})",
                 "enable_ipv6");
  expect_refused(R"({"spec": {"name": "a", "created_ms": 1.5}})", "created_ms");
  expect_refused(R"({"spec": {"nmae": "a"}})", "name");
  expect_refused("{\"spec\": {\"name\": \"\xff\"}}", "");
  EXPECT_EQ(must("GET", "/v1/networks").at("networks"), json::array());
}

TEST_F(Request, DepthAndSizeAreBounded) {
  auto deep = std::string(100'000, '[') + std::string(100'000, ']');
  expect_refused(deep, "deep");
  auto connection = daemon().client();
  auto large = R"({"spec": {"name": ")" + std::string(2 << 20, 'x') + "\"}}";
  auto answer = connection.send_text("POST", "/v1/networks", large);
  // The daemon may answer or hang up on somebody who goes on talking.
  if (answer) {
    EXPECT_EQ(answer->status, 413) << text_of(answer);
  }
  EXPECT_EQ(must("GET", "/v1/networks").at("networks"), json::array());
}

TEST_F(Request, UnknownPathsAndMethods) {
  auto connection = daemon().client();
  expect(404, "/v1/nosuch", connection.get("/v1/nosuch"));
  expect(405, "", connection.send("DELETE", "/v1/networks"));
  expect(400, "", connection.get("/v1/networks/%zz"));
  expect(404, "", connection.get("/v1/networks/..%2f..%2fetc"));
  expect(400, "colour", connection.get("/v1/networks?colour=red"));
}

TEST_F(Request, OfTwoClientsThatWantOneNameExactlyOneWins) {
  create_network("shared", {{"pools", {{{"subnet", "10.7.0.0/24"}}}}});
  constexpr auto racers = 8;
  for (auto round = 0; round < 20; ++round) {
    auto made = std::atomic<int>{0}, refused = std::atomic<int>{0};
    auto race = [&](const std::string& target, const json& body) {
      auto threads = std::vector<std::thread>{};
      for (auto i = 0; i < racers; ++i)
        threads.emplace_back([&] {
          auto connection = daemon().client();
          auto answer = connection.send("POST", target, body);
          if (answer && answer->status == 201)
            ++made;
          else if (answer && answer->status == 409)
            ++refused;
        });
      for (auto& thread : threads)
        thread.join();
    };
    auto name = "x" + std::to_string(round);
    race("/v1/networks", {{"spec", {{"name", name}}}});
    race("/v1/sandboxes", {{"spec", {{"name", name}}}});
    race("/v1/networks/shared/endpoints", {{"spec", {{"name", name}}}});
    EXPECT_EQ(made, 3);
    EXPECT_EQ(refused, 3 * (racers - 1));
    must("DELETE", "/v1/networks/" + name);
    must("DELETE", "/v1/sandboxes/" + name);
    must("DELETE", "/v1/networks/shared/endpoints/" + name);
  }
  EXPECT_EQ(doctor(), "");
}

TEST_F(Request, OfClientsThatWantOneAddressExactlyOneWins) {
  create_network("shared", {{"pools", {{{"subnet", "10.7.0.0/24"}}}}});
  auto made = std::atomic<int>{0};
  auto threads = std::vector<std::thread>{};
  for (auto i = 0; i < 8; ++i)
    threads.emplace_back([&, i] {
      auto connection = daemon().client();
      auto spec
        = json{{"name", "e" + std::to_string(i)}, {"ipv4", "10.7.0.77"}};
      auto answer = connection.send("POST", "/v1/networks/shared/endpoints",
                                    {{"spec", spec}});
      made += answer && answer->status == 201 ? 1 : 0;
    });
  for (auto& thread : threads)
    thread.join();
  EXPECT_EQ(made, 1);
}

} // namespace troupe::test
