#include "troupe/actors/remote/uri.hpp"

#include <gtest/gtest.h>

namespace troupe::remote {

TEST(RemoteUri, ReadsHostsAndPorts) {
  auto expect = [](const char* text, const char* host, int port) {
    auto x = parse_uri(text);
    ASSERT_TRUE(x) << text << ": " << x.error().message;
    EXPECT_EQ(x->host, host);
    EXPECT_EQ(x->port, port);
  };
  expect("caf+tls://example", "example", default_port);
  expect("caf+tls://example/", "example", default_port);
  expect("caf+tls://a-b.example:1", "a-b.example", 1);
  expect("caf+tls://192.0.2.1:65535", "192.0.2.1", 65'535);
  expect("caf+tls://[::1]", "::1", default_port);
  expect("caf+tls://[fe80::1%eth0]:80", "fe80::1%eth0", 80);
}

TEST(RemoteUri, RefusesEverythingElseAndSaysWhy) {
  for (const auto* text : {"",
                           "example",
                           "unix:///run/x",
                           "tls://example",
                           "caf+tls://",
                           "caf+tls://:80",
                           "caf+tls://example:",
                           "caf+tls://example:0",
                           "caf+tls://example:65536",
                           "caf+tls://example:99999999999999999999",
                           "caf+tls://example:80x",
                           "caf+tls://example:-1",
                           "caf+tls://::1",
                           "caf+tls://::1:80",
                           "caf+tls://[::1",
                           "caf+tls://[::1]80",
                           "caf+tls://[]",
                           "caf+tls://[::1]:",
                           "caf+tls://-host",
                           "caf+tls://user@host",
                           "caf+tls://a b",
                           "caf+tls://a/b",
                           "caf+tls://a\nb"}) {
    auto x = parse_uri(text);
    ASSERT_FALSE(x) << text;
    EXPECT_EQ(x.error().code, ec::invalid_argument) << text;
    EXPECT_FALSE(x.error().hint.empty()) << text;
  }
  EXPECT_FALSE(parse_uri("caf+tls://" + std::string(300, 'a')));
}

TEST(RemoteUri, AListenerNeedsAPortOrADefault) {
  EXPECT_FALSE(parse_host_port("192.0.2.1", 0));
  EXPECT_TRUE(parse_host_port("192.0.2.1:7", 0));
}

TEST(RemoteUri, WritesWhatItReads) {
  for (const auto* text : {"example:7", "[::1]:7", "192.0.2.1:7"})
    EXPECT_EQ(to_string(*parse_host_port(text, 0)), text);
}

} // namespace troupe::remote
