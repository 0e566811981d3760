#include "troupe/tools/troupe-remote/flags.hpp"

#include "troupe/config/settings.hpp"
#include "troupe/tools/version.hpp"

#include <CLI/CLI.hpp>

#include <array>
#include <ostream>

#include <unistd.h>

namespace troupe::tools::remote {

namespace {

constexpr auto exit_usage = 2;

constexpr auto footer
  = R"(Each flag has a variable TROUPE_REMOTE_…, e.g. TROUPE_REMOTE_LISTEN.
Exit codes: 0 stopped, 1 failed, 2 wrong usage or unusable credentials)";

// CLI11's texts and ours meet here.
struct texts {
  std::string listen;
  bool check = false;
};

void add_serve_flags(CLI::App& app, serve_options& x, texts& y) {
  auto option = [&](const char* name, auto& into, const char* what) {
    auto variable = "TROUPE_REMOTE_" + std::string{name};
    for (auto& c : variable)
      c = c == '-' ? '_' : static_cast<char>(std::toupper(c));
    return app.add_option("--" + std::string{name}, into, what)
      ->envname(variable);
  };
  option("listen", y.listen,
         "The one address to listen on, ADDRESS[:PORT] [port 7433]")
    ->type_name("ADDRESS");
  option("cert", x.who.certificate, "Certificate of this server, PEM")
    ->type_name("FILE");
  option("key", x.who.key, "Its private key, PEM")->type_name("FILE");
  option("ca", x.who.authority,
         "Certificates of the authority that clients must have, PEM")
    ->type_name("FILE");
  option("daemon", x.daemon, "The daemon [unix:///run/troupe/troupe.sock]")
    ->type_name("unix://PATH");
  option("requests-per-second", x.peers.requests_per_second,
         "Rate of one peer's requests; more wait [500]")
    ->check(CLI::Range(1.0, 1e6).description(""));
  option("open-requests", x.peers.open_requests,
         "Open requests of one peer; more are refused [64]")
    ->check(CLI::Range(1, 512).description(""));
  option("peer-connections", x.peers.connections, "Connections of one peer [8]")
    ->check(CLI::Range(1, 64).description(""));
  option("connections", x.strangers.connections, "Connections in all [64]")
    ->check(CLI::Range(1, 256).description(""));
  option("log-level", x.log_level, "trace, debug, info, warn or error [info]")
    ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error"})
              .description(""));
  app.add_flag("--check", y.check, "Check flags and certificates, then end");
}

std::string host_name() {
  auto buffer = std::array<char, 256>{};
  return ::gethostname(buffer.data(), buffer.size() - 1) == 0 ? buffer.data()
                                                              : "localhost";
}

CLI::App* add_pki_command(CLI::App& app, pki_plan& x) {
  auto* command = app.add_subcommand(
    "init-pki", "Make a private authority and certificates for a trial");
  command->add_option("DIR", x.directory, "Where to put the files")->required();
  command
    ->add_option("--server", x.servers,
                 "Name or address that clients use for this host; may be "
                 "repeated [its name, localhost, 127.0.0.1, ::1]")
    ->allow_extra_args(false);
  command
    ->add_option("--client", x.clients,
                 "Name of a client; may be repeated [client]")
    ->allow_extra_args(false);
  command->add_option("--days", x.days, "How long they are valid [90]")
    ->check(CLI::Range(1, 825).description(""));
  return command;
}

// Further clients of an authority that is there need no second server.
void complete(pki_plan& x, bool has_authority) {
  if (x.servers.empty() && !has_authority)
    x.servers = {host_name(), "localhost", "127.0.0.1", "::1"};
  if (x.clients.empty() && !has_authority)
    x.clients = {"client"};
}

int report(std::ostream& err, const error& why) {
  err << "Error: " << why.message << "\n";
  if (!why.hint.empty())
    err << "Hint: " << why.hint << "\n";
  return exit_usage;
}

result<void> complete(serve_options& x, const texts& y) {
  if (y.listen.empty())
    return fail(ec::invalid_argument, "--listen: no address is given",
                "for example --listen 192.0.2.1:7433");
  auto where
    = troupe::remote::parse_host_port(y.listen, troupe::remote::default_port);
  if (!where)
    return fail(with_context(std::move(where.error()), "--listen"));
  x.listen = std::move(*where);
  if (x.daemon.empty())
    x.daemon = "unix://" + socket_path(settings{});
  return {};
}

} // namespace

remote_command parse_remote_flags(int argc, const char* const* argv,
                                  std::ostream& out, std::ostream& err) {
  auto result = remote_command{};
  auto app = CLI::App{"Offers the local daemon to other hosts: CAF actors over "
                      "TCP with mutual TLS.",
                      "troupe-remote"};
  auto y = texts{};
  app.set_version_flag("-v,--version", std::string{"troupe-remote "} + version);
  app.footer(footer);
  add_serve_flags(app, result.serve, y);
  const auto* pki = add_pki_command(app, result.pki);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& why) {
    if (why.get_exit_code() == 0)
      result.exit_code = app.exit(why, out, err);
    else
      result.exit_code = report(
        err, {ec::invalid_argument, why.what(), "see troupe-remote --help", 0});
    return result;
  }
  using action = remote_command::action;
  if (pki->parsed()) {
    complete(result.pki,
             ::access((result.pki.directory + "/ca.key").c_str(), F_OK) == 0);
    result.what = action::init_pki;
    return result;
  }
  if (auto ok = complete(result.serve, y); !ok)
    result.exit_code = report(err, ok.error());
  else
    result.what = y.check ? action::check : action::serve;
  return result;
}

} // namespace troupe::tools::remote
