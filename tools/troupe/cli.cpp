#include "troupe/tools/troupe/cli.hpp"

#include "troupe/tools/troupe/cni.hpp"
#include "troupe/tools/troupe/command_tree.hpp"
#include "troupe/tools/troupe/completion.hpp"
#include "troupe/tools/version.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <ostream>
#include <span>
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

// `troupe help network create` is `troupe network create --help`.
void turn_help_around(std::vector<std::string>& words) {
  auto first = next_word(words, 1);
  if (first >= words.size() || words[first] != "help"
      || std::ranges::find(words, "--help") != words.end())
    return; // `troupe help --help` is about this one.
  words.erase(words.begin() + static_cast<std::ptrdiff_t>(first));
  words.emplace_back("--help");
}

void add_help_command(CLI::App& app, std::vector<std::string>& topic) {
  auto* command = app.add_subcommand("help", "Explain a command");
  command->add_option("command", topic, "The command [all]");
}

void report_misuse(session& s, const CLI::App& app, const CLI::ParseError& why,
                   std::span<const std::string> words) {
  const auto& command = *find_place(app, words).command;
  // Of CLI11, when a noun stands alone.
  auto what = std::string{why.what()};
  if (what == "A subcommand is required")
    what = "which command? There is none";
  s.report_usage({ec::invalid_argument, path_of(command) + ": " + what,
                  "see " + path_of(command) + " --help", 0});
}

// Runs the command, or says why there is none, or what was asked about it.
void parse(CLI::App& app, session& s, const std::vector<std::string>& words) {
  auto given = std::span{words}.subspan(1);
  try {
    // The parser takes the words from the end of a list.
    auto reversed = std::vector<std::string>(given.rbegin(), given.rend());
    app.parse(reversed);
  } catch (const CLI::ParseError& why) {
    auto is_version = dynamic_cast<const CLI::CallForVersion*>(&why) != nullptr;
    auto unknown = is_version ? std::nullopt : explain_unknown(app, given);
    if (unknown)
      s.report_usage(*unknown);
    else if (why.get_exit_code() == 0)
      app.exit(why, s.io.out, s.io.err);
    else
      report_misuse(s, app, why, given);
  }
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
  add_exists_commands(app, s);
  add_join_commands(app, s);
  add_status_command(app, s);
  add_doctor_command(app, s);
  add_check_command(app, s);
  add_events_command(app, s);
  add_fault_commands(app, s);
  add_cni_commands(app, s);
  auto topic = std::vector<std::string>{};
  add_version_command(app, s);
  add_completion_command(app, s);
  add_help_command(app, topic);
  auto words = std::vector<std::string>(argv, argv + argc);
  auto is_completion = words.size() > 1 && words[1] == complete_word;
  if (is_completion)
    words.erase(words.begin() + 1);
  s.inner_command = cut_inner_command(words);
  if (is_completion) {
    complete(s, app, std::span{words}.subspan(1));
    io.out << std::flush;
    return exit_success;
  }
  turn_help_around(words);
  parse(app, s, words);
  s.io.out << std::flush;
  return s.code;
}

} // namespace troupe::tools
