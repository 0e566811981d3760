#include "troupe/netns/real/sysctl_files.hpp"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/syscall.h>

namespace troupe::netns {

namespace {

// Renewing costs some 0.1 ms of work and a wait for RCU; look-ups get 0.1 ms
// slower until then.
constexpr auto most_opened = 200;

// Not attached anywhere: it goes when the descriptor is closed. Where we may
// not mount (in a user namespace without a full /proc) the usual one serves.
unique_fd open_procfs() {
  auto context = unique_fd{
    static_cast<int>(::syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC))};
  constexpr auto attributes
    = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  if (context
      && ::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr,
                   nullptr, 0)
           == 0)
    if (auto root = unique_fd{static_cast<int>(
          ::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, attributes))})
      return root;
  return unique_fd{::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC)};
}

} // namespace

unique_fd sysctl_files::open(const std::string& name, int flags) {
  auto lock = std::lock_guard{mutex_};
  if (!root_ || ++opened_ > most_opened) {
    root_ = open_procfs();
    opened_ = 0;
  }
  auto path = "sys/" + name;
  return unique_fd{::openat(root_.get(), path.c_str(), flags | O_CLOEXEC)};
}

} // namespace troupe::netns
