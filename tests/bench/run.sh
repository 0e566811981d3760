#!/bin/bash
# Builds the optimised programs and measures them beside the raw kernel, inside
# namespaces that vanish with them. Prints a table, writes JSON.
# Usage: sudo tests/bench/run.sh [--quick] [--only SCENARIO]... [--json FILE]
#   --quick          fewer repetitions
#   --only SCENARIO  rounds, overhead, growth, networks, foreign, idle, memory,
#                    restart, start, ports or connections; repeatable
#   --json FILE      instead of build/bench/bench.json
# A scenario that fails is named at the end, with exit code 1; what the others
# have measured is in the table and the file all the same.
# BENCH_BUILD_DIR names a build directory other than build/bench.
set -euo pipefail
if [[ " $* " == *" --help "* || " $* " == *" -h "* ]]; then
  sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" | sed '$d'
  exit 0
fi
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if [[ $(id -u) -ne 0 ]]; then
  echo "Error: making namespaces and networks needs root" >&2
  echo "Hint: sudo tests/bench/run.sh" >&2
  exit 1
fi

build_dir="${BENCH_BUILD_DIR:-build/bench}"
json="$build_dir/bench.json"
options=("$@")
for ((i = 0; i < ${#options[@]}; i++)); do
  if [[ ${options[i]} == --json ]]; then
    json="${options[i + 1]:-$json}"
  fi
done

echo "Building; this takes some minutes the first time." >&2
export CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1
if [[ $build_dir == build/bench ]]; then
  cmake --preset bench >/dev/null
fi
cmake --build "$build_dir" --target troupe_bench trouped troupe troupe-proxy >&2

find_program() {
  find "$build_dir" -name "$1" -type f -perm -u+x -print -quit
}

# On a disk, as in real use: the durable store calls fsync.
state="$(mktemp -d "${TMPDIR:-/var/tmp}/troupe-bench.XXXXXX")"
trap 'rm -rf "$state"' EXIT

code=0
"$(find_program troupe_bench)" --json "$json" --state "$state" \
  --trouped "$(find_program trouped)" "$@" || code=$?
[[ ! -e $json ]] || echo "The same as JSON: $json"
exit "$code"
