#!/bin/bash
# The command line starts with every command, so it loads no library that only
# others need. Usage: libraries_test.sh TROUPE TROUPE_FAR
set -uo pipefail

# What each of these would cost at every start, about, in milliseconds: curl 5,
# CAF 2, OpenSSL 1.
heavy='libcaf|libssl|libcrypto|libcurl|libgnutls|libmicrohttpd'
failed=0

# What the loader would load, with all that these want.
closure() {
  ldd "$1" | awk '{print $1}'
}

if ! closure "$1" | grep -q '^libc\.so'; then
  echo "FAILED: ldd does not list what $1 loads"
  failed=1
fi
if found="$(closure "$1" | grep -E "^($heavy)")"; then
  echo "FAILED: $1 loads ${found//$'\n'/ }"
  failed=1
fi
# Would it be seen?
for library in libcaf_core libcaf_io libssl; do
  if ! closure "$2" | grep -E "^($heavy)" | grep -q "^$library"; then
    echo "FAILED: $2 does not load $library, or it was not seen"
    failed=1
  fi
done
exit "$failed"
