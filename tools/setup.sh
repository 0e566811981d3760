#!/bin/bash
# Installs the Debian packages that Troupe is built from and tested with; does
# nothing when they are there. Usage: tools/setup.sh [build|test|check]
#   build  what the programs and the quickstart need
#   test   and what the tests need (default)
#   check  and what tools/check.sh needs
set -euo pipefail

build_packages=(
  ca-certificates cmake g++ make ninja-build pkg-config ccache
  libboost-dev libcaf-dev libcli11-dev libexpected-dev libfmt-dev
  liblmdb-dev libmicrohttpd-dev libnl-3-dev libnl-route-3-dev libspdlog-dev
  libssl-dev
  nlohmann-json3-dev
  iproute2 iputils-ping mount nftables perl-base procps util-linux
)
test_packages=(
  clang clang-format libclang-rt-dev llvm
  googletest libgtest-dev librapidcheck-dev
  conntrack curl iptables jq python3-minimal
  # tests/vm: the virtual machine, and what unpacks its kernel
  busybox-static cpio kmod qemu-system-x86 seabios zstd
)
# tests/system/runtimes. Where a service manager works they would become
# services of the machine: there they are used if they are installed.
if [[ ! -d /run/systemd/system ]]; then
  test_packages+=(containerd containernetworking-plugins podman runc)
fi
check_packages=(clang-tidy shellcheck)

group="${1:-test}"
case "$group" in
  build) packages=("${build_packages[@]}") ;;
  test) packages=("${build_packages[@]}" "${test_packages[@]}") ;;
  check)
    packages=("${build_packages[@]}" "${test_packages[@]}"
      "${check_packages[@]}")
    ;;
  *)
    echo "Error: unknown group \"$group\"; use build, test or check" >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "Error: this is not a Debian system; install by hand what provides:" >&2
  printf '  %s\n' "${packages[@]}" >&2
  exit 1
fi

# Prints those of the packages that are not installed.
missing_packages() {
  local package
  for package in "${packages[@]}"; do
    # shellcheck disable=SC2016 # ${...} is dpkg-query's own syntax
    if ! dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null \
      | grep -qx installed; then
      echo "$package"
    fi
  done
}

mapfile -t missing < <(missing_packages)
if [[ ${#missing[@]} -eq 0 ]]; then
  echo "setup: all ${#packages[@]} packages are installed"
  exit 0
fi

echo "setup: ${#missing[@]} packages are missing: ${missing[*]}"
if [[ $(id -u) -ne 0 ]]; then
  echo "Error: installing packages needs root" >&2
  echo "Hint: sudo $0 $group" >&2
  exit 1
fi

export DEBIAN_FRONTEND=noninteractive
log="$(mktemp)"
trap 'rm -f "$log"' EXIT

# Runs a command quietly; shows what it said if it fails.
quietly() {
  if ! "$@" >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    echo "Error: $* failed" >&2
    return 1
  fi
}

install_missing() {
  quietly apt-get install -y --no-install-recommends "${missing[@]}"
}

# Lists that were never fetched, or are older than the mirror, show as packages
# that cannot be found or downloaded: fetch them, then try again.
fetch_lists() {
  echo "setup: fetching the package lists"
  quietly apt-get -o Acquire::Retries=3 update
}

if ! compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null; then
  fetch_lists
fi
echo "setup: installing ${#missing[@]} packages"
if ! install_missing 2>/dev/null; then
  fetch_lists
  install_missing
fi

mapfile -t missing < <(missing_packages)
if [[ ${#missing[@]} -ne 0 ]]; then
  echo "Error: still missing after installation: ${missing[*]}" >&2
  exit 1
fi
echo "setup: all ${#packages[@]} packages are installed"
