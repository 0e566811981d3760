#include "troupe/persistence/directory.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace troupe::persistence {

namespace {

/// An error from errno whose refusals by rights are all `forbidden`.
error refusal(int code, const std::string& operation) {
  auto result = os_failure(code, operation);
  if (code == EROFS || code == EACCES || code == EPERM || code == ENOTDIR
      || code == ELOOP)
    result.code = ec::forbidden;
  if (code == ENOSPC || code == EDQUOT) {
    result.code = ec::unavailable;
    result.hint = "the disk is full: free some space";
  }
  return result;
}

result<void> make_directory(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0 || errno == EEXIST)
    return {};
  if (errno != ENOENT)
    return fail(refusal(errno, "create directory " + path));
  auto slash = path.find_last_of('/');
  if (slash == std::string::npos || slash == 0)
    return fail(refusal(ENOENT, "create directory " + path));
  // The parent also holds the socket, which a group may use.
  if (auto done = make_directory(path.substr(0, slash), 0755); !done)
    return done;
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
    return fail(refusal(errno, "create directory " + path));
  return {};
}

result<void> check_directory(const std::string& path) {
  struct stat info = {};
  if (::lstat(path.c_str(), &info) != 0)
    return fail(refusal(errno, "inspect " + path));
  if (!S_ISDIR(info.st_mode))
    return fail(ec::forbidden, "open store " + path + ": not a directory");
  if (info.st_uid != ::geteuid())
    return fail(ec::forbidden,
                "open store " + path + ": belongs to user "
                  + std::to_string(info.st_uid),
                "chown it to user " + std::to_string(::geteuid()));
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return fail(ec::forbidden,
                "open store " + path + ": others may write to it",
                "chmod 0700 " + path);
  return {};
}

/// The process id that the holder wrote into its lock; 0 if none.
pid_t holder(const unique_fd& fd) {
  char text[32] = {};
  auto size = ::pread(fd.value(), text, sizeof(text) - 1, 0);
  pid_t result = 0;
  if (size > 0)
    std::from_chars(text, text + size, result);
  return std::max(result, 0);
}

error in_use(const std::string& path, const unique_fd& fd) {
  auto pid = holder(fd);
  auto who = pid == 0 ? std::string{"another process"}
                      : "process " + std::to_string(pid);
  return error{ec::conflict, "open store " + path + ": in use by " + who,
               "stop it, or choose other --state-dir and --run-dir", 0};
}

/// Takes the lock. A holder that was killed while its checking child was at
/// work leaves the lock to that child, which dies a moment later; so a dead
/// holder's lock is waited for, a living one's (who may be just dying) hardly.
bool lock_or_wait(const unique_fd& fd) {
  using namespace std::chrono_literals;
  auto start = std::chrono::steady_clock::now();
  while (::flock(fd.value(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR)
      continue;
    if (errno != EWOULDBLOCK)
      return false;
    auto pid = holder(fd);
    auto is_dead = pid != 0 && ::kill(pid, 0) != 0 && errno == ESRCH;
    if (std::chrono::steady_clock::now() - start > (is_dead ? 5s : 200ms)) {
      errno = EWOULDBLOCK;
      return false;
    }
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

/// True while the locked file is still the one with the name: somebody may
/// have removed it between our open and our flock.
bool is_current(const unique_fd& fd, const std::string& path) {
  struct stat ours = {};
  struct stat named = {};
  return ::fstat(fd.value(), &ours) == 0 && ::lstat(path.c_str(), &named) == 0
         && ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

result<unique_fd> lock_file(const std::string& directory) {
  auto path = directory + "/lock";
  for (int attempt = 0; attempt < 10; ++attempt) {
    auto fd = open_file(path, O_RDWR | O_CREAT);
    if (!fd)
      return fail(refusal(errno, "open " + path));
    if (!lock_or_wait(fd)) {
      if (errno == EWOULDBLOCK)
        return fail(in_use(directory, fd));
      return fail(refusal(errno, "lock " + path));
    }
    if (is_current(fd, path))
      return fd;
  }
  return fail(ec::conflict, "lock " + path + ": the file keeps changing");
}

} // namespace

result<directory_lock> directory_lock::take(const std::string& path) {
  if (auto done = make_directory(path, 0700); !done)
    return fail(std::move(done.error()));
  if (auto done = check_directory(path); !done)
    return fail(std::move(done.error()));
  auto fd = lock_file(path);
  if (!fd)
    return fail(std::move(fd.error()));
  // For the other's error message only, so a full disk does not matter here.
  auto text = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd->value(), 0) == 0)
    (void)!::pwrite(fd->value(), text.data(), text.size(), 0);
  return directory_lock{std::move(*fd)};
}

} // namespace troupe::persistence
