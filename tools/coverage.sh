#!/bin/bash
# Which lines of actors/, drivers/, netns/ and persistence/ run in the tests.
# Usage: tools/coverage.sh [--sweeps | CTEST_OPTIONS...]
#   (nothing)  all tests but the emulated machine, the package, the leaks and
#              crashes in the recovery; prints the faults that were injected and
#              the lines of each folder. Fails below the floor of 90 %.
#   --sweeps   the sweeps of faults alone; lists each line of drivers/ that none
#              of them has seen
#   options    of ctest, e.g. -R unit_drivers: the table, without a floor
# What a killed process did is counted as well. All lines with their counts are in
# build/logs/coverage/lines.txt. Needs clang and llvm (tools/setup.sh).
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2

if [[ ${1:-} == --help || ${1:-} == -h ]]; then
  sed -n '2,/^[^#]/ s/^# \{0,1\}//p' "$0"
  exit 0
fi
logs="$PWD/build/logs/coverage"
export CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1
CMAKE_BUILD_PARALLEL_LEVEL="${JOBS:-$(nproc)}"
CTEST_PARALLEL_LEVEL="${JOBS:-$(nproc)}"
export CMAKE_BUILD_PARALLEL_LEVEL CTEST_PARALLEL_LEVEL
rm -rf "$logs"
mkdir -p "$logs"
result=0

# sweep PROGRAM FILTER
sweep() {
  cmake --build --preset coverage --target "$(basename "$1")" >"$logs/build" \
    || exit
  LLVM_PROFILE_FILE="$logs/%c%m.profraw" \
    "build/coverage/tests/$1" --gtest_brief=1 --gtest_filter="$2" || result=1
}

cmake --preset coverage >"$logs/configure" || exit
case "${1:-}" in
  --sweeps)
    sweep unit/drivers/unit_drivers '*/Sweep.*'
    sweep fault/fault_sweep '-Requests/recovery.*'
    ;;
  "")
    cmake --workflow --preset coverage || result=1
    python3 tools/fault_summary.py "$logs/ctest.junit"
    ;;
  *) ctest --preset coverage "$@" || result=1 ;;
esac

# What was built and has counters, run or not.
programs=()
while read -r program; do
  readelf --section-headers --wide "$program" 2>/dev/null \
    | grep -q __llvm_covmap && programs+=("$program")
done < <(find build/coverage/tests build/coverage/bin -type f -executable | sort)
llvm-profdata merge --sparse "$logs"/*.profraw -o "$logs/all.profdata" || exit
llvm-cov export --format=lcov --skip-functions \
  --instr-profile="$logs/all.profdata" "${programs[0]}" \
  "${programs[@]/#/--object=}" >"$logs/lines.txt" 2>"$logs/export" || exit
case "${1:-}" in
  --sweeps) python3 tools/line_summary.py "$logs/lines.txt" --unseen drivers ;;
  "") python3 tools/line_summary.py "$logs/lines.txt" --floor 90 || result=1 ;;
  *) python3 tools/line_summary.py "$logs/lines.txt" ;;
esac
exit $result
