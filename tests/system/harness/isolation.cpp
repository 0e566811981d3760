#include "troupe/tests/system/harness/isolation.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace troupe::test {

namespace {

// Set before the tests run, read by them.
std::string& refusal() {
  static auto text = std::string{};
  return text;
}

std::string failed(const char* what) {
  return std::string{what} + ": " + std::strerror(errno);
}

// @returns why it failed; empty: it worked.
std::string unshare_all() {
  if (geteuid() != 0)
    return "needs root";
  if (unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID) != 0)
    return failed("unshare");
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return failed("make mounts private");
  return {};
}

// The rest must happen inside: /proc shows the namespace of who mounts it.
std::string mount_all() {
  if (mount("proc", "/proc", "proc", 0, nullptr) != 0)
    return failed("mount /proc");
  if (mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") != 0)
    return failed("mount tmpfs on /run");
  return {};
}

int exit_code_of(pid_t child) {
  auto status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      return 1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

} // namespace

int run_isolated(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (GTEST_FLAG_GET(list_tests))
    return RUN_ALL_TESTS();
  refusal() = unshare_all();
  if (!refusal().empty())
    return RUN_ALL_TESTS();
  auto child = fork();
  if (child < 0) {
    refusal() = failed("fork");
    return RUN_ALL_TESTS();
  }
  if (child > 0)
    return exit_code_of(child);
  refusal() = mount_all();
  return RUN_ALL_TESTS();
}

const std::string& isolation_refusal() {
  return refusal();
}

// As on a host with containers; the daemon would switch it on.
bool forward_packets() {
  for (const auto* path : {"/proc/sys/net/ipv4/ip_forward",
                           "/proc/sys/net/ipv6/conf/all/forwarding"})
    if (!(std::ofstream{path} << "1" << std::flush))
      return false;
  return true;
}

bool enter_fresh_network() {
  if (unshare(CLONE_NEWNET) != 0)
    return false;
  auto fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return false;
  auto change = ifreq{};
  std::strcpy(change.ifr_name, "lo");
  change.ifr_flags = IFF_UP;
  auto done = ioctl(fd, SIOCSIFFLAGS, &change) == 0;
  close(fd);
  return done && forward_packets();
}

} // namespace troupe::test
