#include "troupe/persistence/walker.hpp"

#include "troupe/persistence/lmdb.hpp"

#include <lmdb.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <new>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace troupe::persistence {

namespace {

// A store of 100 000 records takes 0.1 s; a tree that was damaged into a
// circle never ends.
constexpr rlim_t max_cpu_seconds = 20;

// The handler's own stack, because a damaged tree may overflow the other one.
alignas(16) char handler_stack[64 * 1024];

// A handler has no other way to its data. Set once, in the child.
walk_verdict* shared_verdict = nullptr;

extern "C" void on_crash(int signal) {
  shared_verdict->signal = signal;
  shared_verdict->how = walk_verdict::outcome::crashed;
  ::_exit(1);
}

void on_failed_assertion(MDB_env*, const char*) {
  on_crash(SIGABRT);
}

/// Routes every way to crash into the verdict and shields the child from
/// signals meant for its process group.
void install_handlers() {
  stack_t stack = {};
  stack.ss_sp = handler_stack;
  stack.ss_size = sizeof(handler_stack);
  ::sigaltstack(&stack, nullptr);
  sigset_t blocked;
  ::sigfillset(&blocked);
  for (int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGXCPU}) {
    struct sigaction action = {};
    action.sa_handler = on_crash;
    action.sa_flags = SA_ONSTACK;
    ::sigaction(signal, &action, nullptr);
    ::sigdelset(&blocked, signal);
  }
  ::sigprocmask(SIG_SETMASK, &blocked, nullptr);
}

void limit_resources(int parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent)
    ::_exit(1); // It died before it could take us along.
  auto cpu = rlimit{max_cpu_seconds, max_cpu_seconds + 1};
  ::setrlimit(RLIMIT_CPU, &cpu);
  auto core = rlimit{0, 0};
  ::setrlimit(RLIMIT_CORE, &core);
}

/// Keeps nothing of the parent open but the pipe, which becomes 3.
void keep_only(int output) {
  int null = ::open("/dev/null", O_RDWR);
  for (int fd : {0, 1, 2})
    if (null >= 0)
      ::dup2(null, fd);
  if (output != 3)
    ::dup2(output, 3);
  ::close_range(4, ~0U, 0);
}

[[noreturn]] void refuse(const error& why) {
  auto size = std::min(why.message.size(), sizeof(walk_verdict::reason) - 1);
  std::memcpy(shared_verdict->reason, why.message.data(), size);
  // LMDB's own codes are negative; an errno is the system's trouble.
  shared_verdict->os_error = std::max(why.os_error, 0);
  shared_verdict->how = walk_verdict::outcome::refused;
  ::_exit(1);
}

template <class T>
T value_or_refuse(result<T> x) {
  if (!x)
    refuse(x.error());
  return std::move(*x);
}

/// Sends frames through the pipe, in large pieces.
class frame_writer {
public:
  /// @param limit_bytes no healthy text is longer than the file.
  explicit frame_writer(uint64_t limit_bytes) : limit_bytes_{limit_bytes} {
  }

  void
  send(frame_kind kind, std::string_view first, std::string_view second = {}) {
    if (first.size() + second.size() > limit_bytes_)
      refuse(error{ec::internal, "a record is longer than the file", {}, 0});
    auto header = frame_header{};
    header.kind = kind;
    header.first_bytes = static_cast<uint32_t>(first.size());
    header.second_bytes = static_cast<uint32_t>(second.size());
    buffer_.append(reinterpret_cast<const char*>(&header), sizeof(header));
    buffer_.append(first);
    buffer_.append(second);
    if (buffer_.size() > 64 * 1024)
      flush();
  }

  void flush() {
    for (size_t done = 0; done < buffer_.size();) {
      auto n = ::write(3, buffer_.data() + done, buffer_.size() - done);
      if (n <= 0)
        ::_exit(1); // The parent is gone or does not want more.
      done += static_cast<size_t>(n);
    }
    buffer_.clear();
  }

private:
  uint64_t limit_bytes_;
  std::string buffer_;
};

/// Reads every byte of a tree.
template <class Visit>
void walk_table(const lmdb::txn& in, lmdb::table_handle table, Visit visit) {
  auto cursor = value_or_refuse(lmdb::cursor::open(in, table));
  while (auto entry = value_or_refuse(cursor.next()))
    visit(entry->first, entry->second);
}

/// Reads what nobody else here reads, for the sake of crashing now.
void touch(std::string_view x) {
  for (const volatile char& c : x)
    static_cast<void>(static_cast<char>(c));
}

void walk(const std::string& path) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0)
    refuse(os_failure(errno, "inspect " + path));
  auto how = lmdb::env_options{};
  // Not more than the file: what lies beyond must not even be mapped.
  how.map_bytes = static_cast<uint64_t>(info.st_size);
  how.read_only = true;
  auto output = frame_writer{how.map_bytes};
  auto env = value_or_refuse(lmdb::env::open(path, how));
  mdb_env_set_assert(env.handle(), on_failed_assertion);
  auto txn = value_or_refuse(lmdb::txn::begin(env, lmdb::access::read));
  shared_verdict->snapshot = txn.id();
  walk_table(txn, lmdb::free_pages_table,
             [](std::string_view, std::string_view list) {
               touch(list);
             });
  walk_table(
    txn, lmdb::main_table, [&](std::string_view name, std::string_view) {
      auto table = value_or_refuse(txn.open_table(std::string{name}, false));
      output.send(frame_kind::table, name);
      walk_table(txn, table, [&](std::string_view key, std::string_view value) {
        output.send(frame_kind::record, key, value);
      });
    });
  output.flush();
}

} // namespace

void walk_and_exit(const std::string& path, int output, int parent,
                   walk_verdict& verdict) {
  shared_verdict = &verdict;
  install_handlers();
  limit_resources(parent);
  keep_only(output);
  // Short memory must not look like a damaged file.
  std::set_new_handler([] {
    ::_exit(1);
  });
  walk(path);
  verdict.how = walk_verdict::outcome::complete;
  ::_exit(0);
}

} // namespace troupe::persistence
