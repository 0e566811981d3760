#include "troupe/tools/troupe-remote/worker_process.hpp"

#include "troupe/tools/troupe-remote/worker/worker.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <spawn.h>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace troupe::tools::remote {

namespace {

// Where a socket is in a child before it is put in its place; above every
// number that the front's limits let a descriptor have.
constexpr int out_of_the_way = 1'000;

// Killed, not yet collected: until then the number is nobody else's.
std::vector<pid_t>& ended_workers() {
  static auto pids = std::vector<pid_t>{};
  return pids;
}

struct socket_pair {
  netns::unique_fd ours;
  netns::unique_fd theirs;
};

result<socket_pair> make_pair() {
  auto fds = std::array{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0)
    return fail(os_failure(errno, "start worker: make sockets"));
  auto result = socket_pair{netns::unique_fd{fds[0]}, netns::unique_fd{fds[1]}};
  (void)::fcntl(fds[0], F_SETFL, O_NONBLOCK);
  return result;
}

// File actions and attributes of a new process.
class spawn_plan {
public:
  spawn_plan() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
  }
  spawn_plan(const spawn_plan&) = delete;
  spawn_plan& operator=(const spawn_plan&) = delete;
  ~spawn_plan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }

  // Two steps, for the one's place may be the other's number.
  void give(int stream, int channel) {
    auto move = [&](int from, int to) {
      ::posix_spawn_file_actions_adddup2(&actions_, from, to);
    };
    move(stream, out_of_the_way);
    move(channel, out_of_the_way + 1);
    move(out_of_the_way, worker_stream_fd);
    move(out_of_the_way + 1, worker_channel_fd);
    // Some libraries' sockets would be inherited, those to the daemon too.
    ::posix_spawn_file_actions_addclosefrom_np(&actions_,
                                               worker_channel_fd + 1);
  }

  // What this process blocks or ignores is no business of the worker's.
  void reset_signals() {
    auto none = sigset_t{};
    auto all = sigset_t{};
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setflags(&attributes_,
                               POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }

  int run(pid_t& child) {
    auto name = std::string{"troupe-remote"};
    auto mode = std::string{"worker"};
    auto words = std::array<char*, 3>{name.data(), mode.data(), nullptr};
    return ::posix_spawn(&child, "/proc/self/exe", &actions_, &attributes_,
                         words.data(), environ);
  }

private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

} // namespace

result<worker_process> worker_process::start() {
  auto stream = make_pair();
  auto channel = make_pair();
  if (!stream || !channel)
    return fail(std::move(stream ? channel.error() : stream.error()));
  auto plan = spawn_plan{};
  plan.give(stream->theirs.get(), channel->theirs.get());
  plan.reset_signals();
  auto result = worker_process{};
  if (auto number = plan.run(result.pid_); number != 0)
    return fail(os_failure(number, "start worker"));
  result.stream_ = std::move(stream->ours);
  result.channel_ = std::move(channel->ours);
  return result;
}

worker_process::worker_process(worker_process&& x) noexcept
  : pid_{std::exchange(x.pid_, -1)}, stream_{std::move(x.stream_)},
    channel_{std::move(x.channel_)} {
}

worker_process& worker_process::operator=(worker_process&& x) noexcept {
  std::swap(pid_, x.pid_);
  std::swap(stream_, x.stream_);
  std::swap(channel_, x.channel_);
  return *this;
}

worker_process::~worker_process() {
  if (pid_ <= 0)
    return;
  ::kill(pid_, SIGKILL);
  ended_workers().push_back(pid_);
}

void reap_workers() {
  std::erase_if(ended_workers(), [](pid_t pid) {
    return ::waitpid(pid, nullptr, WNOHANG) != 0;
  });
}

} // namespace troupe::tools::remote
