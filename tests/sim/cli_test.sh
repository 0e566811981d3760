#!/bin/bash
# Usage: cli_test.sh TROUPE_SIM: its command line, exit codes and reports.
set -uo pipefail

sim="$1"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
failed=0

# expect CODE TEXT ARGUMENTS...: the exit code, and a text that it says.
expect() {
  local code="$1" text="$2" said got
  shift 2
  said="$("$sim" "$@" 2>&1)"
  got=$?
  if [[ $got -ne $code || "$said" != *"$text"* ]]; then
    echo "FAILED: troupe-sim $*: exit code $got, not $code, or no \"$text\" in:"
    echo "$said"
    failed=1
  fi
}

echo '{"clients": 2, "operatons": 3}' >"$work/typo.json"
echo '{"operations": 0}' >"$work/range.json"
echo '{"name": "mine", "operations": 5}' >"$work/mine.json"

expect 0 "sim runs: 3, failed 0" --runs 3
expect 0 "sim runs: 1," --seed 0x2a
expect 0 "sim runs: 2," "$work/mine.json" --runs 2
expect 0 "step 3:" --seed 1 --keep 3 -v
expect 0 "kernel-lose-reply" --list
expect 2 "typo.json:1:16: unknown field" "$work/typo.json"
expect 2 'did you mean "operations"?' "$work/typo.json"
expect 2 "range.json:1:2: operations: must be from 1" "$work/range.json"
expect 2 "o such file" "$work/none.json"
expect 2 "not a 64-bit number" --seed nine
expect 2 "must not be 0" --runs 0
expect 2 "steps are those of one seed" --keep 3
expect 2 "write numbers like" --seed 1 --keep 3-
expect 2 "see troupe-sim --help" --sead 1
expect 2 "write report" --runs 1 --json "$work/none/report.json"
expect 3 "more than 10 %" --runs 1 --require-coverage
expect 0 "troupe-sim 0" --version

"$sim" --runs 2 --json "$work/a.json" --junit "$work/a.xml" >/dev/null \
  || failed=1
python3 - "$work" <<'EOF' || failed=1
import json, sys, xml.etree.ElementTree as ET
report = json.load(open(sys.argv[1] + "/a.json"))
assert report["runs"] == 2 and report["failures"] == [], report
assert "attach" in report["operations"], report
suite = ET.parse(sys.argv[1] + "/a.xml").getroot().find("testsuite")
assert suite.get("tests") == "2" and suite.get("failures") == "0"
EOF

# The same seed does the same.
if [[ "$("$sim" --seed 77 -v | grep -v ' s$' | md5sum)" \
  != "$("$sim" --seed 77 -v | grep -v ' s$' | md5sum)" ]]; then
  echo "FAILED: seed 77 does not repeat itself"
  failed=1
fi
# Without it there is none.
[[ "$("$sim" --runs 2 --table)" == *"kernel-fail"* ]] || failed=1
[[ "$("$sim" --runs 2)" != *"kernel-fail"* ]] || failed=1

# Every option stands above. (--shrink needs a run that fails: seeded_bugs.)
while read -r option; do
  [[ $option == --shrink ]] && continue
  if ! grep -v '^#' "$0" | grep -qE -- "$option( |\$|\)|\")"; then
    echo "FAILED: no test gives $option"
    failed=1
  fi
done < <("$sim" --help | sed -nE 's/^  (-[a-z-]+).*/\1/p' | grep -vx -- -h)
exit $failed
