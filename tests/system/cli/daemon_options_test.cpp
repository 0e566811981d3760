// Each option of the daemon: what it is for happens with it, and does not
// without. An option that has no line here fails.

#include "troupe/tests/fixtures/help_page.hpp"
#include "troupe/tests/system/harness/command.hpp"
#include "troupe/tests/system/harness/daemon.hpp"
#include "troupe/tests/system/harness/isolation.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <set>

namespace troupe::test {

namespace {

struct option_case {
  /// As the help lists it first, and how it is given.
  std::string name;
  std::string option;

  /// For bash, after `prelude`; `$O` is the option or nothing.
  std::string script;

  /// Is in what the script writes if the option is given, and only then; after
  /// `!`: only if it is not.
  std::string seen;
};

/// `start` and `stop` a daemon whose directories are below `$D`.
constexpr auto prelude = R"(
cd "$D" || exit
export TROUPE_STATE_DIR=$D/state TROUPE_RUN_DIR=$D/run
export TROUPE_HOST=unix://$D/run/troupe.sock
troupe() { timeout 60 "$TROUPE" "$@" 2>&1; }
soon() { # COMMAND: until it succeeds, for ten seconds
  local i
  for i in {1..100}; do "$@" && return; sleep 0.1; done
  echo "timed out: $*"
}
answers() {
  local x
  for x in *.sock */*.sock; do
    TROUPE_HOST=unix://$D/$x "$TROUPE" status >/dev/null 2>&1 && return
  done
  return 1
}
is_settled() { ! kill -0 "$pid" || answers; } 2>/dev/null
start() { "$TROUPED" "$@" >>log 2>&1 & pid=$!; soon is_settled; }
stop() { kill "$pid" && wait "$pid"; pid=; } 2>/dev/null
delay() { # MILLISECONDS: what it takes to make a bridge, or an endpoint
  local x
  for x in add_bridge add_veth; do
    troupe fault add kernel-delay --on $x --for-ever --delay-ms "$1" >/dev/null
  done
}
has_namespaces() { # COUNT: its own ones, and those that wait for a sandbox
  [[ $(find "/proc/$pid/fd" -lname 'net:*' | wc -l) -ge $1 ]]
}
ten_attaches() { # to one network, at once
  troupe network create n; troupe sandbox create s
  delay 300
  local i
  for i in {1..10}; do troupe attach n s --name "e$i" & jobs+=($!); done
  wait "${jobs[@]}"
}
jobs=() pid=
trap '[[ -z $pid ]] || stop' EXIT
)";

std::vector<option_case> all_cases() {
  const auto check = std::string{"\"$TROUPED\" $O --check 2>&1"};
  const auto injecting = std::string{"start --enable-fault-injection $O; "};
  const auto network = std::string{"start $O; troupe network create n; "};
  return {
    {"--version", "--version", check, "trouped 0"},
    {"--config", "--config /nowhere/file", check, "/nowhere/file"},
    {"--print-openapi", "--print-openapi", check, "\"openapi\""},
    {"--check", "--check",
     "TROUPE_STATE_DIR=/proc/no timeout 60 \"$TROUPED\" $O; echo code $?",
     "code 0"},
    {"--state-dir", "--state-dir $D/other", "start $O; ls other", "durable"},
    {"--run-dir", "--run-dir $D/other", "start $O; ls other", "troupe.sock"},
    {"--socket", "--socket $D/other.sock", "start $O; ls", "other.sock"},
    {"--socket-group", "--socket-group daemon",
     "start $O; stat -c %G run/troupe.sock", "daemon"},
    {"--log-level", "--log-level warn", "start $O; cat log", "!ready on"},
    {"--default-address-pools",
     "--default-address-pools base=10.77.0.0/16,size=24",
     network + "troupe network inspect n", "10.77.0.0/24"},
    {"--driver-timeout-ms", "--driver-timeout-ms 500",
     injecting + "delay 3000; troupe network create n", "deadline passed"},
    // No request lasts so long: it must leave time for the steps of an
    // operation, which have a limit of their own.
    {"--request-timeout-ms", "--request-timeout-ms 750", check,
     "request-timeout-ms is 750"},
    {"--max-requests", "--max-requests 1", injecting + "ten_attaches",
     "busy with 1 requests"},
    {"--max-queue", "--max-queue 1", injecting + "ten_attaches",
     "too many operations wait, 1"},
    {"--ip-forward", "--ip-forward=false",
     "sysctl -q net.ipv4.ip_forward=0; " + network, "does not forward"},
    {"--ip-forward-no-drop", "--ip-forward-no-drop",
     "sysctl -q net.ipv4.ip_forward=0; " + network + "troupe status",
     "!for Troupe's networks alone"},
    {"--accept-mark", "--accept-mark 0x77", network + "nft list ruleset",
     "0x00000077"},
    {"--proxy-program", "--proxy-program $D/mine",
     "printf '#!/bin/sh\\necho >%s/ran\\nexec %s \"$@\"' \"$D\" "
     "\"${TROUPED%d}-proxy\" >mine; chmod +x mine; "
       + network + "troupe sandbox create s; troupe attach n s -p 8080:80; ls",
     "ran"},
    {"--ready-namespaces", "--ready-namespaces 7",
     "start $O; troupe sandbox create s; soon has_namespaces 14", "!timed out"},
    {"--remove-leftovers", "--remove-leftovers",
     "start; troupe network create n; stop; rm -rf state run; start $O; "
     "ip link",
     "!br-"},
    {"--enable-fault-injection", "--enable-fault-injection",
     "start $O; troupe fault ls; echo code $?", "code 0"},
  };
}

class DaemonOptions : public ::testing::Test {
protected:
  void SetUp() override {
    if (!isolation_refusal().empty())
      GTEST_SKIP() << "cannot make scratch namespaces: " << isolation_refusal();
  }

  /// What the script writes with this option, on a host of its own.
  std::string try_it(const option_case& x, const std::string& option) {
    EXPECT_TRUE(enter_fresh_network()) << std::strerror(errno);
    const auto dir = "/run/options-" + std::to_string(++count_);
    std::filesystem::create_directories(dir);
    auto script = std::string{"D="} + dir + prelude;
    script += "O=\"" + option + "\"\n" + x.script + "\n";
    auto ran = run({"bash", "-c", script},
                   {std::string{"TROUPED="} + daemon_path(),
                    std::string{"TROUPE="} + command_line_path()},
                   std::chrono::seconds{120});
    EXPECT_NE(ran.code, 137) << x.name << ": " << ran.out << ran.err;
    return ran.out + ran.err;
  }

private:
  static inline int count_ = 0;
};

} // namespace

TEST_F(DaemonOptions, AreAllTried) {
  auto tried = std::multiset<std::string>{};
  for (const auto& x : all_cases())
    tried.insert(x.name);
  const auto page = read_help(run({daemon_path(), "--help"}).out);
  EXPECT_EQ(tried, (std::multiset<std::string>{page.options.begin(),
                                               page.options.end()}));
}

TEST_F(DaemonOptions, DoWhatTheyAreFor) {
  for (const auto& x : all_cases()) {
    const auto is_absence = x.seen.front() == '!';
    const auto text = x.seen.substr(is_absence ? 1 : 0);
    const auto with = try_it(x, x.option);
    EXPECT_EQ(with.find(text) == std::string::npos, is_absence)
      << x.name << " with:\n"
      << with;
    const auto without = try_it(x, "");
    EXPECT_NE(without.find(text) == std::string::npos, is_absence)
      << x.name << " without:\n"
      << without;
  }
}

} // namespace troupe::test
