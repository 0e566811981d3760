#!/bin/bash
# Installs what is missing, builds, runs every test.
# Usage: tools/test.sh [-q] [--minutes N] [--long]
#   -q           quick: the optimised build only, without sanitizers and what
#                else takes long
#   --long       ten times as many random cases and faults, each fuzzer for a
#                minute, and calls left out of the sources; some hours
#   --minutes N  be done after N minutes: what has no time is left out, and
#                named
# Stages are workflow presets of CMake. With CI=true a skipped test is a failure,
# but for the reasons that tests/skips.txt names, and left out are: fuzzers,
# headers and the sanitized daemon, which compile all once more; ThreadSanitizer,
# which does not see into CAF (tools/cmake/tsan.supp); clang-tidy, whose findings
# somebody has to judge; the emulated machine (tests/vm), where everything takes
# 10 to 20 times as long.
# What is sanitized, with fewer rounds, says CMakePresets.json.
# Each run prints how many faults the tests have injected, and keeps the table in
# build/logs/tests-faults.txt; one that is below its goal is a failure.
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
tests=tests
while [[ $# -gt 0 ]]; do
  case "$1" in
    -q) quick=yes ;;
    --long) factor=10 tests=tests-long ;;
    --minutes)
      [[ "${2:-}" =~ ^[1-9][0-9]{0,2}$ ]] || usage "--minutes needs a number"
      minutes="$2"
      shift
      ;;
    *) usage "unknown option \"$1\"" ;;
  esac
  shift
done

logs="build/logs"
passed=0 failed=0 skipped=0
left_out=()
export CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1
CMAKE_BUILD_PARALLEL_LEVEL="$(nproc)" CTEST_PARALLEL_LEVEL="$(nproc)"
export CMAKE_BUILD_PARALLEL_LEVEL CTEST_PARALLEL_LEVEL

if [[ $(id -u) -ne 0 ]]; then
  echo "Error: the tests of the real kernel need root" >&2
  echo "Hint: sudo $0" >&2
  exit 1
fi

seconds_left() {
  echo $((minutes * 60 - SECONDS))
}

# stage NAME COMMAND...: runs it, prints one line with its duration, and what
# it said if it failed. One that has no time left ends with code 124.
stage() {
  local name="$1" log start result
  shift
  log="$logs/${name// /-}.log"
  start=$SECONDS
  printf '%-28s ' "$name"
  "$@" >"$log" 2>&1 </dev/null
  result=$?
  if [[ $result -eq 0 ]]; then
    printf 'ok      %4d s\n' $((SECONDS - start))
  elif [[ $result -eq 124 ]]; then
    printf 'no time %4d s\n' $((SECONDS - start))
  else
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

# proof NAME COMMAND...: a stage that counts as one test.
proof() {
  stage "$@"
  case $? in
    0) passed=$((passed + 1)) ;;
    124) left_out+=("$1: not done in time") ;;
    *) failed=$((failed + 1)) ;;
  esac
}

# time_for SECONDS NAME: tells whether a stage that takes about so long with
# all compiled before may still begin; notes its name if not.
time_for() {
  [[ $(seconds_left) -ge $1 ]] && return
  left_out+=("$2")
  return 1
}

in_time() {
  local left result
  left="$(seconds_left)"
  timeout --kill-after=30 "$((left > 0 ? left : 1))" "$@"
  result=$?
  # It had to be killed.
  [[ $result -eq 137 && $(seconds_left) -le 0 ]] && return 124
  return "$result"
}

# run_tests NAME PRESET COMMAND...: runs a command that runs the tests of a
# preset. GoogleTest programs report each test in an XML file; CTest tells what
# became of the programs.
run_tests() {
  local name="$1" reports="$logs/$2" counts reasons=()
  shift 2
  rm -rf "$reports"
  mkdir -p "$reports"
  stage "$name" "$@"
  if [[ $? -eq 124 ]]; then
    left_out+=("$name: not done in time")
    counts="0 $(grep -cE '\*\*\*(Failed|Exception)' "$logs/${name// /-}.log") 0"
  elif [[ ! -e $reports/ctest.junit ]]; then
    counts="0 1 0" # It was not even built.
  else
    [[ ${CI:-} == true ]] && reasons=(tests/skips.txt)
    counts="$(python3 tools/count_tests.py "$reports" "${reasons[@]}")" \
      || counts="0 1 0"
  fi
  echo "$counts" | tail -n +2 | sed 's/^/    | /'
  # shellcheck disable=SC2086 # three numbers
  set -- ${counts%%$'\n'*}
  passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

# The programs of the newest release, from whose running system the present ones
# take over.
released="build/released"
release="$(grep -v '^#' tests/upgrade/released.txt | tail -n 1)"
build_released() {
  rm -rf "$released/source"
  git worktree prune
  git worktree add --detach --force "$released/source" "$release" || return
  (
    cd "$released/source" || exit
    export CCACHE_BASEDIR="$PWD"
    tools/setup.sh build || exit
    in_time cmake --preset tests -B build/tests \
      && in_time cmake --build build/tests --target trouped troupe troupe-proxy
  )
}

# An old commit that cannot be built any more says nothing about the present one.
take_over() {
  if ! stage "build released" build_released; then
    left_out+=("taking over from release $release, which cannot be built here")
    return
  fi
  TEST_OLD_BIN="$PWD/$released/source/build/tests/bin" \
    run_tests "taking over" upgrade ctest --preset upgrade
}

# Only with the optimised programs all tests run.
count_faults() {
  local table="$logs/tests-faults.txt"
  if ! python3 tools/fault_summary.py "$logs/$tests/ctest.junit" "$factor" \
    >"$table"; then
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
  local program
  for program in build/fuzz/tests/fuzz/fuzz_*; do
    [[ -x $program && ! -d $program ]] || continue
    program="${program##*fuzz_}"
    proof "fuzz $program" fuzz "$program"
    grep -h number_of_executed "$logs/fuzz-$program.log" | sed 's/^/    | /'
  done
}

# optional SECONDS NAME COMMAND...: one that need not be done.
optional() {
  local wanted="$1"
  shift
  time_for "$wanted" "$2" && "$@"
}

# workflow NAME PRESET: configures, builds, tests.
workflow() {
  run_tests "$1" "$2" in_time cmake --workflow --preset "$2"
}

finish() {
  [[ ${#left_out[@]} -eq 0 ]] \
    || printf 'left out: %s\n' "${left_out[@]}"
  echo "$skipped skipped; took $((SECONDS / 60)) min $((SECONDS % 60)) s"
  echo "$passed passed, $failed failed"
  [[ $failed -eq 0 ]]
  exit
}

mkdir -p "$logs"
must "setup" tools/setup.sh check
proof "check sources" tools/check.sh --fast
workflow "all tests" "$tests"
[[ -e $logs/$tests/ctest.junit ]] || finish
count_faults
[[ $factor -eq 1 ]] || proof "calls left out" tests/bugs/mutants.py run \
  build/mutants --build --sample 600
[[ $quick == no ]] || finish

# Ordered by what they have found, and what they cost. The seconds are those
# with all compiled before; one that takes longer than there is time is ended.
if ! git cat-file -e "$release^{commit}" 2>/dev/null; then
  left_out+=("taking over from release $release, which this clone lacks")
else
  time_for 300 "taking over from release $release" && take_over
fi
optional 400 workflow "ASan and UBSan" tests-asan
optional 60 proof "build as in README" in_time cmake --workflow --preset programs
if [[ ${CI:-} == true ]]; then
  left_out+=("fuzzers (their inputs are read by replay_*)" "every header alone"
    "ASan and UBSan: the daemon" "ThreadSanitizer" "clang-tidy"
    "Debian 12's kernel in an emulated machine (tests/vm)")
else
  optional 600 proof "build the daemon with ASan" in_time \
    cmake --build --preset system-asan
  [[ -x build/tests-asan/bin/trouped ]] \
    && optional 500 run_tests "ASan and UBSan: the daemon" system-asan \
      in_time ctest --preset system-asan
  optional 60 workflow "fuzzers" fuzz
  [[ $factor -eq 1 ]] || fuzz_all
  optional 60 proof "every header alone" in_time \
    cmake --workflow --preset headers
  optional 600 workflow "ThreadSanitizer" tests-tsan
  [[ -x build/tests-tsan/bin/trouped ]] \
    && optional 200 run_tests "ThreadSanitizer: the daemon" system-tsan \
      in_time ctest --preset system-tsan
  optional 330 proof "clang-tidy" env TIDY_SECONDS=300 tools/check.sh --tidy
  optional 1500 run_tests "emulated machine" vm ctest --preset vm
fi
finish
