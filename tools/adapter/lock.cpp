#include "troupe/tools/adapter/lock.hpp"

#include "troupe/config/model/id.hpp"

#include <cerrno>
#include <filesystem>
#include <string_view>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace troupe::adapter {

using netns::unique_fd;

namespace {

using clock = std::chrono::steady_clock;

constexpr auto pause = std::chrono::milliseconds{5};
constexpr auto mark = std::string_view{"pending\n"};

// Whoever had the lock before may have removed the file.
bool is_at(int fd, const std::string& path) {
  struct stat held = {};
  struct stat there = {};
  return ::fstat(fd, &held) == 0 && ::stat(path.c_str(), &there) == 0
         && held.st_dev == there.st_dev && held.st_ino == there.st_ino;
}

bool is_marked(int fd) {
  struct stat held = {};
  return ::fstat(fd, &held) == 0 && held.st_size > 0;
}

} // namespace

attachment_lock::attachment_lock(unique_fd fd, std::string path)
  : fd_{std::move(fd)}, path_{std::move(path)}, unsettled_{
                                                  is_marked(fd_.get())} {
}

result<attachment_lock>
attachment_lock::take(const std::string& path,
                      std::chrono::milliseconds deadline) {
  const auto due = clock::now() + deadline;
  for (;;) {
    auto fd = unique_fd{
      ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!fd)
      return fail(os_failure(errno, "open lock " + quoted(path)));
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) {
      if (is_at(fd.get(), path))
        return attachment_lock{std::move(fd), path};
      continue;
    }
    if (errno != EWOULDBLOCK && errno != EINTR)
      return fail(os_failure(errno, "lock " + quoted(path)));
    if (clock::now() >= due)
      return fail(ec::unavailable,
                  "lock " + quoted(path)
                    + ": another call for this interface is still at work");
    std::this_thread::sleep_for(pause);
  }
}

result<void> attachment_lock::begin() {
  if (::pwrite(fd_.get(), mark.data(), mark.size(), 0)
      != static_cast<ssize_t>(mark.size()))
    return fail(os_failure(errno, "write lock " + quoted(path_)));
  unsettled_ = true;
  return {};
}

void attachment_lock::settle() {
  unsettled_ = false;
  // What stays marked costs the next call a look.
  static_cast<void>(::ftruncate(fd_.get(), 0) == 0);
}

void attachment_lock::forget() {
  ::unlink(path_.c_str());
}

result<void> make_directory(const std::string& path) {
  auto why = std::error_code{};
  std::filesystem::create_directories(std::filesystem::path{path}.parent_path(),
                                      why);
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST)
    return {};
  return fail(os_failure(errno, "make directory " + quoted(path)));
}

} // namespace troupe::adapter
