#include "troupe/tools/troupe/cli.hpp"

#include "troupe/tools/version.hpp"

#include <CLI/CLI.hpp>

#include <ostream>

namespace troupe::tools {

namespace {

constexpr auto exit_code_help = R"(Exit codes:
  0 done, 1 failed, 2 wrong usage, 3 not found, 4 conflict,
  5 daemon unreachable, 124 deadline passed)";

constexpr double longest_timeout_seconds = 86'400;

void add_global_options(CLI::App& app, session& s) {
  app.set_version_flag("-v,--version", std::string{"troupe "} + version);
  app.add_option("--host", s.host, "Address of the daemon [TROUPE_HOST]")
    ->type_name("unix://PATH");
  app
    .add_option("--timeout", s.timeout_seconds,
                "Give up after so many seconds [60]")
    ->type_name("SECONDS")
    ->check(CLI::Range(0.001, longest_timeout_seconds).description(""));
}

// The innermost command that was recognised, for the hint.
std::string command_path(const CLI::App& app) {
  auto result = app.get_name();
  for (const auto* x : app.get_subcommands())
    return result + " " + command_path(*x);
  return result;
}

} // namespace

int run_cli(int argc, const char* const* argv, terminal io,
            const std::string& default_host) {
  auto s = session{io};
  s.host = default_host;
  auto app = CLI::App{"Manages container networks.", "troupe"};
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(exit_code_help);
  add_global_options(app, s);
  add_network_commands(app, s);
  add_endpoint_commands(app, s);
  add_sandbox_commands(app, s);
  add_join_commands(app, s);
  add_status_command(app, s);
  add_doctor_command(app, s);
  add_events_command(app, s);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& why) {
    if (why.get_exit_code() == 0)
      return app.exit(why, io.out, io.err);
    s.report_usage({ec::invalid_argument, why.what(),
                    "see " + command_path(app) + " --help", 0});
  }
  io.out << std::flush;
  return s.code;
}

} // namespace troupe::tools
