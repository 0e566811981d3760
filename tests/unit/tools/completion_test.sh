#!/bin/bash
# What bash completion offers, and that it runs nothing but `troupe` with words
# of its own. Usage: completion_test.sh COMPLETION_FILE
set -uo pipefail

completion="$(realpath "$1")"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
failed=0

# Says what it was asked, and answers as troupe does.
cat >"$work/bin/troupe" <<'TROUPE'
#!/bin/bash
echo "$*" >>"$ASKED"
case "$*" in
  *"network ls --format name") printf 'net-a\nnet-b\n' ;;
  *"sandbox ls --format name") printf 'box\n$(touch %s)\n' "$ASKED.expanded" ;;
  *"endpoint ls --format name") echo web ;;
  *"--help") printf '  -h,--help     Help\n  -p,--publish  PORT\n  --ipv6\n' ;;
esac
TROUPE
# What must never run.
cat >"$work/bin/deploy" <<'DEPLOY'
#!/bin/bash
touch "$ASKED.ran"
DEPLOY
chmod +x "$work"/bin/*
export ASKED="$work/asked" PATH="$work/bin:$PATH"
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

# asks_nothing WORD...: no program is run, and nothing is offered.
asks_nothing() {
  offers "" "$@"
  if [[ -s $ASKED ]]; then
    echo "FAILED: \"$*\" asks: $(cat "$ASKED")"
    failed=1
  fi
}

offers "network" troupe ne
offers "network" troupe --timeout 5 ne
offers "network" troupe --host unix:///run/x.sock ne
offers "create ls inspect rm prune" troupe network ""
offers "create" troupe --timeout 5 network cr
offers "net-a net-b" troupe network rm ""
offers "net-a net-b" troupe network rm net-a ""
offers "net-b" troupe attach net-b
offers "web" troupe endpoint inspect ""
offers "web" troupe publish ""
offers "web" troupe leave w
offers "--help --ipv6 --publish" troupe network create --
offers "--publish" troupe attach net-a box --pu
offers "table" troupe network ls --format t
offers "bridge" troupe network create -d br
offers "kernel-crash-before kernel-crash-after" troupe fault add kernel-cr

# A command inside of a sandbox is the user's.
asks_nothing troupe sandbox exec box -- deploy -
asks_nothing troupe sandbox exec box -- deploy --he
asks_nothing troupe sandbox exec box deploy -
asks_nothing troupe --timeout 5 sandbox exec box -- deploy ""
asks_nothing troupe sandbox exec box -- deploy --format ""
# Words that are no command of ours are not handed on either.
asks_nothing troupe deploy -
asks_nothing troupe network deploy -
asks_nothing ./bin/deploy x -

# What is listed is text, not shell.
offers "\$(touch $ASKED.expanded)" troupe sandbox rm '$'
for trap in ran expanded; do
  if [[ -e $ASKED.$trap ]]; then
    echo "FAILED: something was $trap: nothing that is typed or listed may be"
    failed=1
  fi
done
exit "$failed"
