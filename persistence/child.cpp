#include "troupe/persistence/child.hpp"

#include "troupe/persistence/file.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <new>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace troupe::persistence {

namespace {

/// A verdict in memory that parent and child share.
struct unmaps {
  void operator()(walk_verdict* x) const {
    ::munmap(x, sizeof(walk_verdict));
  }
};

using shared_verdict = std::unique_ptr<walk_verdict, unmaps>;

result<shared_verdict> share_verdict() {
  void* memory = ::mmap(nullptr, sizeof(walk_verdict), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return fail(os_failure(errno, "map shared memory"));
  return shared_verdict{new (memory) walk_verdict};
}

/// Ends the child and leaves no zombie. Somebody else may have reaped it.
void end_child(pid_t child, bool kill_it) {
  if (kill_it)
    ::kill(child, SIGKILL);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

enum class reading : uint8_t { ended, silent, too_long };

/// Reads until the child closes the pipe.
reading read_all(int fd, size_t limit_bytes, std::chrono::milliseconds patience,
                 std::string& to) {
  auto piece = std::string(64 * 1024, '\0');
  for (;;) {
    auto waiting = pollfd{fd, POLLIN, 0};
    auto ready = ::poll(&waiting, 1, static_cast<int>(patience.count()));
    if (ready == 0)
      return reading::silent;
    if (ready < 0 && errno == EINTR)
      continue;
    auto n = ::read(fd, piece.data(), piece.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return reading::ended;
    to.append(piece.data(), static_cast<size_t>(n));
    if (to.size() > limit_bytes)
      return reading::too_long;
  }
}

} // namespace

result<walk_report> walk_in_child(const std::string& path, size_t limit_bytes,
                                  std::chrono::milliseconds patience) {
  auto verdict = share_verdict();
  if (!verdict)
    return fail(with_context(std::move(verdict.error()), "check " + path));
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return fail(os_failure(errno, "check " + path + ": make pipe"));
  auto input = unique_fd{ends[0]};
  auto output = unique_fd{ends[1]};
  auto self = ::getpid();
  auto child = ::fork();
  if (child < 0)
    return fail(os_failure(errno, "check " + path + ": fork"));
  if (child == 0)
    walk_and_exit(path, output.value(), self, **verdict);
  output.reset();
  auto result = walk_report{};
  auto end = read_all(input.value(), limit_bytes, patience, result.stream);
  end_child(child, end != reading::ended);
  result.verdict = **verdict;
  if (end == reading::too_long) {
    result.verdict.how = walk_verdict::outcome::refused;
    std::strcpy(result.verdict.reason, "its trees go in circles");
  }
  return result;
}

} // namespace troupe::persistence
