#!/bin/bash
# Installs what is missing, builds, runs every test.
# Usage: tools/test.sh [-q|--few] [--minutes N] [--long]
#   -q           quick: the optimised build only, without sanitizers and what
#                else takes long
#   --few        of what comes after the optimised build only the sanitized
#                programs that are compiled in a minute
#   --long       ten times as many random cases and faults, the fuzzers, and
#                calls left out of the sources; some hours
#   --minutes N  be done in about N minutes: the last stages are left out, and
#                named, when there is no time for them
# With CI=true a skipped test is a failure, but for the reasons that
# tests/skips.txt names. Each run prints how many faults the tests have
# injected, and keeps the table in build/logs/tests-faults.txt; one that is
# below its goal is a failure.
# The last line reads "N passed, N failed"; the exit code is 0 when all passed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2

usage() {
  echo "Error: $1; usage: tools/test.sh [-q|--few] [--minutes N] [--long]" >&2
  exit 2
}

quick=no
few=no
minutes=1000
factor=1
while [[ $# -gt 0 ]]; do
  case "$1" in
    -q) quick=yes ;;
    --few) few=yes ;;
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
left_out=()
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

# proof NAME COMMAND...: a stage that counts as one test.
proof() {
  if stage "$@"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
  fi
}

# time_for SECONDS NAME: tells whether a stage that takes about so long may
# still begin; notes its name if not.
time_for() {
  [[ $((minutes * 60 - SECONDS)) -ge $1 ]] && return
  left_out+=("$2")
  return 1
}

# build PRESET [TARGET...]
build() {
  local preset="$1"
  shift
  cmake --preset "$preset" \
    && cmake --build --preset "$preset" -j "$jobs" ${1:+--target "$@"}
}

# run_tests PRESET CTEST_OPTIONS...: GoogleTest programs report each test in
# an XML file; CTest tells what became of the programs.
run_tests() {
  local preset="$1" reports="$PWD/$logs/$1-reports" counts reasons=()
  shift
  rm -rf "$reports"
  mkdir -p "$reports"
  export GTEST_OUTPUT="xml:$reports/"
  stage "test $preset" ctest --preset "$preset" -j "$jobs" \
    --output-junit "$reports/ctest.junit" --test-output-size-passed 1000000 "$@"
  count_faults "$preset" "$reports/ctest.junit"
  [[ ${CI:-} == true ]] && reasons=(tests/skips.txt)
  counts="$(python3 tools/count_tests.py "$reports" "${reasons[@]}")" \
    || counts="0 1 0"
  echo "$counts" | tail -n +2 | sed 's/^/    | /'
  # shellcheck disable=SC2086 # three numbers
  set -- ${counts%%$'\n'*}
  passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

# run_some NAME CTEST_OPTIONS...: tests of the optimised build that are run
# apart, counted by the reports of their programs, or as one each.
run_some() {
  local name="$1" reports="$PWD/$logs/$1-reports" counts
  shift
  rm -rf "$reports"
  mkdir -p "$reports"
  export GTEST_OUTPUT="xml:$reports/"
  stage "test $name" ctest --preset "$tests" "$@" \
    --output-junit "$reports/ctest.junit" --test-output-size-passed 1000000
  counts="$(python3 tools/count_tests.py "$reports")" || counts="0 1 0"
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
    cmake --preset tests -B build/tests \
      && cmake --build build/tests -j "$jobs" --target trouped troupe \
        troupe-proxy
  )
}

# An old commit that cannot be built any more says nothing about the present one.
take_over() {
  if ! stage "build released" build_released; then
    left_out+=("taking over from release $release, which cannot be built here")
    return
  fi
  TEST_OLD_BIN="$PWD/$released/source/build/tests/bin" \
    run_some upgrade -R '^system_upgrade$'
}

# count_faults PRESET REPORT: only with the optimised programs all tests run.
count_faults() {
  local table="$logs/$1-faults.txt" goals=()
  [[ $1 == tests* && $1 != *san ]] && goals=("$factor")
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
  local program
  must "build fuzzers" build fuzz fuzzers
  for program in build/fuzz/tests/fuzz/fuzz_*; do
    [[ -x $program && ! -d $program ]] || continue
    program="${program##*fuzz_}"
    proof "fuzz $program" fuzz "$program"
    grep -h number_of_executed "$logs/fuzz-$program.log" | sed 's/^/    | /'
  done
}

# sanitize PRESET PROGRAM...: builds and runs test programs with fewer rounds:
# it is memory and threads that are looked at here.
sanitize() {
  local preset="$1"
  shift
  must "build $preset" build "$preset" "$@"
  TEST_KILLS=40 TEST_CYCLES=60 run_tests "$preset" \
    -R "^($(IFS='|'; echo "$*"))\$"
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
tests=tests
[[ $factor -eq 1 ]] || tests="tests-long"
must "build $tests" build "$tests"
run_tests "$tests" -LE '^vm$'
[[ $factor -eq 1 ]] || fuzz_all
[[ $factor -eq 1 ]] || proof "calls left out" tests/bugs/mutants.py run \
  build/mutants --build --sample 600
[[ $quick == no ]] || finish

# Cheap ones first.
sanitized=(unit_config unit_ipam unit_ports unit_netns unit_drivers
  unit_persistence unit_testing unit_actors sim_replays unit_tools unit_remote
  fault_sweep system_kill system_leak system_repair system_publish
  system_remote system_cli)
if ! git cat-file -e "$release^{commit}" 2>/dev/null; then
  left_out+=("taking over from release $release, which this clone lacks")
elif time_for 1500 "taking over from the newest release"; then
  take_over
fi
if [[ $few == yes ]]; then
  sanitize tests-asan "${sanitized[@]:0:5}"
  finish
fi
if time_for 1500 "ASan and UBSan: ${sanitized[*]}"; then
  sanitize tests-asan "${sanitized[@]}"
elif time_for 600 "ASan and UBSan, not even of parts"; then
  sanitize tests-asan "${sanitized[@]:0:5}"
fi
threaded=(unit_actors system_repair)
if time_for 600 "Debian 12's own kernel in an emulated machine"; then
  run_some vm -L '^vm$'
fi
if time_for 900 "ThreadSanitizer: ${threaded[*]}"; then
  sanitize tests-tsan "${threaded[@]}"
fi
if time_for 360 "clang-tidy of what changed"; then
  proof "clang-tidy" env TIDY_SECONDS=300 tools/check.sh --tidy
fi
if time_for 400 "every header alone"; then
  proof "headers alone" tools/check.sh --headers
fi
if time_for 900 "the build that README shows"; then
  proof "build as in README" build release trouped troupe troupe-proxy
fi
finish
