#include "troupe/tools/adapter/namespace.hpp"

#include "troupe/config/model/id.hpp"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

namespace troupe::adapter {

std::string open_namespace::descriptor_path() const {
  return "/proc/" + std::to_string(::getpid()) + "/fd/"
         + std::to_string(fd.get());
}

result<open_namespace> open_container(const std::string& path) {
  auto operation = "open namespace " + quoted(path);
  // A FIFO must not make us wait.
  auto fd
    = netns::unique_fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (!fd)
    return fail(os_failure(errno, operation));
  if (::ioctl(fd.get(), NS_GET_NSTYPE) != CLONE_NEWNET)
    return fail(ec::invalid_argument,
                operation + ": it is not a network namespace");
  struct stat about = {};
  if (::fstat(fd.get(), &about) != 0)
    return fail(os_failure(errno, operation));
  if (about.st_ino == inode_at("/proc/self/ns/net"))
    return fail(ec::forbidden, operation + ": it is the host's own namespace");
  return open_namespace{std::move(fd), path, about.st_ino};
}

uint64_t inode_at(const std::string& path) {
  struct stat about = {};
  return ::stat(path.c_str(), &about) == 0 ? about.st_ino : 0;
}

} // namespace troupe::adapter
