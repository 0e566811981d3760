#include "troupe/tools/troupe-proxy/privileges.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TROUPE_SANITIZED 1
#else
#define TROUPE_SANITIZED 0
#endif

namespace troupe::proxy {

namespace {

constexpr uid_t nobody = 65'534;

std::string failure(const char* what) {
  return std::string{what} + ": " + std::strerror(errno);
}

bool drop_capabilities() {
  auto header = __user_cap_header_struct{_LINUX_CAPABILITY_VERSION_3, 0};
  auto none = std::array<__user_cap_data_struct, 2>{};
  return ::syscall(SYS_capset, &header, none.data()) == 0;
}

#if defined(__x86_64__)
constexpr uint32_t architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t architecture = AUDIT_ARCH_AARCH64;
#else
constexpr uint32_t architecture = 0;
#endif

// What serving takes; everything else is EPERM.
constexpr auto allowed_calls = std::array{
  SYS_accept4,
  SYS_brk,
  SYS_clock_gettime,
  SYS_close,
  SYS_connect,
  SYS_epoll_create1,
  SYS_epoll_ctl,
  SYS_epoll_pwait,
  SYS_exit,
  SYS_exit_group,
  SYS_futex,
  SYS_getpeername,
  SYS_getrandom,
  SYS_getsockname,
  SYS_getsockopt,
  SYS_madvise,
  SYS_mmap,
  SYS_mprotect,
  SYS_mremap,
  SYS_munmap,
  SYS_pipe2,
  SYS_read,
  SYS_recvfrom,
  SYS_recvmsg,
  SYS_restart_syscall,
  SYS_rt_sigaction,
  SYS_rt_sigprocmask,
  SYS_rt_sigreturn,
  SYS_sendmsg,
  SYS_sendto,
  SYS_setsockopt,
  SYS_shutdown,
  SYS_socket,
  SYS_splice,
  SYS_write,
#ifdef SYS_epoll_wait
  SYS_epoll_wait,
#endif
};

sock_filter statement(uint32_t code, uint32_t value) {
  return {static_cast<uint16_t>(code), 0, 0, value};
}

} // namespace

size_t set_descriptor_limit(size_t wanted) {
  auto limit = rlimit{wanted, wanted};
  if (::setrlimit(RLIMIT_NOFILE, &limit) == 0)
    return wanted;
  // Not allowed to go beyond the hard limit.
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return 1'024;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, wanted);
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

void close_others(int keep) {
  if (keep < 3) {
    ::close_range(3, ~0U, 0);
    return;
  }
  if (keep > 3)
    ::close_range(3, static_cast<unsigned>(keep - 1), 0);
  ::close_range(static_cast<unsigned>(keep + 1), ~0U, 0);
}

std::string drop_privileges(const std::string& user) {
  if (::geteuid() == 0) {
    const auto* entry = user.empty() ? nullptr : ::getpwnam(user.c_str());
    auto uid = entry != nullptr ? entry->pw_uid : nobody;
    auto gid = entry != nullptr ? entry->pw_gid : nobody;
    // In a user namespace there may be no other user to become.
    auto mapped
      = ::setgroups(0, nullptr) == 0 && ::setresgid(gid, gid, gid) == 0;
    if (!mapped && errno != EINVAL && errno != EPERM)
      return failure("change the group");
    if (mapped && ::setresuid(uid, uid, uid) != 0)
      return failure("change the user");
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return failure("give up new privileges");
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (!drop_capabilities())
    return failure("drop capabilities");
  return {};
}

bool confine() {
  if (architecture == 0 || TROUPE_SANITIZED)
    return false;
  constexpr auto calls = allowed_calls.size();
  auto program = std::array<sock_filter, calls + 6>{};
  auto i = size_t{0};
  program[i++]
    = statement(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
  program[i++] = {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, architecture};
  program[i++] = statement(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  program[i++]
    = statement(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (size_t n = 0; n < calls; ++n)
    program[i++] = {BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint8_t>(calls - n),
                    0, static_cast<uint32_t>(allowed_calls[n])};
  program[i++] = statement(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
  program[i++] = statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  auto filter = sock_fprog{static_cast<unsigned short>(i), program.data()};
  return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

} // namespace troupe::proxy
