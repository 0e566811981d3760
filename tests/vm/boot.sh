#!/bin/bash
# Runs a command on Debian 12's own kernel (Linux 6.1 with all its modules) in a
# virtual machine, emulated, so that no hardware support is needed. Its root is
# this machine's, read-only, below a tmpfs: what the command writes is gone
# afterwards, but for what it puts into $VM_OUT. It starts after about 20 s; a
# program runs 10 to 20 times slower in there. There is no network card.
#
# Usage: tests/vm/boot.sh COMMAND [ARGUMENT...]
#   Needs root. Working directory, PATH and TEST_* variables are kept; the exit
#   code is the command's, 124 when time ran out, 77 when there is no kernel.
# Environment:
#   VM_CACHE=/var/tmp/troupe-vm  where the kernel is kept from run to run
#   VM_OUT=                      a directory that the command sees as /mnt/out
#   VM_MEMORY_MB=2048            memory of the machine
#   VM_SECONDS=900               how long it may take altogether
#   VM_KERNEL=                   e.g. linux-image-6.1.0-56-amd64; else the newest
set -euo pipefail

if [[ $# -eq 0 || $1 == --help ]]; then
  sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
  exit $(($# == 0 ? 2 : 0))
fi
if [[ $(id -u) -ne 0 ]]; then
  echo "Error: the machine's root is this one's, which only root can read" >&2
  echo "Hint: sudo $0 $*" >&2
  exit 1
fi

cache="${VM_CACHE:-/var/tmp/troupe-vm}"
readonly no_kernel=77

# What the machine needs before its root is there.
readonly early_modules=(virtio_pci 9pnet_virtio 9p overlay)

check_programs() {
  local program
  for program in qemu-system-x86_64 busybox cpio depmod zstd; do
    if ! command -v "$program" >/dev/null; then
      echo "vm: there is no $program; run tools/setup.sh test" >&2
      exit "$no_kernel"
    fi
  done
}

# Unpacks the kernel's package: nothing of it is installed here.
fetch_kernel() {
  local name="${VM_KERNEL:-}" root="$cache/root"
  [[ -n $name ]] || name="$(apt-cache depends linux-image-amd64 2>/dev/null \
    | awk '/Depends: linux-image-[0-9]/ { print $2; exit }')"
  if [[ -z $name ]]; then
    echo "vm: apt knows no package linux-image-amd64" >&2
    exit "$no_kernel"
  fi
  rm -rf "$root" "$cache"/*.deb
  if ! (cd "$cache" && apt-get -qq -o APT::Sandbox::User=root \
    download "$name"); then
    echo "vm: the package $name cannot be downloaded" >&2
    exit "$no_kernel"
  fi
  dpkg -x "$cache/$name"_*.deb "$root"
  rm "$cache"/*.deb
  depmod -b "$root" "$(ls "$root/lib/modules")"
}

# The first root of the machine: mounts the second one and goes there.
make_initrd() {
  local version tree="$cache/tree" module file
  version="$(ls "$cache/root/lib/modules")"
  rm -rf "$tree"
  mkdir -p "$tree"/{bin,proc,sys,dev,new,lower,upper,modules}
  cp "$(command -v busybox)" "$tree/bin/busybox"
  for module in sh mount insmod switch_root mkdir; do
    ln -s busybox "$tree/bin/$module"
  done
  for module in "${early_modules[@]}"; do
    modprobe -S "$version" -d "$cache/root" --show-depends "$module"
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' \
    | while read -r file; do
      cp "$file" "$tree/modules/"
      basename "$file" >>"$tree/modules/order"
    done
  cat >"$tree/init" <<'INIT'
#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do
  insmod "/modules/$module"
done </modules/order
shared=trans=virtio,version=9p2000.L,msize=1048576
mount -t 9p -o "$shared,ro,cache=loose" root /lower
mount -t tmpfs -o size=70% tmpfs /upper
mkdir -p /upper/data /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work \
  overlay /new
for directory in proc sys dev; do
  mkdir -p "/new/$directory"
  mount --move "/$directory" "/new/$directory"
done
mkdir -p /new/lib/modules
mount -t 9p -o "$shared,ro,cache=loose" modules /new/lib/modules
mount -t 9p -o "$shared" exchange /new/mnt
exec switch_root /new /bin/bash /mnt/start
INIT
  chmod +x "$tree/init"
  (cd "$tree" && find . | cpio -o -H newc 2>/dev/null) | zstd -q -1 \
    >"$cache/initrd.new"
  mv "$cache/initrd.new" "$cache/initrd"
  rm -rf "$tree"
}

# Prepares the cache, once; several runs at a time wait for the first one.
prepare() {
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9
  if ! compgen -G "$cache/root/boot/vmlinuz-*" >/dev/null; then
    fetch_kernel
    rm -f "$cache/initrd"
  fi
  # It is made by the text above, which may have changed.
  [[ $cache/initrd -nt ${BASH_SOURCE[0]} ]] || make_initrd
  exec 9>&-
}

# What the machine runs instead of an init: the command, then the power switch.
write_start() {
  local name
  echo '#!/bin/bash'
  printf 'export PATH=%q HOME=/root LANG=C.UTF-8\n' "$PATH"
  for name in $(compgen -e | grep '^TEST_' || true); do
    printf 'export %s=%q\n' "$name" "${!name}"
  done
  cat <<'START'
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /run
mkdir -p /run/netns
mount -t tmpfs tmpfs /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
START
  printf 'cd %q || exit 1\n' "$PWD"
  printf '%q ' "$@"
  cat <<'END'
</dev/null >/mnt/log 2>&1
echo $? >/mnt/code
sync
echo 1 >/proc/sys/kernel/sysrq
echo b >/proc/sysrq-trigger
sleep 60
END
}

check_programs
prepare
exchange="$(mktemp -d)"
trap 'rm -rf "$exchange"' EXIT
mkdir "$exchange/out"
write_start "$@" >"$exchange/start"

# Starts the machine and waits for its end. It fails when it is not up in time,
# as happens where the host is so busy that its timers seem broken.
readonly boot_seconds=180 no_mapping=security_model=none
run_machine() {
  local machine waited=0
  timeout "${VM_SECONDS:-900}" qemu-system-x86_64 -accel tcg,thread=multi \
    -cpu max -smp 2 -m "${VM_MEMORY_MB:-2048}" -nic none -nographic -no-reboot \
    -kernel "$(ls "$cache"/root/boot/vmlinuz-*)" -initrd "$cache/initrd" \
    -append "console=ttyS0 quiet panic=-1 no_timer_check" -monitor none \
    -serial "file:$exchange/console" \
    -virtfs "local,path=/,mount_tag=root,$no_mapping,readonly=on,multidevs=remap" \
    -virtfs "local,path=$cache/root/lib/modules,mount_tag=modules,$no_mapping,readonly=on" \
    -virtfs "local,path=$exchange,mount_tag=exchange,$no_mapping" \
    </dev/null &
  machine=$!
  while [[ ! -e $exchange/log ]] && kill -0 "$machine" 2>/dev/null; do
    if ((++waited > boot_seconds)) \
      || grep -q 'Kernel panic' "$exchange/console" 2>/dev/null; then
      kill "$machine"
    fi
    sleep 1
  done
  wait "$machine" || true
  [[ -e $exchange/log ]]
}

for try in 1 2 3; do
  run_machine && break
  echo "vm: try $try: the machine did not come up" >&2
done

if [[ -e $exchange/log ]]; then
  cat "$exchange/log"
else
  echo "vm: the machine did not come up; it said:" >&2
  tail -n 20 "$exchange/console" >&2
fi
[[ -z ${VM_OUT:-} ]] || cp -r "$exchange/out/." "$VM_OUT"
exit "$(cat "$exchange/code" 2>/dev/null || echo 124)"
