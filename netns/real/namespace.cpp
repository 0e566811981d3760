#include "troupe/netns/real/namespace.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/netns/names.hpp"
#include "troupe/netns/undo_stack.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <dirent.h>
#include <exception>
#include <filesystem>
#include <memory>

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

namespace troupe::netns {

namespace {

// Not /proc/self: that is the main thread's, whatever thread asks.
constexpr auto own_namespace_path = "/proc/thread-self/ns/net";

// A pin may be mounted several times over; more than that is not ours to undo.
constexpr auto most_mounts = 10;

tl::unexpected<error>
os_fail(std::string_view operation, std::string_view detail = {}) {
  return fail(os_failure(errno, operation, detail));
}

unique_fd open_own() {
  return unique_fd{::open(own_namespace_path, O_RDONLY | O_CLOEXEC)};
}

// Returns the thread to its namespace when destroyed.
class way_back {
public:
  explicit way_back(const unique_fd& home) : home_(home.get()) {
  }
  way_back(const way_back&) = delete;
  way_back& operator=(const way_back&) = delete;

  ~way_back() {
    auto saved = errno;
    if (::setns(home_, CLONE_NEWNET) != 0) {
      std::fprintf(stderr, "cannot return to the own namespace: %s\n",
                   std::strerror(errno));
      std::terminate();
    }
    errno = saved;
  }

private:
  int home_;
};

// Sandboxes listen to nobody about routes. "all" sets "default" as well for
// disable_ipv6 only. A kernel without IPv6 has none of its files, which is as
// good.
bool make_quiet(sysctl_files& files) {
  struct row {
    const char* name;
    const char* value;
  };
  constexpr auto rows = std::array{
    row{"net/ipv6/conf/all/disable_ipv6", "1"},
    row{"net/ipv6/conf/default/accept_ra", "0"},
    row{"net/ipv6/conf/default/accept_redirects", "0"},
    row{"net/ipv4/conf/all/accept_redirects", "0"},
    row{"net/ipv4/conf/default/accept_redirects", "0"},
  };
  for (const auto& [name, value] : rows) {
    auto fd = files.open(name, O_WRONLY);
    if (fd ? ::write(fd.get(), value, 1) != 1 : errno != ENOENT)
      return false;
  }
  return true;
}

bool raise_loopback() {
  auto socket = unique_fd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  auto request = ifreq{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING;
  return socket && ::ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0;
}

uint64_t inode_of(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 ? status.st_ino : 0;
}

bool is_network_namespace(int fd) {
  struct statfs file_system {};
  return ::fstatfs(fd, &file_system) == 0 && file_system.f_type == NSFS_MAGIC
         && ::ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET;
}

struct closes_directory {
  void operator()(DIR* directory) const {
    ::closedir(directory);
  }
};

using directory_stream = std::unique_ptr<DIR, closes_directory>;

// The device of all namespace files; tells them from files on tmpfs or disk
// without opening them.
result<dev_t> namespace_device() {
  struct stat status {};
  if (::stat(own_namespace_path, &status) != 0)
    return os_fail("look at own namespace");
  return status.st_dev;
}

result<void> check_pin_name(const std::string& name) {
  if (is_pin_name(name))
    return {};
  return fail(ec::invalid_argument,
              "pin namespace " + quoted(name) + ": not a valid name",
              "use letters, digits, '_', '.' and '-'");
}

} // namespace

result<unique_fd>
open_in(int ns, const opener& open, const std::string& operation) {
  auto home = open_own();
  if (!home)
    return os_fail(operation, "cannot open own namespace");
  if (::setns(ns, CLONE_NEWNET) != 0)
    return os_fail(operation, "cannot enter the namespace");
  auto back = way_back{home};
  auto opened = open();
  if (!opened)
    return os_fail(operation);
  return opened;
}

result<unique_fd> own_namespace() {
  auto fd = open_own();
  if (!fd)
    return os_fail("open own namespace");
  return fd;
}

result<unique_fd> make_namespace(sysctl_files& files) {
  auto home = open_own();
  if (!home)
    return os_fail("make namespace", "cannot open own namespace");
  if (::unshare(CLONE_NEWNET) != 0)
    return os_fail("make namespace");
  auto back = way_back{home};
  auto made = open_own();
  if (!made)
    return os_fail("make namespace", "cannot open it");
  if (!make_quiet(files))
    return os_fail("make namespace", "cannot write its sysctls");
  if (!raise_loopback())
    return os_fail("make namespace", "cannot raise its loopback");
  return made;
}

result<uint64_t> namespace_inode(int fd, const std::string& path) {
  if (is_network_namespace(fd))
    return inode_of(fd);
  return fail(ec::invalid_argument,
              "open namespace " + quoted(path) + ": no network namespace",
              "give a file like /proc/PID/ns/net or /run/netns/NAME");
}

result<pin_directory> pin_directory::open(const std::string& path) {
  auto operation = "open pin directory " + quoted(path);
  if (!path.starts_with('/'))
    return fail(ec::invalid_argument, operation + ": not an absolute path");
  auto problem = std::error_code{};
  std::filesystem::create_directories(std::filesystem::path{path}.parent_path(),
                                      problem);
  if (problem)
    return fail(os_failure(problem.value(), operation));
  if (::mkdir(path.c_str(), 0711) != 0 && errno != EEXIST)
    return os_fail(operation);
  auto fd = unique_fd{
    ::open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!fd)
    return os_fail(operation);
  return pin_directory{path};
}

std::string pin_directory::path_of(const std::string& name) const {
  return path_ + '/' + name;
}

result<namespace_ref>
pin_directory::add(const std::string& name, int fd) const {
  if (auto valid = check_pin_name(name); !valid)
    return fail(std::move(valid.error()));
  auto operation = [&] {
    return "pin namespace " + name;
  };
  auto path = path_of(name);
  auto make_file = [&] {
    return unique_fd{
      ::open(path.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
             0600)};
  };
  auto file = make_file();
  // Somebody took the directory away.
  if (!file && errno == ENOENT && ::mkdir(path_.c_str(), 0711) == 0)
    file = make_file();
  if (!file)
    return os_fail(operation());
  auto source = "/proc/self/fd/" + std::to_string(fd);
  if (::mount(source.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) != 0) {
    auto why = os_fail(operation());
    ::unlink(path.c_str());
    return why;
  }
  return namespace_ref{path, inode_of(fd)};
}

result<void> pin_directory::remove(const std::string& name) const {
  if (auto valid = check_pin_name(name); !valid)
    return valid;
  auto path = path_of(name);
  // Unlinking also detaches the mount in every other mount namespace that
  // holds a copy; it is only in our own that it must be unmounted before.
  for (int i = 0; i < most_mounts; ++i) {
    if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0
        && errno != EINVAL && errno != ENOENT)
      return os_fail("unmount namespace " + name);
    if (::unlink(path.c_str()) == 0)
      return {};
    if (errno != EBUSY)
      break;
  }
  return os_fail("remove namespace " + name);
}

result<std::vector<std::pair<std::string, namespace_ref>>>
pin_directory::list() const {
  auto operation = "list namespaces in " + path_;
  auto device = namespace_device();
  if (!device)
    return fail(std::move(device.error()));
  auto directory = directory_stream{::opendir(path_.c_str())};
  if (!directory && errno == ENOENT)
    return std::vector<std::pair<std::string, namespace_ref>>{};
  if (!directory)
    return os_fail(operation);
  auto pins = std::vector<std::pair<std::string, namespace_ref>>{};
  for (errno = 0; auto* entry = ::readdir(directory.get()); errno = 0) {
    auto name = std::string{entry->d_name};
    struct stat status {};
    if (!is_pin_name(name)
        || ::fstatat(::dirfd(directory.get()), entry->d_name, &status,
                     AT_SYMLINK_NOFOLLOW)
             != 0
        || !S_ISREG(status.st_mode))
      continue; // Removed meanwhile, or none of ours.
    auto inode = status.st_dev == *device ? status.st_ino : 0;
    pins.emplace_back(name, namespace_ref{path_of(name), inode});
  }
  if (errno != 0)
    return os_fail(operation);
  std::ranges::sort(pins, {}, [](const auto& x) {
    return x.first;
  });
  return pins;
}

result<std::string> find_process_namespace(uint64_t inode) {
  auto operation = "find namespace " + std::to_string(inode);
  auto device = namespace_device();
  if (!device)
    return fail(std::move(device.error()));
  auto directory = directory_stream{::opendir("/proc")};
  if (!directory)
    return os_fail(operation);
  while (auto* entry = ::readdir(directory.get())) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
      continue;
    auto path = std::string{"/proc/"} + entry->d_name + "/ns/net";
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0 && status.st_dev == *device
        && status.st_ino == inode)
      return path;
  }
  return fail(os_failure(ENOENT, operation));
}

result<unique_fd> open_namespace(const namespace_ref& ns) {
  auto operation = [&] {
    return "open namespace " + quoted(ns.path);
  };
  auto fd = unique_fd{::open(ns.path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd)
    return os_fail(operation());
  if (!is_network_namespace(fd.get()))
    return fail(ec::not_found, operation() + ": no namespace is mounted there");
  if (inode_of(fd.get()) != ns.inode)
    return fail(ec::not_found,
                operation() + ": another namespace is mounted there");
  return fd;
}

} // namespace troupe::netns
