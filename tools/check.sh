#!/bin/bash
# Checks the sources, one line per check. Usage: tools/check.sh [--fast]
#   --fast  only what needs no build: format, limits, includes, words, links
# Without it also: every header alone, clang-tidy on what changed since the
# main branch (or since BASE=<commit>), unit tests.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2

fast=no
[[ "${1:-}" == --fast ]] && fast=yes
bad=0
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

shell_scripts() {
  list_sources '*.sh' | xargs -r shellcheck .ci/run
}

headers_alone() {
  cmake --preset release && cmake --build --preset release \
    --target troupe_headers_alone
}

# The sources that differ from the base, or all if there is no base.
tidy() {
  local base="${BASE:-}" files
  [[ -z "$base" ]] && base="$(git merge-base HEAD origin/main 2>/dev/null)"
  [[ -z "$base" ]] && base="HEAD~1"
  mapfile -t files < <({
    git diff --name-only --diff-filter=d "$base" -- '*.cpp'
    git ls-files -o --exclude-standard -- '*.cpp'
  } | sort -u)
  [[ ${#files[@]} -eq 0 ]] && return 0
  cmake --preset dev -DTROUPE_SANITIZE= >/dev/null || return 1
  printf '%s\n' "${files[@]}" \
    | xargs -P "$(nproc)" -n 1 clang-tidy -p build/dev --quiet
}

unit_tests() {
  cmake --build --preset release && ctest --preset release -L unit -j "$(nproc)"
}

if [[ $fast == no ]]; then
  tools/setup.sh check || exit 1
fi
check "format" format
for rule in limits includes words links docs; do
  check "$rule" python3 tools/check_sources.py "$rule"
done
if command -v shellcheck >/dev/null; then
  check "shell scripts" shell_scripts
fi
if [[ $fast == no ]]; then
  check "headers alone" headers_alone
  check "clang-tidy" tidy
  check "unit tests" unit_tests
fi
exit $bad
