#!/bin/bash
# make.sh BIN FOLDER: lets the programs in BIN make a world of their own (in
# private namespaces) and keeps its store files and what `inspect` says in
# FOLDER.
set -euo pipefail
bin=$(realpath "$1")
folder=$(realpath -m "$2")
if [ -z "${IN_PRIVATE:-}" ]; then
  IN_PRIVATE=1 exec unshare --net --mount --pid --fork --mount-proc \
    --propagation private bash "$0" "$bin" "$folder"
fi
mount -t tmpfs none /run
mkdir -p /run/netns /run/t /run/s
ip link set lo up
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
export TROUPE_HOST=unix:///run/t/troupe.sock
troupe() {
  "$bin/troupe" "$@"
}
"$bin/trouped" --state-dir /run/s --run-dir /run/t >/run/log 2>&1 &
daemon=$!
for _ in $(seq 100); do
  troupe network ls >/dev/null 2>&1 && break
  sleep 0.1
done
{
  troupe network create plain --subnet 10.60.0.0/24 --label owner=me
  troupe network create dual --ipv6 --subnet 10.61.0.0/24 \
    --subnet fd61::/64 -o mtu=1400 -o com.docker.network.bridge.name=br61
  troupe network create closed --internal --subnet 10.62.0.0/24
  troupe network create -d host hostnet
  troupe endpoint create plain kept --ip 10.60.0.9 -p 8081:80
  troupe endpoint create dual spare --label a=b
  troupe sandbox create box --hostname box1 --domainname example.org
  troupe sandbox create other
  troupe join plain/kept box
  troupe attach dual box --name c1 -p 8080:80 -p 53:53/udp --priority 7
  troupe attach closed other
} >/run/made
inspect() { # NOUN
  # shellcheck disable=SC2046 # names have no spaces
  troupe "$1" inspect $(troupe "$1" ls --format name)
}
mkdir -p "$folder/durable" "$folder/runtime"
jq -S -n --argjson networks "$(inspect network)" \
  --argjson endpoints "$(inspect endpoint)" \
  --argjson sandboxes "$(inspect sandbox)" \
  '{$networks, $endpoints, $sandboxes}' >"$folder/inspect.json"
kill "$daemon"
wait "$daemon" || true
cat /proc/sys/kernel/random/boot_id >"$folder/boot_id"
for kind in durable runtime; do
  from=/run/s/durable/data.mdb
  [ "$kind" = runtime ] && from=/run/t/runtime/data.mdb
  # Space that is only reserved is not kept.
  used=$(od -An -v -tx1 -w4096 "$from" | grep -nv '^\( 00\)*$' |
    tail -1 | cut -d: -f1)
  head -c $((used * 4096)) "$from" >"$folder/$kind/data.mdb"
done
