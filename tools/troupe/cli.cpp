#include "troupe/tools/troupe/cli.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/tools/troupe/cni.hpp"
#include "troupe/tools/version.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <ostream>
#include <string_view>

namespace troupe::tools {

namespace {

constexpr auto exit_code_help = R"(Exit codes:
  0 done, 1 failed, 2 wrong usage, 3 not found, 4 conflict,
  5 daemon unreachable, 124 deadline passed)";

constexpr double longest_timeout_seconds = 86'400;

void add_tls_option(CLI::App& app, const char* name, std::string& into,
                    const char* what) {
  app.add_option(name, into, what)->type_name("FILE");
}

void add_global_options(CLI::App& app, session& s) {
  app.set_version_flag("-v,--version", std::string{"troupe "} + version);
  app.add_option("--host", s.host, "Address of the daemon [TROUPE_HOST]")
    ->type_name("unix://PATH|caf+tls://HOST");
  add_tls_option(app, "--tls-cert", s.tls_files.certificate,
                 "Of a caf+tls:// host: our certificate [TROUPE_TLS_CERT]");
  add_tls_option(app, "--tls-key", s.tls_files.key,
                 "Its private key [TROUPE_TLS_KEY]");
  add_tls_option(app, "--tls-ca", s.tls_files.authority,
                 "The authority of both sides [TROUPE_TLS_CA]");
  app
    .add_option("--timeout", s.timeout_seconds,
                "Give up after so many seconds [60]")
    ->type_name("SECONDS")
    ->check(CLI::Range(0.001, longest_timeout_seconds).description(""));
}

bool is_option(std::string_view word) {
  return word.size() > 1 && word.starts_with('-');
}

// The place of the next word that is no option and no option's value.
size_t next_word(const std::vector<std::string>& words, size_t i) {
  constexpr auto with_value = std::array<std::string_view, 5>{
    "--host", "--timeout", "--tls-cert", "--tls-key", "--tls-ca"};
  while (i < words.size() && is_option(words[i]))
    i += std::ranges::find(with_value, words[i]) != with_value.end() ? 2 : 1;
  return std::min(i, words.size());
}

// Cuts off what follows the name in `sandbox exec NAME`: options in there
// belong to the command, and ours must not be looked for among them.
std::vector<std::string> cut_inner_command(std::vector<std::string>& words) {
  auto noun = next_word(words, 1);
  auto verb = next_word(words, noun + 1);
  if (verb >= words.size() || words[noun] != "sandbox" || words[verb] != "exec")
    return {};
  auto name = next_word(words, verb + 1);
  if (name >= words.size())
    return {};
  auto rest = words.begin() + static_cast<std::ptrdiff_t>(name) + 1;
  auto result = std::vector<std::string>(rest, words.end());
  words.erase(rest, words.end());
  if (!result.empty() && result.front() == "--")
    result.erase(result.begin());
  return result;
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
            const std::string& default_host, const credentials& default_files,
            far_connector connect_far) {
  auto s = session{io};
  s.host = default_host;
  s.tls_files = default_files;
  s.connect_far = std::move(connect_far);
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
  add_check_command(app, s);
  add_events_command(app, s);
  add_fault_commands(app, s);
  add_cni_commands(app, s);
  auto words = std::vector<std::string>(argv, argv + argc);
  s.inner_command = cut_inner_command(words);
  try {
    app.parse(static_cast<int>(words.size()), argv);
  } catch (const CLI::ParseError& why) {
    if (why.get_exit_code() == 0)
      return app.exit(why, io.out, io.err);
    // CLI11 first misses a command, and only then sees a word it does not know.
    auto unknown = app.remaining(true);
    auto what = dynamic_cast<const CLI::RequiredError*>(&why) != nullptr
                    && !unknown.empty()
                  ? "unknown word " + quoted(unknown.front())
                  : std::string{why.what()};
    s.report_usage({ec::invalid_argument, std::move(what),
                    "see " + command_path(app) + " --help", 0});
  }
  io.out << std::flush;
  return s.code;
}

} // namespace troupe::tools
