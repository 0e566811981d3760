#!/bin/bash
# Checks the sources, one line per check.
# Usage: tools/check.sh [--fast|--tidy|--headers|--help]
#   --fast     only what needs no build: format, limits, includes, words, links,
#              tests that the pages name, shell scripts
#   --tidy     only clang-tidy on what changed since the main branch (or since
#              BASE=<commit>)
#   --headers  only: every header compiles alone
# Without any of them all of that, and the unit tests. What is missing is
# installed, but by --fast. Exit code: 0 all is well, 1 something is not, 2 wrong
# usage.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2

which="${1:-all}"
case "$which" in
  all | --fast | --tidy | --headers) ;;
  --help | -h)
    sed -n '2,/^[^#]/ s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
  *)
    echo "Error: unknown option \"$which\"; see tools/check.sh --help" >&2
    exit 2
    ;;
esac
bad=0
notes=()

# wants CHECKS: tells whether these are asked for.
wants() {
  [[ $which == all || $which == "$1" ]]
}
log="$(mktemp)"
trap 'rm -f "$log"' EXIT

# check NAME COMMAND...: one line, and the complaints if there are some.
check() {
  local name="$1" start=$SECONDS
  shift
  if "$@" >"$log" 2>&1; then
    printf '%-22s ok      %3d s\n' "$name" $((SECONDS - start))
  else
    printf '%-22s FAILED  %3d s\n' "$name" $((SECONDS - start))
    head -n 40 "$log" | sed 's/^/    | /'
    bad=1
  fi
}

# In a work tree what git knows or would add; in a tarball everything.
list_sources() {
  if git rev-parse --git-dir >/dev/null 2>&1; then
    git ls-files -co --exclude-standard -- "$@"
  else
    find . -path ./build -prune -o -type f -print | sed 's|^\./||' \
      | grep -E "$(printf '%s\n' "$@" | sed 's/\./\\./g; s/\*/.*/g; s/$/$/' \
        | paste -sd'|')"
  fi | while read -r file; do
    [[ -f "$file" ]] && echo "$file"
  done
}

format() {
  list_sources '*.cpp' '*.hpp' | xargs -r clang-format --dry-run -Werror
}

# Whatever its name is: what begins like a shell script, and completions.
shell_scripts() {
  list_sources '*' | while read -r file; do
    if [[ $file == *.bash ]] || head -n 1 "$file" | grep -aq '^#!.*sh$'; then
      echo "$file"
    fi
  done | xargs -r shellcheck
}

headers_alone() {
  cmake --workflow --preset headers
}

# The sources that differ from the base, newest change first.
changed_sources() {
  local base="${BASE:-}"
  [[ -n "$base" ]] || base="$(git merge-base HEAD origin/main 2>/dev/null)"
  # On the main branch itself: what the last day brought.
  if [[ -z "$base" || "$base" == "$(git rev-parse HEAD)" ]]; then
    base="$(git rev-list -1 --before='1 day ago' HEAD)"
    [[ -n "$base" ]] || base="$(git rev-list --max-parents=0 HEAD | tail -n 1)"
  fi
  {
    git ls-files -om --exclude-standard -- '*.cpp'
    git log --format= --name-only "$base..HEAD" -- '*.cpp'
  } | awk '!seen[$0]++' | while read -r file; do
    [[ -f "$file" ]] && echo "$file"
  done
}

# With TIDY_SECONDS only as many as that allows; how many were not looked at is
# said.
tidy() {
  local files seen result
  mapfile -t files < <(changed_sources)
  [[ ${#files[@]} -gt 0 ]] || return 0
  cmake --preset tidy >/dev/null || return 1
  seen="$(mktemp)"
  # shellcheck disable=SC2016 # $0 and $1 are the inner shell's
  printf '%s\n' "${files[@]}" | timeout "${TIDY_SECONDS:-0}" \
    xargs -P "$(nproc)" -n 1 bash -c \
    'clang-tidy -p build/tidy --quiet "$1" && echo "$1" >>"$0"' "$seen"
  result=$?
  notes+=("clang-tidy looked at $(wc -l <"$seen") of ${#files[@]} changed files")
  rm -f "$seen"
  [[ $result -eq 0 || $result -eq 124 ]]
}

unit_tests() {
  cmake --build --preset release && ctest --preset release -L unit -j "$(nproc)"
}

if [[ $which != --fast ]]; then
  tools/setup.sh check || exit 1
fi
if wants --fast; then
  check "format" format
  for rule in limits includes words links docs tests; do
    check "$rule" python3 tools/check_sources.py "$rule"
  done
  check "shell scripts" shell_scripts
fi
if wants --headers; then
  check "headers alone" headers_alone
fi
if wants --tidy; then
  check "clang-tidy" tidy
fi
if wants all; then
  check "unit tests" unit_tests
fi
[[ ${#notes[@]} -eq 0 ]] || printf '%s\n' "${notes[@]}"
exit $bad
