#include "troupe/tools/troupe-remote/worker/confinement.hpp"

#include <array>
#include <cerrno>
#include <cstddef>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace troupe::tools::remote {

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool is_sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool is_sanitized = true;
#else
constexpr bool is_sanitized = false;
#endif
#else
constexpr bool is_sanitized = false;
#endif

/// The stacks of CAF's threads have 8 MiB each; the largest answer, as text,
/// parsed and packed, needs some 150 MiB. A peer's claim of a huge message ends
/// its own worker here.
constexpr rlim_t max_data_bytes = rlim_t{256} << 20U;

result<void> limit(int what, rlim_t most, const char* name) {
  auto x = rlimit{most, most};
  if (::setrlimit(static_cast<__rlimit_resource>(what), &x) != 0)
    return fail(os_failure(errno, std::string{"limit "} + name));
  return {};
}

// What a worker in an enemy's hands would want next.
constexpr auto refused_calls = std::array{
  SYS_openat,
  SYS_openat2,
  SYS_socket,
  SYS_connect,
  SYS_bind,
  SYS_listen,
  SYS_accept4,
  SYS_execve,
  SYS_execveat,
  SYS_ptrace,
  SYS_process_vm_readv,
  SYS_process_vm_writev,
  SYS_unlinkat,
  SYS_renameat2,
  SYS_mkdirat,
  SYS_mount,
  SYS_unshare,
  SYS_setns,
  SYS_bpf,
  SYS_io_uring_setup,
  SYS_pidfd_open,
  SYS_pidfd_getfd,
  SYS_kill,
  SYS_tkill,
#ifdef SYS_open
  SYS_open,
  SYS_creat,
  SYS_unlink,
  SYS_rename,
  SYS_mkdir,
  SYS_accept,
  SYS_fork,
  SYS_vfork,
#endif
};

constexpr auto count = refused_calls.size();

// Loads the call's number and compares it with each refused one; those end
// with EPERM, so that a library's harmless attempt does not kill.
constexpr auto make_filter() {
  auto result = std::array<sock_filter, count + 5>{};
  auto at = size_t{0};
  auto add = [&](uint16_t code, uint32_t k, uint8_t yes, uint8_t no) {
    result[at++] = sock_filter{code, yes, no, k};
  };
  add(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr), 0, 0);
#ifdef __x86_64__
  // The x32 calls are the same ones under other numbers.
  add(BPF_JMP | BPF_JGE | BPF_K, 0x40000000U, count + 1, 0);
#else
  add(BPF_JMP | BPF_JA, 0, 0, 0);
#endif
  for (size_t i = 0; i < count; ++i)
    add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(refused_calls[i]),
        static_cast<uint8_t>(count - i), 0);
  add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
  add(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
  add(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
  return result;
}

result<void> filter_calls() {
  static auto filter = make_filter();
  auto program
    = sock_fprog{static_cast<unsigned short>(filter.size()), filter.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
      || ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                   SECCOMP_FILTER_FLAG_TSYNC, &program)
           != 0)
    return fail(os_failure(errno, "filter system calls"));
  return {};
}

} // namespace

result<void> confine_worker() {
  if (auto ok = limit(RLIMIT_CORE, 0, "core dumps"); !ok)
    return ok;
  // Sanitizers map terabytes, and open /proc when they report.
  if (is_sanitized)
    return {};
  if (auto ok = limit(RLIMIT_DATA, max_data_bytes, "memory"); !ok)
    return ok;
  return filter_calls();
}

} // namespace troupe::tools::remote
