#!/bin/bash
# `troupe` becomes `troupe-far` for another host, and only then.
# Usage: far_test.sh TROUPE
set -uo pipefail

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cp "$1" "$work/troupe"
unset TROUPE_HOST
failed=0

# expect WHAT WANTED GOT
expect() {
  if [[ "$2" != "$3" ]]; then
    printf 'FAILED: %s\n  wanted: %s\n  got:    %s\n' "$1" "$2" "$3"
    failed=1
  fi
}

# run WORD...: sets code, out and err.
run() {
  out="$("$work/troupe" "$@" 2>"$work/err")"
  code=$?
  err="$(<"$work/err")"
}

# -- not installed -------------------------------------------------------------
# On a machine where it is, troupe would find that one.
if [[ -z "$(find /usr/libexec/troupe /usr/local/libexec/troupe \
  -name troupe-far 2>/dev/null)" ]]; then
  run --host caf+tls://127.0.0.1 status
  expect "code without troupe-far" 1 "$code"
  expect "output without troupe-far" "" "$out"
  expect "error without troupe-far" \
    "Error: ask another host: troupe-far is not installed" "${err%%$'\n'*}"
  [[ "$err" == *$'\n'"Hint: "*libexec* ]] || expect "hint" "Hint: …" "$err"
fi

# -- installed -----------------------------------------------------------------
# Says what it was given, and ends as it is told.
cat >"$work/troupe-far" <<'FAR'
#!/bin/bash
echo "far: $*"
echo "stdin: $(cat)"
echo "host: ${TROUPE_HOST-}" >&2
case "$*" in *kill*) kill -TERM $$ ;; esac
exit 7
FAR
chmod +x "$work/troupe-far"

words=(--host caf+tls://h --timeout 5 network create web --label "x=a b")
run "${words[@]}" <<<"typed"
expect "exit code" 7 "$code"
expect "arguments and input" "far: ${words[*]}"$'\n'"stdin: typed" "$out"

TROUPE_HOST=caf+tls://e run status </dev/null
expect "code by the environment" 7 "$code"
expect "environment" "host: caf+tls://e" "$err"

run --host caf+tls://h network rm kill </dev/null
expect "code of a signal" 143 "$code"

run --host caf+tls://h network prune </dev/null
expect "prune asks there" "far: --host caf+tls://h network prune" \
  "${out%%$'\n'*}"

# -- what needs no other host ---------------------------------------------------
for words in "--help" "--host caf+tls://h --help" "network create --help"; do
  # shellcheck disable=SC2086 # words
  run $words </dev/null
  expect "code of $words" 0 "$code"
  [[ "$out" == *--help* ]] || expect "help of $words" "--help" "$out"
done
run --host caf+tls://h network nonsense </dev/null
expect "code of wrong words" 2 "$code"
run --host caf+tls://h check </dev/null
expect "code of check" 2 "$code"
[[ "$err" == *"looks at this host"* ]] || expect "check" "this host" "$err"
run --host "unix://$work/nothing.sock" status </dev/null
expect "code of a local host" 5 "$code"
exit "$failed"
