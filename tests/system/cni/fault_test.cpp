// Each request of each call to the daemon fails once, in each way. The runtime
// does what runtimes do, DEL and ADD again: nothing may be left, and it works.

#include "troupe/tests/system/cni/fixture.hpp"
#include "troupe/tools/cni/plugin.hpp"

#include <sstream>

namespace troupe::test {

using nlohmann::json;

namespace {

enum class way { refused, cut_off, timed_out, late };

constexpr const char* names[] = {"refused", "cut off", "timed out", "late"};

// One request in a row fails.
class failing_backend : public backend {
public:
  failing_backend(std::shared_ptr<backend> behind, way how, int* left)
    : behind_{std::move(behind)}, how_{how}, left_{left} {
  }

  void submit(request what, std::chrono::milliseconds deadline,
              reply_handler handler) override {
    behind_->submit(std::move(what), deadline, std::move(handler));
  }
  result<uint64_t> subscribe(event_handler handler) override {
    return behind_->subscribe(std::move(handler));
  }
  void unsubscribe(uint64_t number) override {
    behind_->unsubscribe(number);
  }

  result<reply>
  call(request what, std::chrono::milliseconds deadline) override {
    if ((*left_)-- != 0)
      return behind_->call(std::move(what), deadline);
    switch (how_) {
    case way::refused:
      return fail(ec::unavailable, "connect: refused");
    case way::cut_off:
      static_cast<void>(behind_->call(std::move(what), deadline));
      return fail(ec::unavailable, "the daemon hung up");
    case way::timed_out:
      return fail(ec::timeout, "no answer in time");
    case way::late:
      static_cast<void>(behind_->call(std::move(what), deadline));
      return fail(ec::timeout, "no answer in time");
    }
    return fail(ec::internal, "no such way");
  }

private:
  std::shared_ptr<backend> behind_;
  way how_;
  int* left_;
};

struct CniFaults : cni_test {
  // One call in this process. @returns whether the fault struck.
  bool call(const std::string& command, const json& config, way how, int nth,
            int& code) {
    auto left = nth;
    auto out = std::ostringstream{};
    auto log = std::ostringstream{};
    auto env = cni::environment{command, "c1", "/run/netns/c1", "eth0", {}, {}};
    code = cni::run_plugin(
      {env,
       [&config] {
         return config.dump();
       },
       out, log,
       [&](const std::string& uri) -> result<std::shared_ptr<backend>> {
         auto behind = connect_backend(uri);
         if (!behind)
           return behind;
         return std::make_shared<failing_backend>(*behind, how, &left);
       }});
    printed = out.str() + log.str();
    if (code != 0) {
      EXPECT_NE(json::parse(out.str()).value("code", 0), 0);
    }
    return left < 0;
  }

  std::string printed;
};

constexpr auto never = 1'000;

} // namespace

TEST_F(CniFaults, EachRequestOfAnAdd) {
  make_namespace("c1");
  auto code = 0;
  auto struck = 0;
  for (auto how : {way::refused, way::cut_off, way::timed_out, way::late}) {
    // Once with the network still to be made, once with it there.
    for (auto fresh : {true, false})
      for (auto nth = 0;; ++nth) {
        auto where = std::string{names[static_cast<int>(how)]} + " at "
                     + std::to_string(nth);
        auto config
          = configuration(fresh ? "net" + std::to_string(++struck) : "front");
        auto hit = call("ADD", config, how, nth, code);
        // What did not succeed the runtime deletes, and tries again.
        if (code != 0) {
          EXPECT_FALSE(call("DEL", config, how, never, code));
          EXPECT_EQ(code, 0) << where;
          EXPECT_EQ(known_objects(), 0U) << where;
          EXPECT_TRUE(interfaces_inside("/run/netns/c1").empty()) << where;
          call("ADD", config, how, never, code);
          EXPECT_EQ(code, 0) << where;
        }
        EXPECT_EQ(known_objects(), 2U) << where;
        EXPECT_EQ(interfaces_inside("/run/netns/c1").size(), 1U) << where;
        call("DEL", config, how, never, code);
        EXPECT_EQ(known_objects(), 0U) << where;
        EXPECT_EQ(deferred(), 0U) << where;
        if (fresh)
          daemon().troupe({"network", "rm", config["name"]});
        if (!hit)
          break;
        ASSERT_LT(nth, 30);
      }
  }
  EXPECT_GE(struck, 4 * 3);
  EXPECT_EQ(doctor(), "");
}

TEST_F(CniFaults, EachRequestOfADel) {
  make_namespace("c1");
  auto config = configuration("front");
  auto code = 0;
  auto struck = 0;
  for (auto how : {way::refused, way::cut_off, way::timed_out, way::late})
    for (auto nth = 0;; ++nth) {
      auto where = std::string{names[static_cast<int>(how)]} + " at "
                   + std::to_string(nth);
      call("ADD", config, how, never, code);
      ASSERT_EQ(code, 0) << where << printed;
      auto hit = call("DEL", config, how, nth, code);
      // It succeeds, now or later.
      EXPECT_EQ(code, 0) << where << printed;
      if (hit)
        ++struck;
      auto replayed = run({TROUPE_CNI, "--replay", daemon().socket()});
      EXPECT_EQ(replayed.code, 0) << replayed.err;
      EXPECT_EQ(known_objects(), 0U) << where;
      EXPECT_EQ(deferred(), 0U) << where;
      if (!hit)
        break;
      ASSERT_LT(nth, 30);
    }
  EXPECT_GE(struck, 4 * 3);
}

} // namespace troupe::test
