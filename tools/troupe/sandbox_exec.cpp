#include "troupe/tools/troupe/sandbox_exec.hpp"

#include "troupe/netns/unique_fd.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace troupe::tools {

namespace {

constexpr int exit_not_executable = 126;
constexpr int exit_no_command = 127;

// Best effort: without it only /sys/class/net shows the wrong interfaces.
void remount_sys() {
  struct statvfs before {};
  if (::statvfs("/sys", &before) != 0 || ::unshare(CLONE_NEWNS) != 0)
    return;
  if (::mount("", "/", "none", MS_SLAVE | MS_REC, nullptr) != 0)
    return;
  auto flags = (before.f_flag & ST_RDONLY) != 0 ? 0UL + MS_RDONLY : 0UL;
  (void)::umount2("/sys", MNT_DETACH);
  (void)::mount("sysfs", "/sys", "sysfs",
                flags | MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
}

} // namespace

exec_failure exec_in_namespace(const std::string& path,
                               const std::vector<std::string>& command) {
  auto fd = netns::unique_fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd || ::setns(fd.get(), CLONE_NEWNET) != 0) {
    auto why = os_failure(errno, "enter namespace " + path);
    if (::geteuid() != 0)
      why.hint = "only root may enter a namespace";
    // The daemon was reached, so this is not its absence.
    why.os_error = 0;
    return {why, 1};
  }
  remount_sys();
  auto texts = std::vector<char*>{};
  for (const auto& x : command)
    texts.push_back(const_cast<char*>(x.c_str()));
  texts.push_back(nullptr);
  ::execvp(texts.front(), texts.data());
  auto number = errno;
  auto why = os_failure(number, "run " + command.front());
  why.os_error = 0;
  return {why, number == ENOENT ? exit_no_command : exit_not_executable};
}

} // namespace troupe::tools
