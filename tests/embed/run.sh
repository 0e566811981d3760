#!/bin/bash
# Usage: run.sh find_package|pkg_config BUILD_DIR CMAKE CXX
# Installs the build into a temporary prefix, builds the project in consumer/
# and the example of a runtime's test against it, and runs both.
set -euo pipefail

way="$1" build_dir="$2" cmake="$3" cxx="$4"
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
runtime_test="$(cd "$here/../../examples" && pwd)/runtime_test.cpp"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

"$cmake" --install "$build_dir" --prefix "$work/prefix" >"$work/install.log"

case "$way" in
  find_package)
    "$cmake" -S "$here/consumer" -B "$work/build" -G Ninja \
      -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_PREFIX_PATH="$work/prefix" \
      -DRUNTIME_TEST="$runtime_test"
    "$cmake" --build "$work/build"
    ;;
  pkg_config)
    # The installed file names the prefix of the configuration, so tell
    # pkg-config where it really is.
    pc_dir="$(dirname "$(find "$work/prefix" -name troupe.pc)")"
    pc=(pkg-config --define-variable=prefix="$work/prefix")
    export PKG_CONFIG_PATH="$pc_dir"
    mkdir "$work/build"
    # shellcheck disable=SC2046 # the flags are words
    "$cxx" -Wall -Wextra -Werror "$here/consumer/main.cpp" \
      -o "$work/build/consumer" \
      $("${pc[@]}" --cflags troupe) $("${pc[@]}" --libs troupe)
    # shellcheck disable=SC2046 # the flags are words
    "$cxx" -Wall -Wextra -Werror "$here/consumer/client.cpp" \
      -o "$work/build/consumer_client" \
      $("${pc[@]}" --cflags troupe-api) $("${pc[@]}" --libs troupe-api)
    # shellcheck disable=SC2046 # the flags are words
    "$cxx" -Wall -Wextra -Werror "$runtime_test" \
      -o "$work/build/consumer_test" \
      $("${pc[@]}" --cflags troupe-testing) $("${pc[@]}" --libs troupe-testing)
    ;;
  *)
    echo "Error: unknown way \"$way\"" >&2
    exit 2
    ;;
esac

# Each installed header must be complete by itself: all it includes is
# installed as well.
if [[ "$way" == find_package ]]; then
  while read -r header; do
    echo "#include \"troupe/$header\"" \
      | "$cxx" -std=c++20 -fsyntax-only -Wall -Wextra -Werror \
        -I"$work/prefix/include" -x c++ -
  done < <(cd "$work/prefix/include/troupe" && find . -name '*.hpp')
fi

if ldd "$work/build/consumer_client" | grep -E 'caf|ssl|curl'; then
  echo "Error: a program with troupe::api alone loads the above" >&2
  exit 1
fi

"$work/build/consumer"
"$work/build/consumer_client"
"$work/build/consumer_test"
