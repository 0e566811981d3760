#include "troupe/tests/unit/tools/cli_fixture.hpp"
#include "troupe/tools/troupe/fault_file.hpp"
#include "troupe/tools/trouped/fault_door.hpp"
#include "troupe/tools/trouped/flags.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace troupe::tools {

namespace {

constexpr uid_t nobody = 65'534;

/// The command line and raw requests against a server that may have faults.
class Faults : public test::cli_fixture {
protected:
  void SetUp() override {
    auto options = server_options{};
    options.faults = faults_;
    options.audit = [this](const audit_record& x) {
      audited_.push_back(x.method + " " + x.path);
    };
    start(std::move(options));
  }

  void inject(std::string fault) {
    auto x = fault_spec{};
    x.fault = std::move(fault);
    EXPECT_TRUE(faults_->add({{x}, {}}));
  }

  int crashes_ = 0;
  std::vector<std::string> audited_;
  std::shared_ptr<live_faults> faults_ = std::make_shared<live_faults>([this] {
    ++crashes_;
  });
};

} // namespace

TEST_F(Faults, AreAddedListedAndClearedOverTheApi) {
  auto c = client();
  auto reply = c.ask("POST", "/v1/faults",
                     R"({"faults": [{"fault": "kernel-fail"}], "seed": 1})");
  EXPECT_EQ(reply.status, 201) << reply.body;
  EXPECT_EQ(faults_->count().armed, 1U);
  EXPECT_EQ(c.ask("GET", "/v1/faults").body, reply.body);
  EXPECT_EQ(c.ask("DELETE", "/v1/faults/2").status, 404);
  EXPECT_EQ(c.ask("DELETE", "/v1/faults/1").status, 200);
  EXPECT_EQ(c.ask("DELETE", "/v1/faults").status, 200);
  EXPECT_EQ(c.ask("GET", "/v1/faults/log").body, R"({"hits":[]})");
  EXPECT_NE(c.ask("GET", "/v1/faults/points").body.find("add_veth"),
            std::string::npos);
  EXPECT_EQ(audited_.size(), 4U) << "what changes something";
}

TEST_F(Faults, AreRefusedStrictly) {
  auto c = client();
  for (const auto* body :
       {"", "{", "[]", R"({"fautls": []})", R"({"faults": []})",
        R"({"faults": {}})", R"({"faults": [{"fualt": "kernel-fail"}]})",
        R"({"faults": [{"fault": "kernel-fail", "nth": "1"}]})",
        R"({"faults": [{"fault": "kernel-fail"}], "seed": -1})",
        R"({"faults": [{"fault": "kernel-fail"}, {"fault": "x"}]})"})
    EXPECT_EQ(c.ask("POST", "/v1/faults", body).status, 400) << body;
  EXPECT_EQ(c.ask("GET", "/v1/faults?x=1").status, 400);
  EXPECT_EQ(c.ask("PUT", "/v1/faults", "{}").status, 405);
  EXPECT_EQ(c.ask("GET", "/v1/faults/1").status, 405);
  EXPECT_EQ(faults_->count().armed, 0U);
}

TEST_F(Faults, ShowInTheStatusAndTheMetrics) {
  inject("kernel-fail");
  auto c = client();
  EXPECT_NE(c.ask("GET", "/v1/status")
              .body.find("fault injection is enabled: 1 armed, 0 injected"),
            std::string::npos);
  EXPECT_NE(c.ask("GET", "/metrics").body.find("troupe_faults_armed 1"),
            std::string::npos);
}

TEST_F(Faults, LoseRepliesOfRequestsThatAreDone) {
  inject("request-lose-reply");
  auto c = client();
  EXPECT_EQ(c.ask("GET", "/v1/networks").status, 200) << "changes nothing";
  EXPECT_EQ(c.ask("POST", "/v1/networks", R"({"spec": {"name": "n"}})").status,
            0);
  EXPECT_TRUE(c.is_closed());
  EXPECT_EQ(client().ask("GET", "/v1/networks/n").status, 200);
  EXPECT_EQ(audited_, std::vector<std::string>{"POST /v1/networks"});
}

TEST_F(Faults, CrashBeforeAndAfterARequest) {
  inject("request-crash-before");
  inject("request-crash-after");
  auto c = client();
  (void)c.ask("POST", "/v1/networks", R"({"spec": {"name": "n"}})");
  EXPECT_EQ(crashes_, 2);
}

TEST_F(Faults, AreForRootOnly) {
  for (const auto& route : api::routes()) {
    if (route.kind != api::route_kind::faults)
      continue;
    const auto ask = [&](uid_t who) {
      return ask_about_faults(faults_.get(),
                              {route, {who, 0, 1}, {}, "x=1", "{}"});
    };
    EXPECT_EQ(ask(nobody).error().code, ec::forbidden) << route.operation;
    EXPECT_NE(ask(nobody).error().message.find("only root"), std::string::npos);
    EXPECT_EQ(ask(0).error().code, ec::invalid_argument) << route.operation;
  }
}

TEST_F(Faults, CommandsShowAndDoWhatTheApiDoes) {
  auto added = run({"fault", "add", "kernel-fail", "--on", "add_veth",
                    "--error", "ENOBUFS", "--nth", "3", "--for-ever"});
  EXPECT_EQ(added.code, 0) << added.err;
  EXPECT_EQ(added.out, "1\n");
  EXPECT_EQ(run({"fault", "add", "store-delay", "--delay-ms", "1",
                 "--per-mille", "5", "--seed", "9"})
              .out,
            "2\n");
  auto listed = run({"fault", "ls"}).out;
  EXPECT_NE(listed.find("number 3 and all after"), std::string::npos) << listed;
  EXPECT_NE(listed.find("5 of 1000, seed 9"), std::string::npos) << listed;
  EXPECT_EQ(run({"fault", "ls", "--format", "name"}).out, "1\n2\n");
  EXPECT_EQ(run({"fault", "ls", "--format", "json"}).out.front(), '[');
  EXPECT_EQ(run({"fault", "clear", "1", "7"}).code, 3);
  EXPECT_EQ(run({"fault", "clear"}).code, 0);
  EXPECT_EQ(run({"fault", "ls", "--format", "name"}).out, "");
  EXPECT_NE(run({"fault", "points"}).out.find("flush_conntrack"),
            std::string::npos);
  EXPECT_EQ(run({"fault", "log", "--format", "json"}).out, "[]\n");
}

TEST_F(Faults, CommandsRefuseBadInput) {
  struct row {
    std::vector<std::string> words;
    int code;
    std::string says;
  };
  for (const auto& x : std::vector<row>{
         {{"fault"}, 2, ""},
         {{"fault", "add"}, 2, "neither a fault nor --file"},
         {{"fault", "add", "x", "--file", "y"}, 2, "excludes"},
         {{"fault", "add", "--file", "/nosuch"}, 2, "/nosuch"},
         {{"fault", "add", "kernel-fial"}, 1, "kernel-fail"},
         {{"fault", "add", "kernel-fail", "--on", "add_vteh"}, 1, "add_veth"},
         {{"fault", "add", "kernel-fail", "--error", "EBADF"}, 1, "EBADF"},
         {{"fault", "add", "kernel-fail", "--nth", "x"}, 2, "nth"},
         {{"fault", "add", "kernel-fail", "--nth", "1", "--per-mille", "1"},
          1,
          "not together"},
         {{"fault", "clear", "x"}, 3, "x"},
         {{"--host", "caf+tls://h", "fault", "ls"}, 1, "own host"},
         {{"--host", "tcp://h", "fault", "ls"}, 1, "unix://"}}) {
    auto ran = run(x.words);
    EXPECT_EQ(ran.code, x.code) << x.words.back() << ran.err;
    EXPECT_NE(ran.err.find(x.says), std::string::npos) << ran.err;
  }
  EXPECT_EQ(faults_->count().armed, 0U);
}

TEST_F(Faults, PlansComeFromFiles) {
  auto path = directory_ / "plan.json";
  std::ofstream{path} << "// Two of a kind.\n"
                         R"([{"fault": "kernel-fail", "on": "links"},)"
                         R"( {"fault": "store-full", "nth": 2}])";
  auto ran = run({"fault", "add", "--file", path, "--seed", "3"});
  EXPECT_EQ(ran.out, "1\n2\n") << ran.err;
  EXPECT_EQ(faults_->list().faults.at(1).seed, 3U);
}

TEST(FaultFile, TakesEveryFormOfAPlan) {
  for (const auto* text :
       {R"({"fault": "kernel-fail"})", R"([{"fault": "kernel-fail"}])",
        R"({"faults": [{"fault": "kernel-fail"}], "seed": 5})",
        R"({"name": "s", "clients": 2, "mix": {"join": 1},
            "faults": [{"fault": "kernel-fail"}]})"}) {
    auto plan = parse_fault_file("p", text);
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_EQ(plan->faults.at(0).fault, "kernel-fail");
  }
  auto bad = parse_fault_file("p", "[{\"fault\": \"x\",\n \"nht\": 1}]");
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().message.find("p:2:"), std::string::npos)
    << bad.error().message;
  EXPECT_FALSE(parse_fault_file("p", "7"));
  EXPECT_FALSE(parse_fault_file("p", R"({"fualts": []})"));
}

TEST(FaultInjection, IsOffUnlessTheCommandLineAsks) {
  auto out = std::ostringstream{};
  auto inject = [&](std::vector<const char*> words, overrides variables = {}) {
    words.insert(words.begin(), "trouped");
    return parse_daemon_flags(static_cast<int>(words.size()), words.data(),
                              variables, out, out);
  };
  EXPECT_FALSE(inject({}).inject_faults);
  EXPECT_TRUE(inject({"--enable-fault-injection"}).inject_faults);
  auto by_variable = inject({}, {{"TROUPE_ENABLE_FAULT_INJECTION", "true"}});
  EXPECT_FALSE(by_variable.inject_faults);
}

class WithoutFaults : public test::cli_fixture {};

TEST_F(WithoutFaults, EverythingAboutThemIsRefusedNamingTheFlag) {
  for (const auto& words :
       std::vector<std::vector<std::string>>{{"fault", "ls"},
                                             {"fault", "points"},
                                             {"fault", "log"},
                                             {"fault", "clear"},
                                             {"fault", "add", "kernel-fail"}}) {
    auto ran = run(words);
    EXPECT_EQ(ran.code, 1);
    EXPECT_NE(ran.err.find("--enable-fault-injection"), std::string::npos)
      << ran.err;
  }
  EXPECT_EQ(client().ask("GET", "/v1/status").body.find("injection"),
            std::string::npos);
}

} // namespace troupe::tools
