#include "troupe/persistence/file.hpp"

#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace troupe::persistence {

namespace {

// More damaged copies than this were never looked at; stop instead of filling
// the disk with them.
constexpr int max_set_aside = 100;

} // namespace

unique_fd::~unique_fd() {
  reset();
}

void unique_fd::reset() {
  if (fd_ >= 0)
    ::close(std::exchange(fd_, -1));
}

unique_fd open_file(const std::string& path, int flags, unsigned mode) {
  int fd = -1;
  do
    fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, mode);
  while (fd < 0 && errno == EINTR);
  return unique_fd{fd};
}

result<std::string> read_small_file(const std::string& path) {
  auto fd = open_file(path, O_RDONLY);
  if (!fd)
    return fail(os_failure(errno, "open " + path));
  auto text = std::string(64 * 1024, '\0');
  auto size = ::read(fd.value(), text.data(), text.size());
  if (size < 0)
    return fail(os_failure(errno, "read " + path));
  text.resize(static_cast<size_t>(size));
  return text;
}

result<void> rename_durably(const std::string& directory,
                            const std::string& from, const std::string& to) {
  auto old_path = directory + "/" + from;
  auto new_path = directory + "/" + to;
  if (::rename(old_path.c_str(), new_path.c_str()) != 0)
    return fail(os_failure(errno, "rename " + old_path + " to " + to));
  auto fd = open_file(directory, O_RDONLY | O_DIRECTORY);
  if (!fd || ::fsync(fd.value()) != 0)
    return fail(os_failure(errno, "sync " + directory));
  return {};
}

result<std::string>
set_aside(const std::string& directory, const std::string& name) {
  for (int n = 1; n <= max_set_aside; ++n) {
    auto wanted = name + ".damaged-" + std::to_string(n);
    auto path = directory + "/" + wanted;
    struct stat info = {};
    if (::lstat(path.c_str(), &info) == 0)
      continue;
    if (errno != ENOENT)
      return fail(os_failure(errno, "inspect " + path));
    if (auto done = rename_durably(directory, name, wanted); !done)
      return fail(std::move(done.error()));
    return path;
  }
  return fail(ec::internal,
              "set aside " + directory + "/" + name + ": "
                + std::to_string(max_set_aside)
                + " damaged copies are already there",
              "find out why the file gets damaged, then remove the copies");
}

} // namespace troupe::persistence
