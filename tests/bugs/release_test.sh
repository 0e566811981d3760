#!/bin/bash
# Usage: release_test.sh PROGRAM_WITH_BUGS PROGRAM...: the first has the mark of
# seeded bugs, the others must not.
set -euo pipefail

mark="troupe4bugs"
grep -q "$mark" "$1" || { echo "FAILED: $1 has no bugs to compare with"; exit 1; }
shift
for program in "$@"; do
  if grep -q "$mark" "$program"; then
    echo "FAILED: $program contains seeded bugs"
    exit 1
  fi
done
