#!/bin/bash
# Installs what is missing, builds, runs every test.
# Usage: tools/test.sh [-q] [--minutes N] [--long]
#   -q           quick: the optimised build only, without the sanitized one
#   --long       ten times as many random cases and faults, and the fuzzers;
#                an hour or two
#   --minutes N  be done in about N minutes: sanitized programs for which there
#                is no time are left out, and named
# Each run prints how many faults the tests have injected, and keeps the table
# in build/logs/release-faults.txt; one that is below its goal is a failure.
# The last line reads "N passed, N failed"; the exit code is 0 when all passed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2

usage() {
  echo "Error: $1; usage: tools/test.sh [-q] [--minutes N] [--long]" >&2
  exit 2
}

quick=no
minutes=1000
factor=1
while [[ $# -gt 0 ]]; do
  case "$1" in
    -q) quick=yes ;;
    --long) factor=10 ;;
    --minutes)
      [[ "${2:-}" =~ ^[1-9][0-9]{0,2}$ ]] || usage "--minutes needs a number"
      minutes="$2"
      shift
      ;;
    *) usage "unknown option \"$1\"" ;;
  esac
  shift
done

jobs="$(nproc)"
logs="build/logs"
passed=0 failed=0 skipped=0
export CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1

if [[ $(id -u) -ne 0 ]]; then
  echo "Error: the tests of the real kernel need root" >&2
  echo "Hint: sudo $0" >&2
  exit 1
fi

# stage NAME COMMAND...: runs it, prints one line with its duration, and what
# it said if it failed.
stage() {
  local name="$1" log start result
  shift
  log="$logs/${name// /-}.log"
  start=$SECONDS
  printf '%-28s ' "$name"
  if "$@" >"$log" 2>&1 </dev/null; then
    result=0
    printf 'ok      %4d s\n' $((SECONDS - start))
  else
    result=1
    printf 'FAILED  %4d s\n' $((SECONDS - start))
    tail -n 60 "$log" | sed 's/^/    | /'
    echo "    | all of it: $log"
  fi
  return $result
}

# must NAME COMMAND...: a stage without which the rest makes no sense.
must() {
  if ! stage "$@"; then
    failed=$((failed + 1))
    finish
  fi
}

# build PRESET [TARGET...]
build() {
  local preset="$1"
  shift
  cmake --preset "$preset" -DTROUPE_BUILD_BENCH=OFF -DTROUPE_UNITY=ON \
    "-DTROUPE_TEST_FACTOR=$factor" \
    && cmake --build --preset "$preset" -j "$jobs" ${1:+--target "$@"}
}

# run_tests PRESET CTEST_OPTIONS...: GoogleTest programs report each test in
# an XML file; CTest tells what became of the programs.
run_tests() {
  local preset="$1" reports="$PWD/$logs/$1-reports" counts
  shift
  rm -rf "$reports"
  mkdir -p "$reports"
  export GTEST_OUTPUT="xml:$reports/"
  stage "test $preset" ctest --preset "$preset" -j "$jobs" \
    --output-junit "$reports/ctest.junit" --test-output-size-passed 1000000 "$@"
  count_faults "$preset" "$reports/ctest.junit"
  counts="$(python3 tools/count_tests.py "$reports")" || counts="0 1 0"
  echo "$counts" | tail -n +2 | sed 's/^/    | /'
  # shellcheck disable=SC2086 # three numbers
  set -- ${counts%%$'\n'*}
  passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

# count_faults PRESET REPORT: only the release programs are all run.
count_faults() {
  local table="$logs/$1-faults.txt" goals=()
  [[ $1 == release ]] && goals=("$factor")
  if ! python3 tools/fault_summary.py "$2" "${goals[@]}" >"$table"; then
    echo "FAILED: fewer faults were injected than there should be"
    failed=$((failed + 1))
  fi
  sed 's/^/    | /' "$table"
}

# fuzz NAME: for a minute, from the inputs in the source tree; what it finds
# stays in build/logs.
fuzz() {
  local found="$PWD/$logs/fuzz-$1" corpus="tests/fuzz/corpus/$1"
  mkdir -p "$found/corpus"
  [[ -d $corpus ]] || corpus=
  "build/fuzz/tests/fuzz/fuzz_$1" -max_total_time="${TEST_FUZZ_SECONDS:-60}" \
    -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 \
    -artifact_prefix="$found/" "$found/corpus" ${corpus:+"$corpus"}
}

fuzz_all() {
  local name
  must "build fuzzers" build fuzz
  for name in settings request records pages netlink; do
    if stage "fuzz $name" fuzz "$name"; then
      passed=$((passed + 1))
      grep -h number_of_executed "$logs/fuzz-$name.log" | sed 's/^/    | /'
    else
      failed=$((failed + 1))
    fi
  done
}

finish() {
  echo "$skipped skipped; took $((SECONDS / 60)) min $((SECONDS % 60)) s"
  echo "$passed passed, $failed failed"
  [[ $failed -eq 0 ]]
  exit
}

mkdir -p "$logs"
must "setup" tools/setup.sh test
stage "check sources" tools/check.sh --fast || failed=$((failed + 1))
must "build release" build release
run_tests release
[[ $factor -eq 1 ]] || fuzz_all

# Cheap ones first. The system tests are repeated with fewer rounds: it is the
# daemon's memory that is looked at here.
sanitized=(unit_config unit_ipam unit_ports unit_netns unit_drivers
  unit_persistence unit_testing unit_actors sim_replays unit_tools unit_remote
  fault_sweep system_kill system_leak system_repair system_publish
  system_remote system_cli)
readonly quick_ones=5 # soon compiled, and done within `test_time`
export TEST_KILLS=40 TEST_CYCLES=60
if [[ $minutes -lt 1000 ]]; then
  echo "sanitized, left out with --minutes: ${sanitized[*]:quick_ones}"
  sanitized=("${sanitized[@]:0:quick_ones}")
fi

# What is kept for running the sanitized programs, in seconds.
readonly test_time=240

seconds_left() {
  echo $((minutes * 60 - SECONDS - test_time))
}

# Builds sanitized programs, one after the other, while there is time.
build_sanitized() {
  local program left
  for program in "${sanitized[@]}"; do
    left="$(seconds_left)"
    [[ $left -gt 0 ]] || break
    timeout "$left" cmake --build --preset dev -j "$jobs" --target "$program"
    case $? in
      0) built+=("$program") ;;
      124) break ;;
      *) return 1 ;;
    esac
  done
}

if [[ $quick == no && $(seconds_left) -gt 0 ]]; then
  built=()
  must "configure dev" cmake --preset dev -DTROUPE_UNITY=ON \
    -DTROUPE_TEST_FACTOR=1
  must "build dev" build_sanitized
  if [[ ${#built[@]} -lt ${#sanitized[@]} ]]; then
    echo "sanitized, left out for lack of time:" \
      "${sanitized[@]:${#built[@]}}"
  fi
  if [[ ${#built[@]} -gt 0 ]]; then
    run_tests dev -R "^($(IFS='|'; echo "${built[*]}"))\$"
  fi
fi
finish
