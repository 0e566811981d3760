#include "troupe/actors/api/routes.hpp"

#include <gtest/gtest.h>

#include <set>

namespace troupe::api {

namespace {

// One of each, with texts that need escaping in a path.
std::vector<request> all_requests() {
  auto network = network_spec{};
  network.name = "web";
  auto endpoint = endpoint_spec{};
  endpoint.name = "c1";
  endpoint.ipv4 = ip_address::parse("10.0.0.5").value();
  auto sandbox = sandbox_spec{};
  sandbox.name = "box";
  return {create_network{network},
          remove_network{"a b/c"},
          inspect_network{"%"},
          list_networks{},
          create_endpoint{"web", endpoint},
          remove_endpoint{"web", "c1", true},
          remove_endpoint{"", "c1", false},
          inspect_endpoint{"web", "c?1"},
          inspect_endpoint{"", "c1"},
          list_endpoints{},
          list_endpoints{"web"},
          create_sandbox{sandbox},
          remove_sandbox{"box"},
          inspect_sandbox{"box"},
          list_sandboxes{},
          join_endpoint{"web", "c1", "box"},
          join_endpoint{"", "c1", "box"},
          leave_endpoint{"web", "c1"},
          leave_endpoint{"", "c1"},
          attach_sandbox{"web", "box", endpoint},
          detach_sandbox{"web", "box"},
          publish_ports{"web", "c1", {*parse_port_spec("[::1]:8080:80")}},
          publish_ports{"", "c1", {*parse_port_spec("53/udp")}},
          unpublish_ports{"web", "c1", {*parse_port_spec("80")}},
          unpublish_ports{"", "c1", {}},
          get_status{},
          run_doctor{true},
          run_doctor{false}};
}

bool same(const request& a, const request& b) {
  return a.index() == b.index()
         && std::visit(
           [&b]<class T>(const T& x) {
             return x == std::get<T>(b);
           },
           a);
}

result<request> decode_target(std::string_view method, std::string_view target,
                              std::string_view body = {}) {
  auto path = target.substr(0, target.find('?'));
  auto query = target.substr(std::min(target.size(), path.size() + 1));
  auto found = find_route(method, path);
  if (!found)
    return fail(found.error());
  return decode_request(*found->found, found->parameters, query, body);
}

TEST(Routes, CarryEveryRequestThereAndBack) {
  auto covered = std::set<size_t>{};
  for (const auto& what : all_requests()) {
    covered.insert(what.index());
    auto sent = encode_request(what);
    ASSERT_TRUE(sent) << sent.error().message;
    SCOPED_TRACE(sent->target);
    auto got = decode_target(sent->where->method, sent->target, sent->body);
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_TRUE(same(what, *got));
  }
  EXPECT_EQ(covered.size(), std::variant_size_v<request>);
}

TEST(Routes, HaveDistinctMethodsAndPatterns) {
  auto seen = std::set<std::pair<std::string_view, std::string_view>>{};
  for (const auto& x : routes())
    EXPECT_TRUE(seen.emplace(x.method, x.pattern).second) << x.pattern;
}

TEST(Routes, EscapeNamesInPaths) {
  auto sent = encode_request(remove_network{"a b/c"});
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->target, "/v1/networks/a%20b%2Fc");
}

TEST(Routes, PutOnlyWhatDiffersFromTheDefaultIntoTheQuery) {
  EXPECT_EQ(encode_request(remove_endpoint{"n", "e", false})->target,
            "/v1/networks/n/endpoints/e");
  EXPECT_EQ(encode_request(remove_endpoint{"n", "e", true})->target,
            "/v1/networks/n/endpoints/e?force=true");
}

TEST(Routes, RefuseToSendAnEmptyName) {
  auto sent = encode_request(remove_network{""});
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ec::invalid_argument);
}

TEST(Routes, RefuseUnknownPaths) {
  for (const auto* path :
       {"/", "", "/v1", "/v1/", "/v1/network", "/v2/networks", "/v1/networks/",
        "/v1/networks//endpoints", "/v1/networks/a/b", "v1/networks", "*"}) {
    auto found = find_route("GET", path);
    ASSERT_FALSE(found) << path;
    EXPECT_EQ(found.error().code, ec::not_found) << path;
  }
}

TEST(Routes, NameTheMethodsAPathHas) {
  auto found = find_route("PATCH", "/v1/networks/web");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->found, nullptr);
  EXPECT_EQ(found->allow, "GET, DELETE");
}

TEST(Routes, RefuseBrokenEscapes) {
  for (const auto* path : {"/v1/networks/%", "/v1/networks/%4",
                           "/v1/networks/%zz", "/v1/networks/a%00b"}) {
    auto found = find_route("GET", path);
    ASSERT_FALSE(found) << path;
    EXPECT_EQ(found.error().code, ec::invalid_argument) << path;
  }
}

TEST(Routes, RefuseUnknownAndRepeatedParameters) {
  for (const auto* target : {"/v1/endpoints?foo=1", "/v1/networks?network=a",
                             "/v1/endpoints?network=a&network=b",
                             "/v1/networks/a/endpoints?network=b",
                             "/v1/status?x", "/v1/endpoints?%=1"}) {
    auto got = decode_target("GET", target);
    ASSERT_FALSE(got) << target;
    EXPECT_EQ(got.error().code, ec::invalid_argument) << target;
  }
  EXPECT_FALSE(decode_target("DELETE", "/v1/endpoints/e?force=yes"));
  EXPECT_FALSE(decode_target("POST", "/v1/doctor?repair=true", "{}"));
}

TEST(Routes, RefuseBodiesThatDoNotFit) {
  for (const auto* body :
       {"[]", "1", "{", "{\"spec\":1}", "{\"spec\":{\"nam\":\"x\"}}",
        "{\"network\":\"x\"}", "{\"spec\":{\"internal\":1}}",
        "{\"spec\":{},\"spec\":{}}", "{\"spec\":{\"name\":\"\\ud800\"}}"}) {
    auto got = decode_target("POST", "/v1/networks", body);
    ASSERT_FALSE(got) << body;
    EXPECT_EQ(got.error().code, ec::invalid_argument) << body;
  }
}

TEST(Routes, RefuseABodyThatContradictsThePath) {
  auto got = decode_target("POST", "/v1/networks/a/detach",
                           R"({"network":"b","sandbox":"c"})");
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().message.find("network"), std::string::npos);
}

TEST(Routes, GiveEachErrorItsStatus) {
  EXPECT_EQ(http_status(ec::invalid_argument), 400);
  EXPECT_EQ(http_status(ec::forbidden), 403);
  EXPECT_EQ(http_status(ec::not_found), 404);
  EXPECT_EQ(http_status(ec::timeout), 408);
  EXPECT_EQ(http_status(ec::conflict), 409);
  EXPECT_EQ(http_status(ec::internal), 500);
  EXPECT_EQ(http_status(ec::unsupported), 501);
  EXPECT_EQ(http_status(ec::unavailable), 503);
}

TEST(Routes, CarryErrorsThereAndBack) {
  auto sent = error{ec::conflict, "create network \"a\": taken", "choose", 17};
  auto got = decode_error(409, encode_error(sent));
  EXPECT_EQ(got.code, sent.code);
  EXPECT_EQ(got.message, sent.message);
  EXPECT_EQ(got.hint, sent.hint);
  EXPECT_EQ(got.os_error, 0);
}

TEST(Routes, MakeAnErrorOfAnyBody) {
  for (const auto* body :
       {"", "<html>", "{}", "{\"error\":1}", "{\"error\":{\"code\":5}}", "[1]"})
    EXPECT_EQ(decode_error(502, body).code, ec::internal) << body;
}

TEST(Routes, IgnoreWhatANewerDaemonAddsToAReply) {
  auto found = find_route("GET", "/v1/networks");
  auto got = decode_reply(*found->found,
                          R"({"networks":[{"spec":{"name":"a","new":1}}]})");
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(std::get<network_list>(*got).networks.at(0).spec.name, "a");
}

} // namespace

} // namespace troupe::api
