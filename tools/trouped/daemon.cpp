#include "troupe/tools/trouped/daemon.hpp"

#include "troupe/tools/trouped/listener.hpp"
#include "troupe/tools/trouped/logging.hpp"
#include "troupe/tools/trouped/notify.hpp"
#include "troupe/tools/trouped/server.hpp"
#include "troupe/tools/version.hpp"

#include <spdlog/spdlog.h>

#include <csignal>
#include <pthread.h>
#include <string>

#include <unistd.h>

namespace troupe::tools {

namespace {

/// Requests in work get this long to end when the daemon stops.
constexpr auto stop_grace = std::chrono::seconds{5};

sigset_t stop_signals() {
  auto result = sigset_t{};
  sigemptyset(&result);
  sigaddset(&result, SIGTERM);
  sigaddset(&result, SIGINT);
  return result;
}

// Blocked in every thread, so that `sigwait` of the first one gets them.
void prepare_signals() {
  auto blocked = stop_signals();
  (void)pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  (void)std::signal(SIGPIPE, SIG_IGN);
  // A daemon in the foreground of a closed terminal goes on; there is nothing
  // to read again.
  (void)std::signal(SIGHUP, SIG_IGN);
}

void wait_for_stop() {
  auto awaited = stop_signals();
  auto number = 0;
  (void)sigwait(&awaited, &number);
  spdlog::info("stopping after {}", number == SIGTERM ? "SIGTERM" : "SIGINT");
  (void)pthread_sigmask(SIG_UNBLOCK, &awaited, nullptr);
}

void tell(const notifier& manager, const std::string& lines) {
  if (auto sent = manager.send(lines); !sent)
    spdlog::warn("{}", sent.error().message);
}

int give_up(const notifier& manager, const error& why) {
  auto hint = why.hint.empty() ? "" : " (" + why.hint + ")";
  spdlog::critical("{}{}", escaped(why.message), escaped(hint));
  tell(manager, "STATUS=failed: " + escaped(why.message)
                  + "\nERRNO=" + std::to_string(why.os_error));
  if (why.code == ec::invalid_argument)
    return 2;
  return why.code == ec::conflict ? 4 : 1;
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

} // namespace

int run_daemon(const settings& configuration, bool inject_faults) {
  start_logging(configuration.log_level);
  prepare_signals();
  auto manager = notifier::from_environment();
  spdlog::info("trouped {} starts, pid {}, state {}, run {}", version,
               ::getpid(), configuration.state_dir, configuration.run_dir);
  tell(manager, "STATUS=restoring networks");
  auto faults = inject_faults ? std::make_shared<live_faults>() : nullptr;
  if (faults)
    spdlog::warn("fault injection is enabled: root can make this daemon fail "
                 "and crash on purpose");
  auto controller = open_controller(configuration, faults);
  if (!controller)
    return give_up(manager, controller.error());
  auto socket
    = listener::open(socket_path(configuration), configuration.socket_group);
  if (!socket)
    return give_up(manager, socket.error());
  auto api = server::start(*controller, socket->take_descriptor(),
                           options_of(configuration, faults));
  if (!api)
    return give_up(manager, api.error());
  spdlog::info("ready on {}", socket_path(configuration));
  tell(manager, "READY=1\nSTATUS=serving " + socket_path(configuration)
                  + "\nMAINPID=" + std::to_string(::getpid()));
  wait_for_stop();
  tell(manager, "STOPPING=1\nSTATUS=stopping; networks stay up");
  if (faults)
    faults->clear(); // Nothing has to wait for the end of a delay.
  (*api)->stop(stop_grace);
  api->reset();
  controller->reset();
  spdlog::info("stopped; networks stay up");
  return 0;
}

} // namespace troupe::tools
