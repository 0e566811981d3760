#!/bin/bash
# What bash completion offers, and that it runs nothing but `troupe __complete`
# with the words as text. Usage: completion_test.sh COMPLETION_FILE TROUPE
set -uo pipefail

completion="$(realpath "$1")"
REAL="$(realpath "$2")"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
failed=0

# Says what it was asked, knows some names, and is else the real one without a
# daemon.
cat >"$work/bin/troupe" <<'TROUPE'
#!/bin/bash
echo "$*" >>"$ASKED"
case "$*" in
  "__complete network rm "*) printf 'net-a\nnet-b\n' ;;
  "__complete sandbox rm "*) printf '$(touch %s)\n' "$ASKED.expanded" ;;
  *) exec "$REAL" "$@" ;;
esac
TROUPE
# What must never run.
cat >"$work/bin/deploy" <<'DEPLOY'
#!/bin/bash
touch "$ASKED.ran"
DEPLOY
chmod +x "$work"/bin/*
export REAL ASKED="$work/asked" PATH="$work/bin:$PATH"
export TROUPE_HOST="unix://$work/nobody.sock"
cd "$work" || exit 1
# shellcheck source=/dev/null
source "$completion"

# complete_line WORD...: with the cursor at the end of the last one.
complete_line() {
  COMP_WORDS=("$@")
  COMP_CWORD=$(($# - 1))
  : >"$ASKED"
  _troupe
}

# offers WANTED WORD...
offers() {
  local wanted="$1"
  shift
  complete_line "$@"
  if [[ "${COMPREPLY[*]}" != "$wanted" ]]; then
    echo "FAILED: \"$*\" offers \"${COMPREPLY[*]}\", not \"$wanted\""
    failed=1
  fi
}

# asks_only WORD...: troupe is asked once, and only what may stand there.
asks_only() {
  offers "" "$@"
  shift
  if [[ "$(cat "$ASKED")" != "__complete $*" ]]; then
    echo "FAILED: \"$*\" asks: $(cat "$ASKED")"
    failed=1
  fi
}

offers "network" troupe ne
offers "network" troupe --timeout 5 ne
offers "network" troupe --host unix : ///run/x.sock ne
offers "create" troupe --timeout 5 network cr
offers "net-a net-b" troupe network rm ""
offers "--publish --publish-all" troupe attach net-a box --pu
offers "table" troupe network ls --format t
offers "bridge" troupe --timeout 5 network create -d br
offers "kernel-crash-before kernel-crash-after" troupe fault add kernel-cr
offers "driver=" troupe network ls --filter dr
# Bash cuts words at `=`, and wants what is behind it only.
offers "json jsonl" troupe network ls --format = js
offers "bridge" troupe network ls -f driver = br
offers "bridge" troupe network ls --filter = driver = br

# A command inside of a sandbox is the user's.
asks_only troupe sandbox exec box -- deploy -
asks_only troupe sandbox exec box deploy --he
asks_only troupe --timeout 5 sandbox exec box -- deploy ""
asks_only troupe sandbox exec box -- deploy --format ""
# Words that are no command of ours are handed on as text.
asks_only troupe deploy -
asks_only troupe network deploy -
asks_only ./bin/deploy x -

# What is listed is text, not shell.
offers "\$(touch $ASKED.expanded)" troupe sandbox rm '$'
for trap in ran expanded; do
  if [[ -e $ASKED.$trap ]]; then
    echo "FAILED: something was $trap: nothing that is typed or listed may be"
    failed=1
  fi
done
exit "$failed"
