#!/bin/bash
# Runs system tests on Debian 12's own kernel (Linux 6.1), in the machine of
# boot.sh: what older kernels do differently shows here, and what modules do that
# this machine may lack.
# Usage: tests/vm/run.sh [--all] [BUILD_DIRECTORY]
#   --all  every system test instead of a subset; hours instead of minutes
# Root is needed. Exit code: 0 all passed, 1 one failed, 77 no such machine.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2

# A program and which of its tests; the whole must take less than 8 minutes.
readonly subset=(
  "netns Audit.*:NetlinkLinks.*:NetlinkRoutes.*:Probe.*:Real/*:Seeds/*/1"
  "drivers BridgeMend.*:BridgeExisting.*"
  "firewall Sources.ConnectionsAreForgotten*:Guard.*"
  "repair Repair.*"
  "publish Publish.OutlivesTheDaemon*:Publish.ClosesWithTheSandbox"
)
readonly everything=(
  "netns *" "drivers *" "firewall *" "ports *" "publish *" "repair *" "cli *"
)

# What is loaded on many hosts must not hurt; bridged packets pass the host's
# rules then.
readonly modules=(br_netfilter ipvlan vrf)

unset GTEST_OUTPUT # The root of the machine is read-only.
all=no
build=build/release
inside=no
for word in "$@"; do
  case "$word" in
    --all) all=yes ;;
    --inside) inside=yes ;;
    -*)
      echo "Error: unknown option \"$word\"; usage: $0 [--all] [BUILD_DIRECTORY]" >&2
      exit 2
      ;;
    *) build="$word" ;;
  esac
done

# Within the machine.
run_tests() {
  local tests=("${subset[@]}") failed=0 line name start result
  [[ $all == yes ]] && tests=("${everything[@]}")
  uname -sr
  modprobe -a "${modules[@]}"
  for line in "${tests[@]}"; do
    name="system_${line%% *}"
    start=$SECONDS
    "$build/tests/system/${line%% *}/$name" --gtest_brief=1 \
      --gtest_filter="${line#* }"
    result=$?
    echo "$name: exit code $result after $((SECONDS - start)) s"
    [[ $result -eq 0 ]] || failed=1
  done
  return "$failed"
}

if [[ $inside == yes ]]; then
  run_tests
  exit
fi
export TEST_SLOWNESS=20
[[ $all == no ]] || export VM_SECONDS="${VM_SECONDS:-14400}"
words=()
[[ $all == no ]] || words=(--all)
exec tests/vm/boot.sh bash "$PWD/tests/vm/run.sh" --inside "${words[@]}" "$build"
