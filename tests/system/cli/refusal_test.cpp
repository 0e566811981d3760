// Bad input through the command line and the real daemon: each row is a
// command, its exit code, and what it must say. Nothing may change by any of
// them.

#include "troupe/tests/system/harness/system_test.hpp"

#include <fstream>

namespace troupe::test {

namespace {

// Exit codes of the command line.
constexpr auto failed = 1;
constexpr auto usage = 2;
constexpr auto not_found = 3;
constexpr auto conflict = 4;

struct row {
  std::vector<std::string> words;
  int code = 0;
  std::string says; ///< A part of standard error.
};

class Refusal : public system_test {
protected:
  // A network with one joined and one free endpoint, and two sandboxes.
  void SetUp() override {
    system_test::SetUp();
    if (IsSkipped() || HasFatalFailure())
      return;
    for (const auto& words : std::vector<std::vector<std::string>>{
           {"network", "create", "--subnet", "10.2.0.0/24", "--gateway",
            "10.2.0.1", "--aux-address", "printer=10.2.0.9", "demo"},
           {"network", "create", "--subnet", "10.3.0.0/29", "tiny"},
           {"sandbox", "create", "box"},
           {"sandbox", "create", "other"},
           {"endpoint", "create", "demo", "free"},
           {"attach", "demo", "box", "--ip", "10.2.0.5"}}) {
      auto ran = daemon().troupe(words);
      ASSERT_EQ(ran.code, 0) << words[0] << " " << words[1] << ": " << ran.err;
    }
  }

  static std::string text_of(const std::vector<std::string>& words) {
    auto result = std::string{"troupe"};
    for (const auto& word : words)
      result += " " + word;
    return result;
  }

  // Everything the daemon knows.
  std::string objects() {
    return must("GET", "/v1/networks").dump()
           + must("GET", "/v1/endpoints").dump()
           + must("GET", "/v1/sandboxes").dump();
  }

  void expect_refused(const std::vector<row>& rows) {
    auto before = objects();
    auto kernel = observe_kernel();
    for (const auto& [words, code, says] : rows) {
      SCOPED_TRACE(text_of(words));
      auto ran = daemon().troupe(words);
      EXPECT_EQ(ran.code, code) << ran.out << ran.err;
      EXPECT_NE(ran.err.find("Error: "), std::string::npos) << ran.err;
      EXPECT_NE(ran.err.find(says), std::string::npos) << ran.err;
      // "inspect" prints what it has found as a list, also if that is nothing.
      EXPECT_TRUE(ran.out.empty() || ran.out == "[]\n") << ran.out;
    }
    EXPECT_EQ(objects(), before);
    EXPECT_EQ(difference_that_stays(kernel), "");
    EXPECT_EQ(doctor(), "");
  }
};

} // namespace

TEST_F(Refusal, WrongUsage) {
  expect_refused({
    {{"frobnicate"}, usage, "frobnicate"},
    {{"network"}, usage, ""},
    {{"network", "create"}, usage, "name"},
    {{"network", "create", "--nosuchflag", "x"}, usage, "nosuchflag"},
    {{"attach", "demo"}, usage, "sandbox"},
    {{"network", "ls", "--format", "xml"}, usage, "xml"},
  });
}

TEST_F(Refusal, UnknownObjects) {
  expect_refused({
    {{"network", "inspect", "nosuch"}, not_found, "nosuch"},
    {{"network", "rm", "nosuch"}, not_found, "nosuch"},
    {{"endpoint", "create", "nosuch", "e"}, not_found, "nosuch"},
    {{"endpoint", "inspect", "demo/nosuch"}, not_found, "nosuch"},
    {{"endpoint", "rm", "demo", "nosuch"}, not_found, "nosuch"},
    {{"sandbox", "inspect", "nosuch"}, not_found, "nosuch"},
    {{"sandbox", "rm", "nosuch"}, not_found, "nosuch"},
    {{"sandbox", "exec", "nosuch", "--", "true"}, not_found, "nosuch"},
    {{"join", "demo/nosuch", "box"}, not_found, "nosuch"},
    {{"join", "nosuch/free", "box"}, not_found, "nosuch"},
    {{"join", "demo/free", "nosuch"}, not_found, "nosuch"},
    {{"leave", "demo/nosuch"}, not_found, "nosuch"},
    {{"attach", "nosuch", "box"}, not_found, "nosuch"},
    {{"attach", "demo", "nosuch"}, not_found, "nosuch"},
    {{"detach", "tiny", "box"}, not_found, "box"},
    {{"network", "create", "-d", "nosuch", "n"}, not_found, "nosuch"},
  });
}

TEST_F(Refusal, TakenNamesAndAddresses) {
  expect_refused({
    {{"network", "create", "demo"}, conflict, "demo"},
    {{"sandbox", "create", "box"}, conflict, "box"},
    {{"endpoint", "create", "demo", "free"}, conflict, "free"},
    {{"attach", "demo", "other", "--name", "free"}, conflict, "free"},
    {{"attach", "demo", "other", "--ip", "10.2.0.5"}, conflict, "10.2.0.5"},
    {{"endpoint", "create", "demo", "e", "--ip", "10.2.0.5"},
     conflict,
     "10.2.0.5"},
    {{"attach", "demo", "other", "--ip", "10.2.0.1"}, conflict, "10.2.0.1"},
    {{"attach", "demo", "other", "--ip", "10.2.0.9"}, conflict, "10.2.0.9"},
  });
}

TEST_F(Refusal, BadSubnets) {
  auto with = [](std::vector<std::string> options) {
    options.insert(options.begin(), {"network", "create"});
    options.emplace_back("n");
    return options;
  };
  expect_refused({
    {with({"--subnet", "10.2.0.0/16"}), failed, "demo"},
    {with({"--subnet", "10.2.0.128/25"}), failed, "overlapping"},
    {with({"--subnet", "10.9.0.1/24"}), usage, "10.9.0.0/24"},
    {with({"--subnet", "10.9.0.0/33"}), usage, "10.9.0.0/33"},
    {with({"--subnet", "10.9.0/24"}), usage, "10.9.0/24"},
    {with({"--subnet", "rubbish"}), usage, "rubbish"},
    {with({"--subnet", "127.0.0.0/8"}), failed, "127.0.0.0/8"},
    {with({"--subnet", "224.0.0.0/24"}), failed, "224.0.0.0/24"},
    {with({"--subnet", "10.9.0.0/24", "--gateway", "10.8.0.1"}), usage,
     "10.8.0.1"},
    {with({"--subnet", "10.9.0.0/24", "--gateway", "10.9.0.255"}), usage,
     "10.9.0.255"},
    {with({"--subnet", "10.9.0.0/24", "--ip-range", "10.8.0.0/25"}), usage,
     "10.8.0.0/25"},
    {with({"--subnet", "10.9.0.0/24", "--aux-address", "x=10.8.0.3"}), usage,
     "10.8.0.3"},
    {with({"--gateway", "10.9.0.1"}), usage, "subnet"},
  });
}

TEST_F(Refusal, BadAddresses) {
  auto with = [](std::vector<std::string> options) {
    options.insert(options.begin(), {"attach", "demo", "other"});
    return options;
  };
  expect_refused({
    {with({"--ip", "10.3.0.5"}), failed, "10.3.0.5"},
    {with({"--ip", "10.2.0.0"}), failed, "10.2.0.0"},
    {with({"--ip", "10.2.0.255"}), failed, "10.2.0.255"},
    {with({"--ip", "10.2.0"}), usage, "10.2.0"},
    {with({"--ip", "10.2.0.300"}), usage, "10.2.0.300"},
    {with({"--ip", "fd00::5"}), usage, "fd00::5"},
    {with({"--ip6", "fd00::5"}), failed, "fd00::5"},
    {with({"--mac", "01:00:5e:00:00:01"}), usage, "01:00:5e:00:00:01"},
    {with({"--mac", "00:00:00:00:00:00"}), usage, "00:00:00:00:00:00"},
    {with({"--mac", "rubbish"}), usage, "rubbish"},
  });
}

TEST_F(Refusal, BadNames) {
  auto rows = std::vector<row>{};
  for (const auto& name :
       {std::string{"a/b"}, std::string{".."}, std::string{"a\nb"},
        std::string{"a\"b"}, std::string{"a b"}, std::string{"ä"},
        std::string(300, 'x')}) {
    rows.push_back({{"network", "create", "--", name}, usage, "name"});
    rows.push_back({{"sandbox", "create", "--", name}, usage, "name"});
    rows.push_back({{"endpoint", "create", "demo", "--", name}, usage, "name"});
    rows.push_back(
      {{"attach", "demo", "other", "--name", name}, usage, "name"});
  }
  expect_refused(rows);
}

TEST_F(Refusal, WhatTheStateForbids) {
  auto own = "/proc/" + std::to_string(daemon().pid()) + "/ns/net";
  auto file = daemon().dir() + "/no-namespace";
  std::ofstream{file} << "text";
  expect_refused({
    {{"network", "rm", "demo"}, failed, "free"},
    {{"endpoint", "rm", "demo", "box"}, failed, "joined"},
    {{"join", "demo/box", "other"}, failed, "joined"},
    {{"leave", "demo/free"}, failed, "joined"},
    {{"sandbox", "create", "n", "--netns", own}, failed, "host"},
    {{"sandbox", "create", "n", "--netns", file}, failed, "namespace"},
    {{"sandbox", "create", "n", "--netns", "/nosuch"}, not_found, "/nosuch"},
    {{"sandbox", "create", "n", "--netns",
      "/proc/" + std::to_string(daemon().pid()) + "/ns/mnt"},
     failed,
     "namespace"},
  });
}

TEST_F(Refusal, AnExhaustedSubnet) {
  // A /29 has six usable addresses, one of them the gateway's.
  for (auto i = 0; i < 5; ++i) {
    auto made = daemon().troupe(
      {"endpoint", "create", "tiny", "e" + std::to_string(i)});
    ASSERT_EQ(made.code, 0) << made.err;
  }
  expect_refused({
    {{"endpoint", "create", "tiny", "e5"}, failed, "10.3.0.0/29"},
    {{"attach", "tiny", "other"}, failed, "10.3.0.0/29"},
  });
}

TEST_F(Refusal, AForeignBridge) {
  ASSERT_EQ(run({"ip", "link", "add", "foreign0", "type", "bridge"}).code, 0);
  expect_refused({
    {{"network", "create", "-o", "com.docker.network.bridge.name=lo", "n"},
     conflict,
     "lo"},
    {{"network", "create", "-o",
      "com.docker.network.bridge.name=name-of-20-bytes-xx", "n"},
     failed,
     "name-of-20-bytes-xx"},
    {{"network", "create", "-o", "com.docker.network.driver.mtu=10", "n"},
     failed,
     "mtu"},
    {{"network", "create", "-o", "mut=1400", "n"}, failed, "mtu"},
  });
  EXPECT_EQ(run({"ip", "link", "del", "foreign0"}).code, 0);
}

TEST_F(Refusal, AFullBridge) {
  auto bridge = must("GET", "/v1/networks/demo").value("interface", "");
  ASSERT_NE(bridge, "");
  // The kernel gives a bridge 1 023 ports; one is taken by the endpoint.
  auto batch = daemon().dir() + "/batch";
  auto file = std::ofstream{batch};
  for (auto i = 0; i < 1'022; ++i)
    file << "link add f" << i << " type veth peer name g" << i << "\n"
         << "link set f" << i << " master " << bridge << "\n";
  file.close();
  auto filled = run({"ip", "-batch", batch});
  ASSERT_EQ(filled.code, 0) << filled.err;
  expect_refused({{{"attach", "demo", "other"}, failed, "1023 ports"}});
  auto remove = std::ofstream{batch};
  for (auto i = 0; i < 1'022; ++i)
    remove << "link set f" << i << " group 77\n";
  remove << "link del group 77\n";
  remove.close();
  EXPECT_EQ(run({"ip", "-batch", batch}).code, 0);
}

} // namespace troupe::test
