#include "troupe/tools/trouped/daemon.hpp"

#include "troupe/actors/api/failure_board.hpp"
#include "troupe/tools/trouped/listener.hpp"
#include "troupe/tools/trouped/logging.hpp"
#include "troupe/tools/trouped/notify.hpp"
#include "troupe/tools/trouped/server.hpp"
#include "troupe/tools/trouped/socket_keeper.hpp"
#include "troupe/tools/trouped/stop_signals.hpp"
#include "troupe/tools/version.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace troupe::tools {

namespace {

/// Requests in work get this long to end when the daemon stops.
constexpr auto stop_grace = std::chrono::seconds{5};

/// When an actor has ended nobody answers any more: what is left is to say so
/// and to go.
constexpr auto failure_grace = std::chrono::milliseconds{200};

/// Start-up goes on this long after a signal; to be killed then loses nothing.
constexpr auto start_grace = std::chrono::seconds{2};

/// How long lines may take to be written when the program ends.
constexpr auto log_grace = std::chrono::milliseconds{500};

// A daemon in the foreground of a closed terminal goes on; there is nothing to
// read again.
void ignore_signals() {
  (void)std::signal(SIGPIPE, SIG_IGN);
  (void)std::signal(SIGHUP, SIG_IGN);
}

/// Ends the program without waiting for its threads, some of which may stand
/// still for good.
[[noreturn]] void leave(int exit_code) {
  end_logging(log_grace);
  std::_Exit(exit_code);
}

void tell(const notifier& manager, const std::string& lines) {
  if (auto sent = manager.send(lines); !sent)
    spdlog::warn("{}", sent.error().message);
}

int exit_code_of(const error& why) {
  if (why.code == ec::invalid_argument)
    return 2;
  return why.code == ec::conflict ? 4 : 1;
}

[[noreturn]] void give_up(const notifier& manager, const error& why) {
  auto hint = why.hint.empty() ? "" : " (" + why.hint + ")";
  spdlog::critical("{}{}", escaped(why.message), escaped(hint));
  tell(manager, "STATUS=failed: " + escaped(why.message)
                  + "\nERRNO=" + std::to_string(why.os_error));
  leave(exit_code_of(why));
}

server_options
options_of(const settings& x, std::shared_ptr<live_faults> faults) {
  auto result = server_options{};
  result.faults = std::move(faults);
  result.max_requests = static_cast<size_t>(x.max_requests);
  result.request_timeout = std::chrono::milliseconds{x.request_timeout_ms};
  result.audit = [](const audit_record& record) {
    spdlog::info("{}", audit_line(record));
  };
  return result;
}

// Without faults nothing stands between the actors and the kernel.
result<std::shared_ptr<backend>>
open_controller(const settings& x, const std::shared_ptr<live_faults>& faults) {
  if (!faults)
    return open_backend(x);
  auto checked = validated(x);
  if (!checked)
    return fail(std::move(checked.error()));
  return open_backend(*checked, with_faults(real_parts(*checked), faults));
}

/// What another thread tells the first one, which waits for signals.
class mailbox {
public:
  void put(error why) {
    {
      auto guard = std::lock_guard{mutex_};
      if (!failure_)
        failure_ = std::move(why);
    }
    wake();
  }
  void wake() const {
    (void)::eventfd_write(wake_.get(), 1);
  }
  void drain() const {
    auto count = eventfd_t{0};
    (void)::eventfd_read(wake_.get(), &count);
  }
  std::optional<error> failure() {
    auto guard = std::lock_guard{mutex_};
    return failure_;
  }
  int descriptor() const {
    return wake_.get();
  }

private:
  netns::unique_fd wake_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::mutex mutex_;
  std::optional<error> failure_;
};

using clock = std::chrono::steady_clock;

void wait_for(std::initializer_list<int> descriptors,
              std::optional<clock::time_point> until) {
  auto polled = std::vector<pollfd>{};
  for (auto fd : descriptors)
    polled.push_back({fd, POLLIN, 0});
  auto left = -1;
  if (until)
    left = static_cast<int>(std::clamp<int64_t>(
      std::chrono::ceil<std::chrono::milliseconds>(*until - clock::now())
        .count(),
      0, 60'000));
  (void)::poll(polled.data(), polled.size(), left);
}

using opened = result<std::shared_ptr<backend>>;

struct started {
  opened controller;
  bool told_to_stop = false; ///< Meanwhile.
};

/// Start-up, which may take its time, on a thread of its own: signals are
/// obeyed meanwhile.
started
open_beside(const settings& x, const std::shared_ptr<live_faults>& faults,
            const stop_signals& signals) {
  auto ready = std::make_shared<mailbox>();
  auto outcome = std::make_shared<std::promise<opened>>();
  auto future = outcome->get_future();
  auto starter = std::thread{[=] {
    try {
      outcome->set_value(open_controller(x, faults));
    } catch (const std::exception&) {
      outcome->set_value(fail(with_context(describe_exception(), "start")));
    }
    ready->wake();
  }};
  auto until = std::optional<clock::time_point>{};
  while (future.wait_for(std::chrono::seconds{0})
         != std::future_status::ready) {
    wait_for({signals.descriptor(), ready->descriptor()}, until);
    if (signals.take() && !until) {
      spdlog::info("stopping while starting");
      until = clock::now() + start_grace;
    }
    if (until && *until <= clock::now())
      leave(0);
  }
  starter.join();
  return {future.get(), until.has_value()};
}

/// Serves until a signal comes or an actor ends by itself.
std::optional<error>
serve(const stop_signals& signals, mailbox& mail, socket_keeper& keeper) {
  for (;;) {
    wait_for({signals.descriptor(), mail.descriptor(), keeper.changes(),
              keeper.connections()},
             keeper.due());
    mail.drain();
    if (auto why = mail.failure())
      return why;
    if (auto number = signals.take()) {
      spdlog::info("stopping after {}",
                   *number == SIGTERM ? "SIGTERM" : "SIGINT");
      return std::nullopt;
    }
    keeper.look();
  }
}

/// From here on a second signal ends the program at once.
void begin_stop(std::unique_ptr<stop_signals>& signals,
                const std::shared_ptr<live_faults>& faults,
                const notifier& manager) {
  signals.reset();
  tell(manager, "STOPPING=1\nSTATUS=stopping; networks stay up");
  if (faults)
    faults->clear(); // Nothing has to wait for the end of a delay.
}

void run(const settings& configuration, bool inject_faults,
         const notifier& manager) {
  auto signals = std::make_unique<stop_signals>();
  spdlog::info("trouped {} starts, pid {}, state {}, run {}", version,
               ::getpid(), configuration.state_dir, configuration.run_dir);
  tell(manager, "STATUS=restoring networks");
  auto faults = inject_faults ? std::make_shared<live_faults>() : nullptr;
  if (faults)
    spdlog::warn("fault injection is enabled: root can make this daemon fail "
                 "and crash on purpose");
  auto [controller, told_to_stop]
    = open_beside(configuration, faults, *signals);
  if (told_to_stop) {
    if (!controller)
      spdlog::error("{}", escaped(controller.error().message));
    return begin_stop(signals, faults, manager);
  }
  if (!controller)
    give_up(manager, controller.error());
  auto mail = std::make_shared<mailbox>();
  (*controller)->on_failure([mail](const error& why) {
    mail->put(why);
  });
  auto socket
    = listener::open(socket_path(configuration), configuration.socket_group);
  if (!socket)
    give_up(manager, socket.error());
  auto api = server::start(*controller, socket->take_descriptor(),
                           options_of(configuration, faults));
  if (!api)
    give_up(manager, api.error());
  auto keeper = socket_keeper{std::move(*socket), configuration.socket_group,
                              [&api](netns::unique_fd connection) {
                                (*api)->take_connection(std::move(connection));
                              }};
  spdlog::info("ready on {}", socket_path(configuration));
  tell(manager, "READY=1\nSTATUS=serving " + socket_path(configuration)
                  + "\nMAINPID=" + std::to_string(::getpid()));
  if (auto why = serve(*signals, *mail, keeper)) {
    (*api)->stop(failure_grace);
    give_up(manager, *why);
  }
  begin_stop(signals, faults, manager);
  (*api)->stop(stop_grace);
  api->reset();
  controller->reset();
}

} // namespace

int run_daemon(const settings& configuration, bool inject_faults) {
  auto manager = notifier::from_environment();
  try {
    start_logging(configuration.log_level);
    ignore_signals();
    run(configuration, inject_faults, manager);
  } catch (const std::exception&) {
    // Too little memory, or no more threads.
    give_up(manager, with_context(describe_exception(), "start"));
  }
  spdlog::info("stopped; networks stay up");
  end_logging(log_grace);
  return 0;
}

} // namespace troupe::tools
