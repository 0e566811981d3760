#include "troupe/tests/lab/sim_run.hpp"

#include "troupe/config/model/json.hpp"
#include "troupe/tests/lab/invariants.hpp"
#include "troupe/tests/lab/request_log.hpp"
#include "troupe/tests/lab/sim_faults.hpp"

#include <algorithm>
#include <map>

namespace troupe::testing {

namespace {

using namespace std::chrono_literals;

/// Longer than any deadline: who has no answer by then gets none.
constexpr auto longest_wait = 1'500s;

/// The deadline of a step: who needs it has lost something on the way.
constexpr auto late = 30s;

/// A request of a client that waits for its reply.
struct pending {
  unsigned client = 0;
  request what;
  request_log::tickets tickets;
  std::chrono::milliseconds sent;
};

/// One run.
class sim_run : public fault_target {
public:
  explicit sim_run(const sim_plan& plan)
    : plan_{plan}, log_{plan.objects}, faults_{*this} {
  }

  sim_outcome go() {
    empty_ = netns::fingerprint(*system_.world);
    foreign_ = foreign_things(system_);
    if (auto started = system_.start(); !started)
      say("start: " + started.error().message);
    for (const auto& step : plan_.steps) {
      if (!outcome_.wrong.empty())
        break;
      take(step);
    }
    if (outcome_.wrong.empty())
      be_quiet();
    return std::move(outcome_);
  }

  // -- for faults -------------------------------------------------------------

  simulated_system& system() override {
    return system_;
  }

  void struck(fault_kind what) override {
    note("struck: " + troupe::to_string(what));
    const auto column = static_cast<size_t>(what);
    ++outcome_.seen.faults[column];
    for (const auto& [number, x] : in_work_)
      ++outcome_.seen.met[static_cast<size_t>(kind_of(x.what))][column];
    const auto hides_errors = what == fault_kind::actor_kill
                              || what == fault_kind::message_drop
                              || what == fault_kind::message_lose_reply;
    crippled_ = crippled_ || hides_errors;
    // A kernel call may fail with ETIMEDOUT.
    delayed_ = delayed_ || hides_errors || what == fault_kind::kernel_delay
               || what == fault_kind::message_delay;
    slowed_ = slowed_ || hides_errors || what == fault_kind::kernel_delay
              || what == fault_kind::kernel_fail
              || what == fault_kind::kernel_lose_reply
              || what == fault_kind::message_delay
              || what == fault_kind::store_lose_reply;
  }

  void misled() override {
    misled_ = true;
  }

  void note(std::string line) override {
    outcome_.events.push_back(std::move(line));
  }

  void hang_up(uint64_t salt) override {
    if (in_work_.empty())
      return;
    auto victim = in_work_.begin();
    std::advance(victim, static_cast<ptrdiff_t>(salt % in_work_.size()));
    struck(fault_kind::client_dead);
    log_.end(victim->second.tickets, victim->second.what,
             fail(ec::timeout, "hung up"), true);
    in_work_.erase(victim);
  }

  void repeat(uint64_t salt) override {
    if (in_work_.empty())
      return;
    auto chosen = in_work_.begin();
    std::advance(chosen, static_cast<ptrdiff_t>(salt % in_work_.size()));
    struck(fault_kind::client_repeat);
    send(chosen->second.client, request{chosen->second.what});
  }

private:
  void say(const std::string& line) {
    outcome_.wrong += "  " + line + "\n";
    note("WRONG: " + line);
  }

  // -- clients ----------------------------------------------------------------

  bool is_busy(unsigned client) const {
    return std::ranges::any_of(in_work_, [&](const auto& x) {
      return x.second.client == client;
    });
  }

  void send(unsigned client, request what) {
    const auto number = next_number_++;
    note("send " + std::to_string(number) + " of client "
         + std::to_string(client) + ": " + to_string(what));
    ++outcome_.seen.requests;
    in_work_.emplace(number,
                     pending{client, what, log_.begin(what), system_.now()});
    system_.submit(std::move(what), [=, this, born = life_](result<reply> x) {
      if (born == life_ && !system_.crashed())
        receive(number, x);
    });
  }

  void receive(uint64_t number, const result<reply>& x) {
    note("reply " + std::to_string(number) + ": "
         + (x ? "done" : x.error().message));
    auto sent = in_work_.extract(number);
    if (sent.empty())
      return; // The client has hung up.
    const auto& what = sent.mapped().what;
    const auto row = static_cast<size_t>(kind_of(what));
    ++(x                               ? outcome_.seen.done
       : x.error().code == ec::timeout ? outcome_.seen.unknown
                                       : outcome_.seen.refused)[row];
    log_.end(sent.mapped().tickets, what, x, !crippled_);
    if (!x && x.error().code == ec::timeout && !slowed_)
      say("no answer in time, and nothing was slow: " + to_string(what));
    if (system_.now() - sent.mapped().sent >= late && !delayed_)
      say("the answer came late, and nothing was slow: " + to_string(what));
  }

  // -- steps ------------------------------------------------------------------

  void take(const sim_step& step) {
    auto rng = std::mt19937_64{step.salt};
    if (step.operation)
      wait_for(step.client, rng);
    note("step " + std::to_string(step.number) + ": " + to_string(step));
    if (step.operation)
      send(step.client, *step.operation);
    else
      plan_fault(step);
    system_.run_shuffled(rng, step.messages);
    pause(std::chrono::milliseconds{step.pause_ms});
    if (system_.crashed())
      restart();
    check_always();
    if (calm_ && in_work_.empty())
      check_calm();
  }

  /// In parts: what was held up for a moment must not wait for all of it.
  void pause(std::chrono::milliseconds left) {
    constexpr auto part = std::chrono::milliseconds{1'000};
    for (; left.count() > 0 && !system_.crashed(); left -= part)
      system_.advance(std::min(left, part));
  }

  void plan_fault(const sim_step& step) {
    calm_ = false;
    faults_.strike(step.fault, step.salt);
  }

  void wait_for(unsigned client, std::mt19937_64& rng) {
    for (auto waited = 0s; is_busy(client) && waited < longest_wait; ++waited) {
      while (is_busy(client) && !system_.crashed() && system_.run_one(rng)) {
      }
      if (system_.crashed())
        return restart();
      if (is_busy(client))
        system_.advance(1s);
    }
    if (is_busy(client))
      say("client " + std::to_string(client) + " got no reply");
  }

  void restart() {
    ++life_;
    ++outcome_.seen.starts;
    crippled_ = false;
    delayed_ = false;
    in_work_.clear();
    for (auto tries = 0; tries < 5; ++tries) {
      if (system_.boot())
        log_.lose_run_directory();
      log_.settle(system_.disk->content);
      auto started = system_.start();
      note("start: " + (started ? "ready" : started.error().message));
      if (started && !system_.crashed())
        return;
      system_.heal();
    }
    say("the daemon does not start any more");
  }

  // -- checks -----------------------------------------------------------------

  void check_always() {
    ++outcome_.seen.checks;
    for (const auto& line : check_records(system_.disk->content))
      say(line);
    for (const auto& line : check_routes(system_))
      say(line);
    if (foreign_things(system_) != foreign_)
      say("something that is not ours was changed");
  }

  /// Nothing has gone wrong so far, so nothing may be.
  void check_calm() {
    system_.run();
    ++outcome_.seen.checks;
    outcome_.wrong += check_all(system_);
  }

  void be_quiet() {
    system_.heal();
    if (system_.crashed())
      restart();
    note("quiet");
    system_.run();
    for (auto waited = 0s; waited < longest_wait && !in_work_.empty(); ++waited)
      system_.advance(1s);
    for (const auto& [number, x] : in_work_)
      say("no reply: " + to_string(x.what));
    system_.advance(2s);
    log_.settle(system_.disk->content);
    converge();
    check_end("");
    restart();
    check_end(" after a restart");
    const auto records = system_.records();
    restart();
    if (system_.records() != records)
      say("a second restart has changed the records");
    outcome_.wrong += log_.check();
    outcome_.wrong += remove_everything(system_);
    if (auto now = netns::fingerprint(*system_.world); now != empty_)
      say("after removing everything the machine has\n" + now);
  }

  /// A repair, a restart, or nothing but the regular comparison. That does not
  /// look for what the kernel has said to be gone.
  void converge() {
    if (crippled_)
      return restart();
    const auto way = plan_.salt % 3;
    switch (misled_ && way == 2 ? 0 : way) {
    case 0:
      note("quiet: repair");
      if (auto repaired = system_.call(run_doctor{true}); !repaired)
        say("repair: " + repaired.error().message);
      else
        for (const auto& x : std::get<doctor_report>(*repaired).findings)
          note("found: " + dump(to_json(x)));
      return;
    case 1:
      note("quiet: restart");
      return restart();
    default:
      note("quiet: wait");
      for (auto waited = 0s; waited < 90s; ++waited)
        system_.advance(1s);
    }
  }

  void check_end(const std::string& when) {
    ++outcome_.seen.checks;
    if (auto wrong = check_all(system_); !wrong.empty())
      say("it does not converge" + when + "\n" + wrong);
    log_.settle(system_.disk->content);
  }

  const sim_plan& plan_;
  simulated_system system_;
  request_log log_;
  fault_maker faults_;
  sim_outcome outcome_;
  std::map<uint64_t, pending> in_work_;
  uint64_t next_number_ = 0;
  size_t life_ = 0;       ///< Replies of a daemon that was killed reach nobody.
  bool calm_ = true;      ///< No fault was planned yet.
  bool crippled_ = false; ///< Actors were killed, or messages lost.
  bool slowed_ = false;   ///< Something may have said that it took too long.
  bool misled_ = false;   ///< The kernel has said what is not so.
  bool delayed_ = false;  ///< Something takes long, since the last start.
  std::string empty_;
  std::string foreign_;
};

} // namespace

sim_outcome run_plan(const sim_plan& plan) {
  auto outcome = sim_outcome{};
  with_seed(plan.seed, [&] {
    outcome = sim_run{plan}.go();
  });
  return outcome;
}

} // namespace troupe::testing
