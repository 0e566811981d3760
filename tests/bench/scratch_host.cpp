#include "scratch_host.hpp"

#include "raw_netlink.hpp"
#include "samples.hpp"
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

namespace troupe::bench {

namespace {

using namespace std::chrono_literals;

constexpr auto longest_settling = 60s;

/// Asks every few milliseconds; dies when it takes too long.
void await(const std::function<bool()>& condition, const char* what) {
  auto watch = stopwatch{};
  while (!condition()) {
    if (watch.elapsed() > longest_settling)
      die(std::string{what} + ": not within a minute");
    std::this_thread::sleep_for(2ms);
  }
}

} // namespace

void enter_scratch_mounts() {
  if (::unshare(CLONE_NEWNS) != 0)
    die_errno("make a mount namespace (are you root?)");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    die_errno("make mounts private");
  if (::mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") != 0)
    die_errno("mount tmpfs on /run");
}

netns::unique_fd current_namespace() {
  auto fd = netns::unique_fd{
    ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
  if (!fd)
    die_errno("open own namespace");
  return fd;
}

netns::unique_fd enter_new_namespace() {
  if (::unshare(CLONE_NEWNET) != 0)
    die_errno("make a network namespace");
  return current_namespace();
}

bool write_text(const char* path, const char* text) {
  auto fd = netns::unique_fd{::open(path, O_WRONLY | O_CLOEXEC)};
  auto size = std::strlen(text);
  return fd && ::write(fd.get(), text, size) == static_cast<ssize_t>(size);
}

scratch_host::scratch_host() {
  auto home = current_namespace();
  fd_ = enter_new_namespace();
  auto requests = request_batch{};
  raise_link(requests, 1);
  raw_socket{}.must(requests, "raise loopback");
  // Room for 50 000 automatic ports.
  if (!write_text("/proc/sys/net/ipv4/ip_local_port_range", "1024 65535"))
    die_errno("widen the range of automatic ports");
  if (::setns(home.get(), CLONE_NEWNET) != 0)
    die_errno("return to own namespace");
}

void scratch_host::run(const std::function<void()>& f) const {
  auto home = current_namespace();
  if (::setns(fd_.get(), CLONE_NEWNET) != 0)
    die_errno("enter scratch namespace");
  f();
  if (::setns(home.get(), CLONE_NEWNET) != 0)
    die_errno("return to own namespace");
}

size_t scratch_host::links() const {
  auto lines = size_t{0};
  run([&] {
    auto file = std::ifstream{"/proc/thread-self/net/dev"};
    for (auto line = std::string{}; std::getline(file, line);)
      ++lines;
  });
  constexpr auto title_lines = size_t{2};
  return lines - std::min(lines, title_lines);
}

void scratch_host::settle(size_t links) const {
  await(
    [&] {
      return this->links() <= links;
    },
    "wait for links to go");
  wait_for_cleaner();
}

void scratch_host::wait_for_cleaner() const {
  static constexpr auto name = "settle0";
  run([&] {
    auto host = current_namespace();
    auto socket = raw_socket{};
    {
      auto dropped = enter_new_namespace();
      auto requests = request_batch{};
      add_veth(requests, {.name = name,
                          .peer_name = "settle1",
                          .peer_namespace = dropped.get()});
      socket.must(requests, "make a veth");
      if (::setns(host.get(), CLONE_NEWNET) != 0)
        die_errno("return to scratch namespace");
    }
    await(
      [] {
        return ::if_nametoindex(name) == 0;
      },
      "wait for the kernel to drop namespaces");
  });
}

void drop_pins(const std::string& directory) {
  auto problem = std::error_code{};
  auto entries = std::filesystem::directory_iterator{directory, problem};
  if (problem)
    return; // Nothing was pinned.
  for (const auto& x : entries) {
    ::umount2(x.path().c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
    ::unlink(x.path().c_str());
  }
}

} // namespace troupe::bench
