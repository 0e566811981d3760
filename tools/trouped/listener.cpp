#include "troupe/tools/trouped/listener.hpp"

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace troupe::tools {

namespace {

/// Connections the kernel keeps for us while all of ours are taken; beyond, a
/// client gets EAGAIN.
constexpr int backlog = 1'024;

constexpr mode_t socket_mode = 0660;

error failure(const std::string& path, std::string_view step) {
  auto why = errno;
  return os_failure(why, "open socket " + path + ": " + std::string{step});
}

result<sockaddr_un> address_of(const std::string& path) {
  auto result = sockaddr_un{};
  result.sun_family = AF_UNIX;
  if (path.size() >= sizeof(result.sun_path))
    return fail(ec::invalid_argument,
                "open socket " + path + ": longer than "
                  + std::to_string(sizeof(result.sun_path) - 1) + " bytes",
                "choose a shorter --run-dir or --socket");
  std::memcpy(result.sun_path, path.c_str(), path.size() + 1);
  return result;
}

const sockaddr* generic(const sockaddr_un& x) {
  return reinterpret_cast<const sockaddr*>(&x);
}

result<netns::unique_fd> make_socket(const std::string& path) {
  auto result = netns::unique_fd{
    ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!result)
    return fail(failure(path, "socket"));
  return result;
}

// Is there something at the path that must not be replaced?
result<void> check_vacant(const std::string& path, const sockaddr_un& address) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0)
    return errno == ENOENT ? result<void>{} : fail(failure(path, "look"));
  if (!S_ISSOCK(found.st_mode))
    return fail(ec::conflict,
                "open socket " + path + ": there is a file that is no socket",
                "remove it, or choose another --socket");
  auto probe = make_socket(path);
  if (!probe)
    return fail(std::move(probe.error()));
  auto connected = ::connect(probe->get(), generic(address), sizeof(address));
  if (connected == 0 || errno == EAGAIN)
    return fail(ec::conflict,
                "open socket " + path + ": another daemon listens there",
                "stop it, or choose another --run-dir or --socket");
  if (errno == ECONNREFUSED || errno == ENOENT)
    return {};
  return fail(failure(path, "connect"));
}

result<std::optional<gid_t>> group_of(const std::string& name) {
  if (name.empty())
    return std::nullopt;
  auto entry = group{};
  auto* found = static_cast<group*>(nullptr);
  auto buffer = std::vector<char>(size_t{1} << 16U);
  auto status
    = getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found != nullptr)
    return found->gr_gid;
  return fail(
    ec::invalid_argument,
    "socket group " + name + ": "
      + (status == 0 ? "there is no such group" : std::strerror(status)),
    "create it with: groupadd --system " + name);
}

} // namespace

listener::listener(listener&& other) noexcept
  : fd_{std::move(other.fd_)}, path_{std::exchange(other.path_, {})},
    device_{other.device_}, inode_{other.inode_} {
}

listener& listener::operator=(listener&& other) noexcept {
  if (this == &other)
    return *this;
  remove();
  fd_ = std::move(other.fd_);
  path_ = std::exchange(other.path_, {});
  device_ = other.device_;
  inode_ = other.inode_;
  return *this;
}

listener::~listener() {
  remove();
}

bool listener::is_in_place() const {
  struct stat found {};
  return ::lstat(path_.c_str(), &found) == 0 && found.st_dev == device_
         && found.st_ino == inode_;
}

// A successor may have put its own socket there.
void listener::remove() {
  if (!path_.empty() && is_in_place())
    (void)::unlink(path_.c_str());
}

result<listener>
listener::open(const std::string& path, const std::string& group) {
  auto wanted = address_of(path);
  auto temporary_path = path + ".new";
  auto temporary = address_of(temporary_path);
  auto gid = group_of(group);
  if (!wanted || !temporary || !gid)
    return fail(!wanted      ? wanted.error()
                : !temporary ? temporary.error()
                             : gid.error());
  if (auto vacant = check_vacant(path, *wanted); !vacant)
    return fail(std::move(vacant.error()));
  auto fd = make_socket(path);
  if (!fd)
    return fail(std::move(fd.error()));
  // What a killed predecessor left; the store's lock keeps others out.
  (void)::unlink(temporary_path.c_str());
  // The mode of the descriptor becomes the file's mode at once.
  if (::fchmod(fd->get(), S_IRUSR | S_IWUSR) != 0)
    return fail(failure(path, "set mode"));
  if (::bind(fd->get(), generic(*temporary), sizeof(*temporary)) != 0)
    return fail(failure(path, "bind"));
  auto result = listener{};
  result.fd_ = std::move(*fd);
  result.path_ = temporary_path;
  struct stat made {};
  if (::lstat(temporary_path.c_str(), &made) != 0)
    return fail(failure(path, "look"));
  result.device_ = made.st_dev;
  result.inode_ = made.st_ino;
  if (*gid && ::lchown(temporary_path.c_str(), static_cast<uid_t>(-1), **gid))
    return fail(failure(path, "set group"));
  if (::chmod(temporary_path.c_str(), socket_mode) != 0)
    return fail(failure(path, "set mode"));
  if (::listen(result.fd_.get(), backlog) != 0)
    return fail(failure(path, "listen"));
  if (::rename(temporary_path.c_str(), path.c_str()) != 0)
    return fail(failure(path, "move into place"));
  result.path_ = path;
  return result;
}

} // namespace troupe::tools
