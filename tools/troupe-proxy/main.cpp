// troupe-proxy holds the host ports of one daemon and leads those connections
// to the containers that the firewall cannot. Started by the daemon.

#include "troupe/tools/troupe-proxy/control.hpp"
#include "troupe/tools/troupe-proxy/privileges.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace {

using namespace troupe::proxy;
namespace wire = troupe::netns::proxy_wire;

constexpr auto usage
  = "usage: troupe-proxy --run-dir DIR [--user NAME] [--idle SECONDS]\n"
    "                    [--connections N] [--descriptors N]\n"
    "                    [--ready-fd FD]\n"
    "Holds and serves the published ports of one trouped, which starts it.\n";

// A connection has two descriptors, and two pipes while data waits in it.
constexpr size_t descriptors_per_connection = 4;
constexpr size_t spare_descriptors = 512;
constexpr int backlog = 16;

struct options {
  std::string run_dir;
  std::string user = "troupe-proxy";
  int idle_s = 30;
  int connections = 16'384;
  int descriptors = 262'144;
  int ready_fd = -1;
};

bool read_number(std::string_view text, int& out) {
  auto parsed = std::from_chars(text.data(), text.data() + text.size(), out);
  return parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size()
         && out >= 0;
}

bool read_options(int argc, char** argv, options& out) {
  for (auto i = 1; i + 1 < argc; i += 2) {
    auto name = std::string_view{argv[i]};
    auto value = std::string_view{argv[i + 1]};
    if (name == "--run-dir")
      out.run_dir = value;
    else if (name == "--user")
      out.user = value;
    else if (name == "--idle" && read_number(value, out.idle_s))
      continue;
    else if (name == "--connections" && read_number(value, out.connections))
      continue;
    else if (name == "--descriptors" && read_number(value, out.descriptors))
      continue;
    else if (name == "--ready-fd" && read_number(value, out.ready_fd))
      continue;
    else
      return false;
  }
  return argc % 2 == 1 && !out.run_dir.empty() && out.connections > 0;
}

// One line to whoever started it: "ready" or the reason why not.
void report(const options& wanted, std::string text) {
  std::fprintf(stderr, "troupe-proxy: %s\n", text.c_str());
  if (wanted.ready_fd < 0)
    return;
  text += '\n';
  static_cast<void>(!::write(wanted.ready_fd, text.data(), text.size()));
  ::close(wanted.ready_fd);
}

std::string failure(const std::string& what) {
  return what + ": " + std::strerror(errno);
}

// One proxy for each run directory. The lock lasts as long as the process.
int take_lock(const options& wanted, std::string& why) {
  auto path = wanted.run_dir + "/" + std::string{wire::lock_name};
  auto fd
    = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0 || ::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    why = errno == EWOULDBLOCK ? path + ": another one runs" : failure(path);
    return -1;
  }
  return fd;
}

unique_fd open_listener(const options& wanted, std::string& why) {
  auto path = wanted.run_dir + "/" + std::string{wire::socket_name};
  auto where = sockaddr_un{};
  where.sun_family = AF_UNIX;
  if (path.size() >= sizeof(where.sun_path)) {
    why = path + ": the path is too long for a socket";
    return {};
  }
  std::memcpy(where.sun_path, path.c_str(), path.size() + 1);
  auto fd = unique_fd{
    ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  ::unlink(path.c_str());
  auto mask = ::umask(0077);
  auto ok = fd
            && ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&where),
                      sizeof(where))
                 == 0
            && ::listen(fd.get(), backlog) == 0;
  ::umask(mask);
  if (!ok)
    why = failure(path);
  return ok ? std::move(fd) : unique_fd{};
}

int serve(const options& wanted, unique_fd listener, uid_t owner,
          size_t descriptors) {
  auto shared = shared_state{};
  auto room = descriptors > spare_descriptors
                ? (descriptors - spare_descriptors) / descriptors_per_connection
                : size_t{1};
  shared.limits.connections
    = std::min(static_cast<size_t>(wanted.connections), room);
  shared.limits.flows = shared.limits.connections;
  auto ports = control{shared, std::move(listener), owner};
  if (!shared.loop.is_open() || !ports.is_open()) {
    report(wanted, failure("watch descriptors"));
    return 1;
  }
  report(wanted, "ready");
  using namespace std::chrono_literals;
  auto next_tick = shared.loop.now() + 1s;
  auto busy = shared.loop.now();
  while (true) {
    shared.loop.turn(1s);
    auto now = shared.loop.now();
    if (!ports.is_idle())
      busy = now;
    if (now - busy >= std::chrono::seconds{wanted.idle_s})
      return 0;
    if (now < next_tick)
      continue;
    ports.tick();
    next_tick = now + 1s;
  }
}

} // namespace

int main(int argc, char** argv) {
  auto wanted = options{};
  if (!read_options(argc, argv, wanted)) {
    std::fputs(usage, stderr);
    return 2;
  }
  close_others(wanted.ready_fd);
  std::signal(SIGPIPE, SIG_IGN);
  ::prctl(PR_SET_NAME, "troupe-proxy");
  auto why = std::string{};
  auto owner = ::geteuid();
  auto lock = take_lock(wanted, why);
  auto listener = lock >= 0 ? open_listener(wanted, why) : unique_fd{};
  auto descriptors
    = set_descriptor_limit(static_cast<size_t>(wanted.descriptors));
  if (listener)
    why = drop_privileges(wanted.user);
  if (!why.empty()) {
    report(wanted, why);
    return 1;
  }
  if (::chdir("/") != 0) {
    report(wanted, failure("change to /"));
    return 1;
  }
  confine();
  return serve(wanted, std::move(listener), owner, descriptors);
}
