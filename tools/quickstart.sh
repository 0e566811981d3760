#!/bin/bash
# Shows Troupe's main job on the real kernel: two sandboxes on one network, one
# with a published port, a daemon killed in mid-flight, and nothing lost.
# Installs what is missing, builds, and works inside namespaces that vanish with
# it: this machine's own network is not touched.
# Usage: sudo tools/quickstart.sh
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2

build_dir="${QUICKSTART_BUILD_DIR:-$PWD/build/programs}"
troupe="$build_dir/bin/troupe"
trouped="$build_dir/bin/trouped"

now_ms() {
  date +%s%3N
}

# step TEXT COMMAND...: one line with its duration; its output if it fails.
step() {
  local text="$1" start output result
  shift
  start="$(now_ms)"
  output="$("$@" 2>&1 </dev/null)"
  result=$?
  report "$text" $(($(now_ms) - start)) $result
  if [[ $result -ne 0 ]]; then
    printf '%s\n' "$output" | sed 's/^/    | /'
    exit 1
  fi
}

report() {
  local text="$1" duration="$2" result="$3" mark="ok"
  [[ $result -ne 0 ]] && mark="FAILED"
  printf '%-62s %6d ms  %s\n' "$text" "$duration" "$mark"
}

# -- outside: install, build ----------------------------------------------------

# Says how far it is where somebody watches.
build() {
  local start log result
  start="$(now_ms)"
  export CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1
  step "Configure the build" cmake --preset programs
  if [[ -t 1 ]]; then
    cmake --build --preset programs
    result=$?
  else
    log="$(cmake --build --preset programs 2>&1)"
    result=$?
    [[ $result -eq 0 ]] || printf '%s\n' "$log" | sed 's/^/    | /'
  fi
  report "Build trouped, troupe and troupe-proxy" \
    $(($(now_ms) - start)) "$result"
  [[ $result -eq 0 ]] || exit 1
}

outside() {
  if [[ $(id -u) -ne 0 ]]; then
    echo "Error: making namespaces and networks needs root" >&2
    echo "Hint: sudo tools/quickstart.sh" >&2
    exit 1
  fi
  echo "Troupe quickstart: what is missing is installed and built first; the"
  echo "first time takes ten to twenty minutes on two processors."
  step "Install what is missing" tools/setup.sh build
  build

  local dir before
  dir="$(mktemp -d /tmp/troupe-quickstart.XXXXXX)"
  # shellcheck disable=SC2064 # the directory of now
  trap "rm -rf '$dir'" EXIT
  trap 'exit 130' INT TERM
  before="$(ip -o link; ip -o addr | sed 's/valid_lft.*//'; cat /proc/mounts)"
  # A process namespace too: whatever happens, nothing of this survives.
  unshare --net --mount --pid --fork --kill-child --mount-proc \
    --propagation private -- bash tools/quickstart.sh --inside "$dir" || exit 1
  [[ "$before" == "$(ip -o link; ip -o addr | sed 's/valid_lft.*//'
    cat /proc/mounts)" ]]
  report "This machine's own links, addresses and mounts are untouched" 0 $?
}

# -- inside: the show -----------------------------------------------------------

start_daemon() {
  "$trouped" --state-dir "$dir/state" --run-dir "$dir/run" \
    >>"$dir/trouped.log" 2>&1 </dev/null &
  echo $! >"$dir/pid"
  local try
  for ((try = 0; try < 500; ++try)); do
    "$troupe" status >/dev/null 2>&1 && return 0
    if ! kill -0 "$(cat "$dir/pid")" 2>/dev/null; then
      break
    fi
    sleep 0.02
  done
  cat "$dir/trouped.log"
  return 1
}

# stop_daemon SIGNAL: and waits until it is gone.
stop_daemon() {
  local try pid
  pid="$(cat "$dir/pid")"
  kill "-$1" "$pid" || return 1
  for ((try = 0; try < 500; ++try)); do
    if ! kill -0 "$pid" 2>/dev/null \
      || [[ "$(ps -o stat= -p "$pid")" == Z* ]]; then
      return 0
    fi
    sleep 0.02
  done
  echo "process $pid is still there"
  return 1
}

# What the kernel holds: links, addresses, routes, namespaces, mounts.
kernel_state() {
  ip -o link
  ip -o addr | sed 's/valid_lft.*//'
  ip route show table all
  ip -6 route show table all
  echo "namespaces: $(lsns -t net -n -o NS | sort | xargs)"
  sed 's/^[0-9]* [0-9]* //' /proc/self/mountinfo
}

# address_of SANDBOX 4|6: asked of the kernel, not of the daemon.
address_of() {
  "$troupe" sandbox exec "$1" -- ip -o "-$2" addr show dev eth0 scope global \
    | awk '{sub("/.*", "", $4); print $4; exit}'
}

ping_from() {
  "$troupe" sandbox exec "$1" -- ping -n -q -i 0.02 -c 10 -W 2 "$2"
}

objects() {
  "$troupe" network ls --format json && "$troupe" endpoint ls --format json \
    && "$troupe" sandbox ls --format json
}

# Says hello to whoever connects to port 80 of "left".
start_service() {
  # shellcheck disable=SC2016 # ${...} is perl's own syntax
  "$troupe" sandbox exec left -- perl -MIO::Socket::INET -e '
    my $server = IO::Socket::INET->new(
      LocalPort => 80, Listen => 5, ReuseAddr => 1) or die "listen: $!\n";
    while (1) {
      my $client = $server->accept or next;
      print $client "hello from left\n";
      close $client;
    }' >"$dir/service.log" 2>&1 </dev/null &
  service=$!
}

# From the host to its own address, as a user of the port would.
ask_service() {
  local try answer
  for ((try = 0; try < 100; ++try)); do
    if exec 3<>"/dev/tcp/127.0.0.1/8080"; then
      answer="$(timeout 5 cat <&3)"
      exec 3>&-
      [[ "$answer" == "hello from left" ]] && return 0
    fi 2>/dev/null
    sleep 0.05
  done
  cat "$dir/service.log"
  return 1
}

kill_and_restart() {
  local start
  "$troupe" sandbox exec left -- ping -n -q -i 0.02 -c 150 -W 2 "$right4" \
    >"$dir/ping" 2>&1 </dev/null &
  local pinger=$!
  sleep 0.7
  step "Kill the daemon with SIGKILL while a ping runs" stop_daemon KILL
  sleep 0.3
  step "Start it again" start_daemon
  start="$(now_ms)"
  wait "$pinger"
  local counts
  counts="$(grep -o '[0-9]* packets transmitted, [0-9]* received' "$dir/ping")"
  [[ "$counts" == "150 packets transmitted, 150 received" ]]
  local result=$?
  report "The ping: ${counts:-no answer}" $(($(now_ms) - start)) $result
  [[ $result -eq 0 ]] || exit 1
}

same() {
  [[ "$1" == "$2" ]] && return 0
  diff <(echo "$1") <(echo "$2")
  return 1
}

inside() {
  dir="$1"
  export TROUPE_HOST="unix://$dir/run/troupe.sock"
  mount -t tmpfs -o mode=0700 tmpfs "$dir" || exit 1
  mkdir "$dir/state" "$dir/run"
  ip link set lo up
  local before_kernel before_objects
  before_kernel="$(kernel_state)"

  step "Start the daemon" start_daemon
  step "Create a bridge network with IPv4 and IPv6" \
    "$troupe" network create --subnet 10.10.0.0/24 --ipv6 \
    --subnet fd00:10::/64 demo
  step "Create the sandbox \"left\"" "$troupe" sandbox create left
  step "Create the sandbox \"right\"" "$troupe" sandbox create right
  step "Attach \"left\", port 80 published as the host's 8080" \
    "$troupe" attach demo left -p 8080:80
  step "Attach \"right\"" "$troupe" attach demo right
  left4="$(address_of left 4)" left6="$(address_of left 6)"
  right4="$(address_of right 4)" right6="$(address_of right 6)"
  step "left pings right: $right4" ping_from left "$right4"
  step "left pings right: $right6" ping_from left "$right6"
  step "right pings left: $left4" ping_from right "$left4"
  step "right pings left: $left6" ping_from right "$left6"
  start_service
  step "The host's port 8080 is answered by left" ask_service

  echo
  "$troupe" status --topology
  echo

  before_objects="$(objects)"
  kill_and_restart
  step "Everything is still there" same "$before_objects" "$(objects)"
  step "The host's port 8080 is still answered by left" ask_service
  step "Store, daemon and kernel agree (troupe doctor)" "$troupe" doctor

  kill "$service"
  step "Remove both sandboxes" "$troupe" sandbox rm left right
  step "Remove the network" "$troupe" network rm demo
  step "Stop the daemon" stop_daemon TERM
  sleep 0.2 # the kernel takes namespaces down in the background
  step "The kernel is as it was before" same "$before_kernel" "$(kernel_state)"
}

if [[ "${1:-}" == --inside ]]; then
  inside "$2"
elif [[ $# -eq 0 ]]; then
  outside
else
  echo "Error: unknown option \"$1\"; usage: sudo tools/quickstart.sh" >&2
  exit 2
fi
