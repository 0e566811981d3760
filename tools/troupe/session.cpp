#include "troupe/tools/troupe/session.hpp"

#include "troupe/config/model/id.hpp"

#include <CLI/CLI.hpp>

#include <array>
#include <ostream>
#include <utility>

namespace troupe::tools {

int exit_code_of(const error& why) {
  // Only an error that arose here has a number: the daemon was not reached.
  if (why.os_error != 0)
    return exit_unreachable;
  switch (why.code) {
  case ec::none:
    return exit_success;
  case ec::not_found:
    return exit_not_found;
  case ec::conflict:
    return exit_conflict;
  case ec::timeout:
    return exit_deadline;
  case ec::invalid_argument:
  case ec::forbidden:
  case ec::unsupported:
  case ec::unavailable:
  case ec::internal:
    return exit_failure;
  }
  return exit_failure;
}

// -- session -----------------------------------------------------------------

result<reply> session::call(request what) {
  auto connection = link();
  if (!connection)
    return fail(connection.error());
  auto deadline = std::chrono::duration_cast<std::chrono::milliseconds>(
    std::chrono::duration<double>{timeout_seconds});
  return (*connection)->call(std::move(what), deadline);
}

result<std::shared_ptr<backend>> session::link() {
  if (!link_) {
    auto connection = connect();
    if (!connection)
      return connection;
    link_ = std::move(*connection);
  }
  return link_;
}

result<std::shared_ptr<backend>> session::connect() {
  if (!is_remote())
    return connect_backend(host);
  if (connect_far)
    return connect_far(host, tls_files);
  return fail(ec::unsupported,
              "connect to " + quoted(host) + ": other hosts cannot be asked");
}

void session::report(const error& why) {
  report(why, exit_code_of(why));
}

void session::report_usage(const error& why) {
  report(why, exit_usage);
}

void session::report(const error& why, int exit_code) {
  io.out << std::flush;
  io.err << "Error: " << why.message << "\n";
  if (!why.hint.empty())
    io.err << "Hint: " << why.hint << "\n";
  if (code == exit_success)
    code = exit_code;
}

void session::print(std::string_view line) {
  io.out << line << "\n";
}

// -- options -----------------------------------------------------------------

namespace {

constexpr auto format_names
  = std::array<std::pair<std::string_view, output_format>, 4>{
    {{"table", output_format::table},
     {"json", output_format::json},
     {"jsonl", output_format::jsonl},
     {"name", output_format::name}}};

// Throws what the parser reports.
void read_format(output_options& x, const std::string& text) {
  for (const auto& [name, value] : format_names)
    if (text == name) {
      x.format = value;
      return;
    }
  if (text.find("{{") == text.npos)
    throw CLI::ValidationError{
      "--format", quoted(text)
                    + " is neither table, json, jsonl, name nor a template "
                      "like {{.Name}}"};
  auto parsed = row_template::parse(text);
  if (!parsed)
    throw CLI::ValidationError{parsed.error().message + "; "
                               + parsed.error().hint};
  x.format = output_format::fields;
  x.fields = std::move(*parsed);
}

} // namespace

void add_examples(CLI::App& command, std::initializer_list<const char*> lines) {
  auto text = std::string{"Examples:\n"};
  for (const auto* line : lines)
    text += "  " + std::string{line} + "\n";
  command.footer(text + "\n" + command.get_footer());
}

void add_format(CLI::App& command, output_options& x) {
  command
    .add_option_function<std::string>(
      "--format,--output",
      [&x](const std::string& text) {
        read_format(x, text);
      },
      "table, json, jsonl, name or {{.Name}}")
    ->type_name("FORMAT");
}

void add_list_options(CLI::App& command, output_options& x,
                      std::string_view keys) {
  add_format(command, x);
  command.add_flag("-q,--quiet", x.quiet, "Print ids only");
  command.add_flag("--no-trunc", x.no_trunc, "Print whole ids");
  command.add_flag("--no-headers", x.no_headers, "Print rows only");
  command.add_flag("--wide", x.wide,
                   "On a terminal: all columns, however wide");
  command
    .add_option("-f,--filter", x.filters,
                "Show only what has " + std::string{keys}
                  + " = value; may be "
                    "repeated")
    ->type_name("KEY=VALUE")
    ->allow_extra_args(false);
}

bool is_gone_already(session& s, const error& why) {
  if (why.code != ec::not_found)
    return false;
  s.io.err << "Note: " << why.message << "\n";
  return true;
}

result<text_map>
parse_pairs(const std::vector<std::string>& texts, std::string_view option) {
  auto result = text_map{};
  for (const auto& text : texts) {
    auto equals = text.find('=');
    auto key = text.substr(0, equals);
    auto value = equals == text.npos ? "" : text.substr(equals + 1);
    if (key.empty())
      return fail(ec::invalid_argument,
                  std::string{option} + " " + quoted(text)
                    + ": there is no key",
                  "write it as key=value");
    if (!result.emplace(key, value).second)
      return fail(ec::invalid_argument, std::string{option} + " " + quoted(key)
                                          + ": given more than once");
  }
  return result;
}

std::pair<std::string, std::string> split_endpoint(const std::string& text) {
  auto slash = text.find('/');
  if (slash == text.npos)
    return {"", text};
  return {text.substr(0, slash), text.substr(slash + 1)};
}

} // namespace troupe::tools
