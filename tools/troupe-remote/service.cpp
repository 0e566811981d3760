#include "troupe/tools/troupe-remote/service.hpp"

#include "troupe/actors/remote/tcp.hpp"
#include "troupe/tools/troupe-remote/front.hpp"
#include "troupe/tools/trouped/logging.hpp"
#include "troupe/tools/trouped/notify.hpp"
#include "troupe/tools/version.hpp"

#include <spdlog/spdlog.h>

#include <csignal>
#include <iostream>

#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace troupe::tools::remote {

namespace wire = troupe::remote;

namespace {

/// A certificate that ends sooner is worth a warning at every start.
constexpr auto expiry_warning = std::chrono::hours{72};

constexpr auto exit_unusable = 2;

/// How long lines may take to be written when the program ends.
constexpr auto log_grace = std::chrono::milliseconds{500};

sigset_t handled_signals() {
  auto result = sigset_t{};
  ::sigemptyset(&result);
  for (auto number : {SIGTERM, SIGINT, SIGHUP})
    ::sigaddset(&result, number);
  return result;
}

int give_up(const notifier& manager, const error& why) {
  auto hint = why.hint.empty() ? "" : " (" + why.hint + ")";
  spdlog::critical("{}{}", escaped(why.message), escaped(hint));
  (void)manager.send("STATUS=failed: " + escaped(why.message));
  end_logging(log_grace);
  return why.code == ec::invalid_argument ? exit_unusable : 1;
}

// The listener reads what strangers send: nothing here needs root's rights, so
// none are accepted.
result<void> check_rights() {
  if (::geteuid() == 0)
    return fail(ec::invalid_argument,
                "start: troupe-remote does not run as root",
                "its systemd unit runs it as user troupe-remote; by hand: "
                "setpriv --reuid troupe-remote --regid troupe --clear-groups");
  // Nobody of the same user may look into a process that holds a key.
  (void)::prctl(PR_SET_DUMPABLE, 0);
  return {};
}

void warn_of_expiry(const wire::tls_identity& x) {
  auto left = x.expires() - std::chrono::system_clock::now();
  auto hours = std::chrono::duration_cast<std::chrono::hours>(left).count();
  if (left < expiry_warning)
    spdlog::warn("the certificate {}, or its authority's, expires in {} h",
                 escaped(x.subject()), hours);
}

void reload(front& x, const serve_options& how) {
  auto identity = wire::tls_identity::load(how.who, wire::tls_role::server);
  if (!identity)
    return spdlog::error("reload: {}; the old certificate stays in use",
                         escaped(identity.error().message));
  warn_of_expiry(*identity);
  spdlog::info("reload: uses {}", escaped(identity->subject()));
  x.reload(std::move(*identity));
}

// @returns the signal that ended it.
int serve(front& x, const serve_options& how, int signals) {
  for (;;) {
    x.run(signals);
    auto what = signalfd_siginfo{};
    if (::read(signals, &what, sizeof(what)) != sizeof(what))
      continue;
    if (what.ssi_signo != SIGHUP)
      return static_cast<int>(what.ssi_signo);
    reload(x, how);
  }
}

} // namespace

int run_service(const serve_options& how) {
  start_logging(how.log_level);
  auto blocked = handled_signals();
  (void)pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  (void)std::signal(SIGPIPE, SIG_IGN);
  auto manager = notifier::from_environment();
  if (auto ok = check_rights(); !ok)
    return give_up(manager, ok.error());
  auto signals
    = netns::unique_fd{::signalfd(-1, &blocked, SFD_CLOEXEC | SFD_NONBLOCK)};
  auto identity = wire::tls_identity::load(how.who, wire::tls_role::server);
  if (!identity)
    return give_up(manager, identity.error());
  auto daemon = connect_backend(how.daemon);
  if (!daemon)
    return give_up(manager, daemon.error());
  auto listener = wire::listen_tcp(how.listen);
  if (!listener)
    return give_up(manager, listener.error());
  warn_of_expiry(*identity);
  auto where = wire::to_string(
    wire::host_port{how.listen.host, wire::port_of(listener->get())});
  spdlog::info("troupe-remote {} listens on {} as {}, for {}", version, where,
               escaped(identity->subject()), how.daemon);
  auto x = front{{std::move(*listener), std::move(*identity), *daemon,
                  how.peers, how.strangers, [](const std::string& line) {
                    spdlog::info("{}", escaped(line));
                  }}};
  (void)manager.send("READY=1\nSTATUS=serving " + where);
  auto number = serve(x, how, signals.get());
  (void)manager.send("STOPPING=1");
  spdlog::info("stopped by {}", number == SIGTERM ? "SIGTERM" : "SIGINT");
  end_logging(log_grace);
  return 0;
}

int check_service(const serve_options& how) {
  auto identity = wire::tls_identity::load(how.who, wire::tls_role::server);
  if (identity) {
    std::cout << "credentials are valid: " << identity->subject() << "\n";
    return 0;
  }
  std::cerr << "Error: " << identity.error().message << "\n";
  if (!identity.error().hint.empty())
    std::cerr << "Hint: " << identity.error().hint << "\n";
  return exit_unusable;
}

} // namespace troupe::tools::remote
