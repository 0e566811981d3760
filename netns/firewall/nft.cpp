#include "troupe/netns/firewall/nft.hpp"

#include "troupe/netns/real/namespace.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <spawn.h>
#include <string_view>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace troupe::netns::firewall {

namespace {

constexpr auto longest_run = std::chrono::seconds{30};

// A file in memory with this text, to be read from its start.
result<unique_fd> make_file(const char* name, std::string_view text) {
  auto fd = unique_fd{::memfd_create(name, MFD_CLOEXEC)};
  if (!fd)
    return fail(os_failure(errno, "make file in memory"));
  while (!text.empty()) {
    auto size = ::write(fd.get(), text.data(), text.size());
    if (size < 0 && errno != EINTR)
      return fail(os_failure(errno, "write file in memory"));
    if (size > 0)
      text.remove_prefix(static_cast<size_t>(size));
  }
  if (::lseek(fd.get(), 0, SEEK_SET) < 0)
    return fail(os_failure(errno, "rewind file in memory"));
  return fd;
}

std::string content_of(int fd) {
  auto result = std::string{};
  auto buffer = std::array<char, 16'384>{};
  for (;;) {
    auto size = ::pread(fd, buffer.data(), buffer.size(),
                        static_cast<off_t>(result.size()));
    if (size <= 0)
      return result;
    result.append(buffer.data(), static_cast<size_t>(size));
  }
}

std::string first_line_of(int fd) {
  auto text = content_of(fd);
  return text.substr(0, text.find('\n'));
}

// Starts a program in the calling thread's namespace; the first word is its
// name. @returns its process number, 0 and errno on failure.
pid_t start(int in, int out, std::vector<std::string> words) {
  auto actions = posix_spawn_file_actions_t{};
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out, 1);
  ::posix_spawn_file_actions_adddup2(&actions, out, 2);
  // A blocked or ignored signal would be inherited.
  auto attributes = posix_spawnattr_t{};
  ::posix_spawnattr_init(&attributes);
  auto none = sigset_t{};
  sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  auto arguments = std::vector<char*>{};
  for (auto& x : words)
    arguments.push_back(x.data());
  arguments.push_back(nullptr);
  char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", locale[] = "LC_ALL=C";
  char* environment[] = {path, locale, nullptr};
  auto child = pid_t{0};
  auto problem = ENOENT;
  for (const auto* folder :
       {"/usr/sbin/", "/usr/bin/", "/sbin/", "/usr/local/sbin/"})
    if (problem == ENOENT)
      problem
        = ::posix_spawn(&child, (folder + words.front()).c_str(), &actions,
                        &attributes, arguments.data(), environment);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  errno = problem;
  return problem == 0 ? child : 0;
}

// Waits for the end of the child, or makes one. @returns its status, nothing
// when the time was up.
std::optional<int> wait_for(pid_t child) {
  auto handle
    = unique_fd{static_cast<int>(::syscall(SYS_pidfd_open, child, 0))};
  auto until = std::chrono::steady_clock::now() + longest_run;
  auto ended = !handle;
  while (!ended) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(
      until - std::chrono::steady_clock::now());
    auto polled = pollfd{handle.get(), POLLIN, 0};
    ended = ::poll(&polled, 1, static_cast<int>(left.count())) > 0;
    if (!ended && std::chrono::steady_clock::now() >= until) {
      ::kill(child, SIGKILL);
      break;
    }
  }
  auto status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return ended ? std::optional{status} : std::nullopt;
}

error no_program(const std::string& name) {
  return {ec::unsupported, "run " + name + ": there is no such program",
          name == "nft" ? "install the package nftables" : "", ENOENT};
}

// Waits for the child. @param out Where it writes.
result<void> finish(pid_t child, int out, const std::string& name) {
  auto status = wait_for(child);
  if (!status)
    return fail(ec::timeout, "run " + name + ": it took longer than 30 s");
  if (!WIFEXITED(*status) || WEXITSTATUS(*status) != 0)
    return fail(ec::internal, "run " + name + ": " + first_line_of(out));
  return {};
}

} // namespace

result<std::string> run_program(std::vector<std::string> words) {
  auto name = words.front();
  auto in = make_file("troupe-nft-input", "");
  if (!in)
    return fail(std::move(in.error()));
  auto out = make_file("troupe-nft-output", "");
  if (!out)
    return fail(std::move(out.error()));
  auto child = start(in->get(), out->get(), std::move(words));
  if (child == 0)
    return fail(errno == ENOENT ? no_program(name)
                                : os_failure(errno, "run " + name));
  if (auto done = finish(child, out->get(), name); !done)
    return fail(std::move(done.error()));
  return content_of(out->get());
}

result<std::string> ask_nft(std::vector<std::string> words) {
  words.insert(words.begin(), "nft");
  return run_program(std::move(words));
}

result<void>
run_nft(int ns, const std::string& text, sender_list* ours, bool only_check) {
  auto in = make_file("troupe-ruleset", text);
  if (!in)
    return fail(std::move(in.error()));
  auto out = make_file("troupe-nft-output", "");
  if (!out)
    return fail(std::move(out.error()));
  auto child = pid_t{0};
  // The child inherits the namespace of the thread, so it starts in there. The
  // descriptor that is returned is of no use but to say that it worked.
  auto spawn = [&] {
    auto go = [&] {
      auto words = std::vector<std::string>{"nft", "-f", "-"};
      if (only_check)
        words.emplace_back("-c");
      child = start(in->get(), out->get(), std::move(words));
      return static_cast<uint32_t>(child);
    };
    if (ours != nullptr)
      ours->add_child(go);
    else
      go();
    return child == 0 ? unique_fd{} : unique_fd{::dup(in->get())};
  };
  auto started = open_in(ns, spawn, "run nft");
  if (child == 0) {
    auto why = started.error();
    return fail(why.os_error == ENOENT ? no_program("nft") : std::move(why));
  }
  return finish(child, out->get(), "nft");
}

std::vector<std::string> missing_features(int ns) {
  struct feature {
    const char* id;
    const char* name;
    const char* chain; // Of a table inet that nobody ever sees.
  };
  constexpr auto features = std::array{
    feature{"a", "nf_tables for inet (CONFIG_NF_TABLES_INET)", "accept"},
    feature{"b", "ct (CONFIG_NFT_CT)", "ct state established accept"},
    feature{"c", "fib (CONFIG_NFT_FIB_INET)",
            "type nat hook prerouting priority dstnat; fib daddr type local "
            "accept"},
    feature{"d", "dnat (CONFIG_NFT_NAT)",
            "type nat hook prerouting priority "
            "dstnat; dnat ip to 192.0.2.1"},
    feature{"e", "masquerade (CONFIG_NFT_MASQ)",
            "type nat hook postrouting priority srcnat; masquerade"},
    feature{"f", "meta, payload and sets",
            "iifname . ip daddr { \"lo\" . 192.0.2.1 } accept"},
  };
  auto result = std::vector<std::string>{};
  auto refuses = [&](const std::string& text) {
    auto done = run_nft(ns, text, nullptr, true);
    return !done && done.error().code == ec::internal;
  };
  auto text_of = [](const feature& x) {
    return std::string{"table inet troupe_probe { chain "} + x.id + " { "
           + x.chain + "\n}\n}\n";
  };
  const auto bridge
    = std::string{"table bridge troupe_probe { chain c { type filter hook "
                  "prerouting priority filter; ether type arp accept\n}\n}\n"};
  auto all = bridge;
  for (const auto& x : features)
    all += text_of(x);
  if (!refuses(all))
    return result;
  for (const auto& x : features)
    if (refuses(text_of(x)))
      result.emplace_back(x.name);
  if (refuses(bridge))
    result.emplace_back("nf_tables for bridges (CONFIG_NF_TABLES_BRIDGE)");
  return result;
}

} // namespace troupe::netns::firewall
