#include "troupe/config/model/json.hpp"
#include "troupe/tools/adapter/deferred.hpp"
#include "troupe/tools/cni/plugin.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <vector>

#include <unistd.h>

namespace troupe::cni {

namespace {

// Answers as it is told.
class told_backend : public backend {
public:
  using handler = std::function<result<reply>(const request&)>;

  explicit told_backend(handler answer) : answer_{std::move(answer)} {
  }

  void submit(request what, std::chrono::milliseconds,
              reply_handler handler) override {
    handler(answer_(what));
  }
  result<reply> call(request what, std::chrono::milliseconds) override {
    return answer_(what);
  }
  result<uint64_t> subscribe(event_handler) override {
    return fail(ec::unsupported, "no events");
  }
  void unsubscribe(uint64_t) override {
  }

private:
  handler answer_;
};

struct CniPlugin : ::testing::Test {
  void SetUp() override {
    char path[] = "/tmp/troupe-cni-XXXXXX";
    ASSERT_NE(::mkdtemp(path), nullptr);
    dir = path;
    config = {{"cniVersion", "1.1.0"},
              {"name", "net"},
              {"socket", dir + "/troupe.sock"}};
  }
  void TearDown() override {
    std::filesystem::remove_all(dir);
  }

  // Runs one call; `answer` is the daemon.
  int run(const std::string& command) {
    auto env = environment{command, "c1", netns, "eth0", {}, {}};
    auto out = std::ostringstream{};
    auto log = std::ostringstream{};
    auto code = run_plugin(
      {env,
       [this] {
         return dump(config);
       },
       out, log,
       [this](const std::string&) -> result<std::shared_ptr<backend>> {
         return std::make_shared<told_backend>(answer);
       }});
    printed = out.str();
    return code;
  }

  json answered() const {
    return json::parse(printed);
  }

  size_t deferred() const {
    auto why = std::error_code{};
    return static_cast<size_t>(std::distance(
      std::filesystem::directory_iterator{dir + "/adapters/deferred", why},
      std::filesystem::directory_iterator{}));
  }

  std::string dir;
  std::string netns = "/proc/self/ns/net";
  json config;
  std::string printed;
  told_backend::handler answer = [](const request&) -> result<reply> {
    return fail(ec::unavailable, "connect: nobody listens");
  };
};

} // namespace

TEST_F(CniPlugin, VersionAsksNobody) {
  EXPECT_EQ(run("VERSION"), 0);
  EXPECT_EQ(answered()["cniVersion"], "1.1.0");
}

TEST_F(CniPlugin, AnUnknownCommandIsRefused) {
  EXPECT_EQ(run("UPDATE"), 1);
  EXPECT_EQ(answered()["code"], 4);
}

TEST_F(CniPlugin, StatusTellsThatTheDaemonIsAway) {
  EXPECT_EQ(run("STATUS"), 1);
  EXPECT_EQ(answered()["code"], 50);
  answer = [](const request&) -> result<reply> {
    return daemon_status{};
  };
  EXPECT_EQ(run("STATUS"), 0);
  EXPECT_EQ(printed, "");
}

TEST_F(CniPlugin, StatusTellsThatTheNetworkIsNotThere) {
  config["network"] = "front";
  answer = [](const request& what) -> result<reply> {
    if (std::holds_alternative<get_status>(what))
      return daemon_status{};
    return fail(ec::not_found, "no such network");
  };
  EXPECT_EQ(run("STATUS"), 1);
  EXPECT_EQ(answered()["code"], 50);
}

TEST_F(CniPlugin, ADelIsNotLostWhileTheDaemonIsAway) {
  EXPECT_EQ(run("DEL"), 0);
  EXPECT_EQ(printed, "");
  EXPECT_EQ(deferred(), 1U);
  EXPECT_EQ(run("DEL"), 0);
  EXPECT_EQ(deferred(), 1U);
  // It is back: any call makes up for it.
  auto asked = std::vector<std::string>{};
  answer = [&](const request& what) -> result<reply> {
    if (const auto* x = std::get_if<inspect_sandbox>(&what))
      asked.push_back(x->sandbox);
    return fail(ec::not_found, "nothing");
  };
  auto around = surroundings{
    {},
    {},
    std::cout,
    std::cerr,
    [this](const std::string&) -> result<std::shared_ptr<backend>> {
      return std::make_shared<told_backend>(answer);
    }};
  EXPECT_EQ(replay_deferred(dir + "/troupe.sock", around), 0);
  EXPECT_EQ(asked, std::vector<std::string>{"cni-c1"});
  EXPECT_EQ(deferred(), 0U);
}

TEST_F(CniPlugin, WhatOthersWroteThereIsLeftAlone) {
  EXPECT_EQ(run("DEL"), 0);
  for (const auto* text : {"", "{", "[]", R"({"runtime": 3})"})
    std::ofstream{dir + "/adapters/deferred/" + adapter::digest(text)} << text;
  answer = [&](const request&) -> result<reply> {
    return fail(ec::not_found, "nothing");
  };
  EXPECT_EQ(run("DEL"), 0);
  EXPECT_EQ(deferred(), 4U);
}

TEST_F(CniPlugin, ADelThatTheDaemonRefusesIsAnErrorAndKept) {
  answer = [](const request& what) -> result<reply> {
    if (std::holds_alternative<inspect_sandbox>(what)) {
      auto found = sandbox_status{};
      found.spec.name = "cni-c1";
      found.spec.labels = {{std::string{adapter::runtime_label}, "cni"},
                           {std::string{adapter::container_label}, "c1"}};
      return found;
    }
    return fail(ec::internal, "the store failed");
  };
  EXPECT_EQ(run("DEL"), 1);
  EXPECT_EQ(answered()["code"], 103);
  EXPECT_EQ(deferred(), 1U);
}

TEST_F(CniPlugin, SandboxesOfOthersAreNotTouched) {
  answer = [](const request& what) -> result<reply> {
    if (!std::holds_alternative<inspect_sandbox>(what))
      ADD_FAILURE() << "asked for more";
    auto found = sandbox_status{};
    found.spec.name = "cni-c1";
    return found;
  };
  EXPECT_EQ(run("DEL"), 0);
}

TEST_F(CniPlugin, TheHostsOwnNamespaceIsRefused) {
  EXPECT_EQ(run("ADD"), 1);
  EXPECT_EQ(answered()["code"], 8);
  netns = "/nosuch";
  EXPECT_EQ(run("ADD"), 1);
  EXPECT_EQ(answered()["code"], 8);
  netns = "/dev/null";
  EXPECT_EQ(run("ADD"), 1);
  EXPECT_EQ(answered()["code"], 8);
  netns = "/proc/self/ns/mnt";
  EXPECT_EQ(run("ADD"), 1);
  EXPECT_EQ(answered()["code"], 8);
}

TEST_F(CniPlugin, AGcRemovesWhatIsNotNamed) {
  config["cni.dev/valid-attachments"]
    = {{{"containerID", "c1"}, {"ifname", "eth0"}}};
  auto make = [](const std::string& network, const std::string& container) {
    auto x = endpoint_status{};
    x.spec.labels = {{std::string{adapter::runtime_label}, "cni"},
                     {std::string{adapter::network_label}, network},
                     {std::string{adapter::container_label}, container},
                     {std::string{adapter::interface_label}, "eth0"}};
    return x;
  };
  auto looked_for = std::vector<std::string>{};
  answer = [&](const request& what) -> result<reply> {
    if (std::holds_alternative<list_endpoints>(what))
      return endpoint_list{
        {make("net", "c1"), make("net", "c2"), make("other", "c3"), {}}};
    if (std::holds_alternative<list_sandboxes>(what))
      return sandbox_list{};
    if (const auto* x = std::get_if<inspect_sandbox>(&what))
      looked_for.push_back(x->sandbox);
    return fail(ec::not_found, "nothing");
  };
  EXPECT_EQ(run("GC"), 0) << printed;
  EXPECT_EQ(looked_for, std::vector<std::string>{"cni-c2"});
}

TEST_F(CniPlugin, AnErrorHasTheVersionThatWasAsked) {
  config["cniVersion"] = "0.4.0";
  netns = "/nosuch";
  EXPECT_EQ(run("ADD"), 1);
  EXPECT_EQ(answered()["cniVersion"], "0.4.0");
}

} // namespace troupe::cni
