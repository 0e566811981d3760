#pragma once

#include "troupe/actors/backend.hpp"
#include "troupe/tools/troupe/row_template.hpp"

#include <CLI/App.hpp>

#include <chrono>
#include <functional>
#include <initializer_list>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

namespace troupe::tools {

/// Exit codes of the command line; scripts depend on them.
enum exit_code : int {
  exit_success = 0,
  exit_failure = 1,
  exit_usage = 2,
  exit_not_found = 3,
  exit_conflict = 4,
  exit_unreachable = 5,
  exit_deadline = 124,
};

/// The exit code of a failed request.
int exit_code_of(const error& why);

/// Where a command reads and writes.
struct terminal {
  std::ostream& out;
  std::ostream& err;
  std::istream& in;
  bool in_is_terminal = false; ///< Is there somebody to ask?
  size_t columns = 0;          ///< Of the terminal `out` is; 0: it is none.
  bool colours = false;        ///< Does it show them, and may it?
};

enum class output_format : uint8_t { table, json, jsonl, name, fields };

/// Makes a connection to a daemon on another host.
using far_connector = std::function<result<std::shared_ptr<backend>>(
  const std::string& uri, const credentials& who)>;

/// One run of the command line: its global options and its connection.
/// Commands report errors here and go on with their next argument.
class session {
public:
  explicit session(terminal io) : io{io} {
  }

  /// Asks the daemon. Prints the error, if there is one.
  /// @returns null after an error.
  template <class Reply>
  std::unique_ptr<Reply> ask(request what) {
    auto outcome = call(std::move(what));
    if (!outcome)
      return report(outcome.error()), nullptr;
    if (auto* x = std::get_if<Reply>(&*outcome))
      return std::make_unique<Reply>(std::move(*x));
    report({ec::internal, "the daemon sent another reply than expected",
            "are trouped and troupe of the same version?", 0});
    return nullptr;
  }

  /// Asks the daemon and leaves the error to the caller.
  result<reply> call(request what);

  /// Is the daemon asked through another host's `troupe-remote`?
  bool is_remote() const {
    return host.starts_with("caf+tls://");
  }

  /// The connection. Errors: `invalid_argument` for a wrong --host, or for
  /// certificates that cannot be used.
  /// @pre nothing was read or printed yet: for another host this process may
  /// become another program.
  result<std::shared_ptr<backend>> link();

  /// Prints an error; the first one decides the exit code.
  void report(const error& why);

  /// Prints an error of the command line itself.
  void report_usage(const error& why);

  /// Prints a line of the result.
  void print(std::string_view line);

  terminal io;
  std::string host;
  credentials tls_files; ///< For a `caf+tls://` host.
  far_connector connect_far;
  double timeout_seconds = 120;
  int code = exit_success;

  /// Of `sandbox exec`: the words that are not ours to understand.
  std::vector<std::string> inner_command;

private:
  result<std::shared_ptr<backend>> connect();
  void report(const error& why, int exit_code);

  std::shared_ptr<backend> link_;
};

// -- options that several commands share -------------------------------------

/// How results are shown. `--format json` shows everything the API gave.
struct output_options {
  output_format format = output_format::table;
  row_template fields;     ///< Of `--format '{{.Name}}'`.
  bool quiet = false;      ///< Ids only.
  bool no_trunc = false;   ///< Whole ids.
  bool no_headers = false; ///< Rows only.
  bool wide = false;       ///< All columns, whole.
  std::vector<std::string> filters;
};

/// Puts examples, a line each, in front of what else ends the help.
void add_examples(CLI::App& command, std::initializer_list<const char*> lines);

/// Adds `--format`; for commands that show one object.
void add_format(CLI::App& command, output_options& x);

/// Adds `--format`, `--quiet`, `--no-trunc`, `--no-headers`, `--wide` and
/// `--filter`.
/// @param keys of the filter, for the help.
void add_list_options(CLI::App& command, output_options& x,
                      std::string_view keys);

/// Tells that something was not there to be removed, which is what `rm -f`
/// wanted. @returns false when the error is another one.
bool is_gone_already(session& s, const error& why);

/// Texts `key=value` as a map; without `=` the value is empty. Errors:
/// `invalid_argument` for an empty or a repeated key.
result<text_map>
parse_pairs(const std::vector<std::string>& texts, std::string_view option);

/// Splits `NETWORK/ENDPOINT`; a text without `/` is an endpoint's id or a name
/// that is unique.
std::pair<std::string, std::string> split_endpoint(const std::string& text);

// -- the commands, one function per noun -------------------------------------

void add_network_commands(CLI::App& app, session& s);
void add_endpoint_commands(CLI::App& app, session& s);
void add_sandbox_commands(CLI::App& app, session& s);
void add_join_commands(CLI::App& app, session& s);
void add_status_command(CLI::App& app, session& s);
void add_doctor_command(CLI::App& app, session& s);
void add_check_command(CLI::App& app, session& s);
void add_events_command(CLI::App& app, session& s);
void add_fault_commands(CLI::App& app, session& s);
void add_version_command(CLI::App& app, session& s);
void add_completion_command(CLI::App& app, session& s);

/// The types of events, for filters.
std::vector<std::string_view> event_types();

/// Adds `exists` to the nouns.
void add_exists_commands(CLI::App& app, session& s);

} // namespace troupe::tools
