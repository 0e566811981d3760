#include "troupe/tools/trouped/flags.hpp"

#include "troupe/tools/version.hpp"

#include <CLI/CLI.hpp>

#include <fstream>
#include <iterator>
#include <ostream>
#include <string_view>

#include <unistd.h>

namespace troupe::tools {

namespace {

constexpr auto default_file = "/etc/troupe/troupe.json";

// One line of help for each setting. A setting without one has no flag.
constexpr std::pair<std::string_view, std::string_view> help_texts[] = {
  {"state-dir", "Directory of the durable records"},
  {"run-dir", "Directory of what ends with a reboot; on a tmpfs"},
  {"socket", "Path of the API's socket [<run-dir>/troupe.sock]"},
  {"socket-group", "Group that may use the socket"},
  {"log-level", "trace, debug, info, warn or error"},
  {"default-address-pools",
   "Ranges automatic subnets come from: base=CIDR,size=N;…"},
  {"driver-timeout-ms", "Upper bound for one kernel operation"},
  {"request-timeout-ms", "Upper bound for one client request"},
  {"max-requests", "Requests in work at once"},
  {"max-queue", "Operations waiting for one object"},
  {"ip-forward", "Switch the host's forwarding on if a network needs it"},
  {"ip-forward-no-drop",
   "Where it was switched on, forward between other links, too"},
  {"accept-mark", "Accept forwarded packets with this mark: MARK[/MASK]"},
  {"proxy-program", "Path of troupe-proxy [beside this program]"},
  {"ready-namespaces", "Namespaces made in advance"},
  {"remove-leftovers", "Delete tagged kernel objects a new store lacks"},
};

struct raw_flags {
  std::string file;
  std::map<std::string, std::string> values;
  bool print_openapi = false;
  bool check = false;
  bool inject_faults = false;
};

// The flags are the keys of the settings; their defaults come from there.
void add_setting_flags(CLI::App& app, raw_flags& flags) {
  auto defaults = settings{};
  for_each_field(defaults, [&]<class T>(std::string_view key, const T& value) {
    auto name = "--" + std::string{key};
    for (const auto& [known, text] : help_texts) {
      if (known != key)
        continue;
      auto help = std::string{text};
      if constexpr (std::is_same_v<T, std::string>)
        help += value.empty() ? "" : " [" + value + "]";
      else if constexpr (std::is_same_v<T, int>)
        help += " [" + std::to_string(value) + "]";
      if constexpr (std::is_same_v<T, bool>)
        app.add_flag_function(
          name,
          [&flags, key](int64_t count) { // Negative for `--flag=false`.
            flags.values[std::string{key}] = count > 0 ? "true" : "false";
          },
          help);
      else
        app
          .add_option_function<std::string>(
            name,
            [&flags, key](const std::string& given) {
              flags.values[std::string{key}] = given;
            },
            help)
          ->type_name("");
    }
  });
}

daemon_command leave(int exit_code) {
  auto result = daemon_command{};
  result.exit_code = exit_code;
  return result;
}

daemon_command refuse(std::ostream& err, const error& why) {
  err << "Error: " << why.message << "\n";
  if (!why.hint.empty())
    err << "Hint: " << why.hint << "\n";
  return leave(2);
}

// The default file may be absent, one that was named may not.
result<std::string> read_file(const std::string& name, bool must_exist) {
  auto file = std::ifstream{name, std::ios::binary};
  if (!file && (must_exist || ::access(name.c_str(), F_OK) == 0))
    return fail(os_failure(errno, "read settings " + name));
  if (!file)
    return std::string{};
  auto text = std::string{std::istreambuf_iterator<char>{file}, {}};
  if (file.bad())
    return fail(os_failure(errno, "read settings " + name));
  return text;
}

} // namespace

overrides troupe_environment() {
  auto result = overrides{};
  for (auto** x = environ; *x != nullptr; ++x) {
    auto text = std::string_view{*x};
    if (auto equals = text.find('='); text.starts_with("TROUPE_"))
      result[std::string{text.substr(0, equals)}]
        = std::string{text.substr(equals + 1)};
  }
  return result;
}

daemon_command parse_daemon_flags(int argc, const char* const* argv,
                                  const overrides& environment,
                                  std::ostream& out, std::ostream& err) {
  auto flags = raw_flags{};
  auto app = CLI::App{"Troupe's daemon: owns networks, endpoints and "
                      "sandboxes, and serves the local API.",
                      "trouped"};
  app.set_version_flag("--version", std::string{"trouped "} + version);
  app.add_option("--config", flags.file,
                 std::string{"Settings file, JSON with comments ["}
                   + default_file + "]");
  add_setting_flags(app, flags);
  app.add_flag("--enable-fault-injection", flags.inject_faults,
               "Let root make this daemon fail on purpose (troupe fault)");
  app.add_flag("--check", flags.check, "Check the settings and leave");
  app.add_flag("--print-openapi", flags.print_openapi,
               "Print the API's description and leave");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& why) {
    if (why.get_exit_code() != 0)
      return refuse(
        err, {ec::invalid_argument, why.what(), "see trouped --help", 0});
    return leave(app.exit(why, out, err));
  }
  auto file = flags.file.empty() ? std::string{default_file} : flags.file;
  auto text = read_file(file, !flags.file.empty());
  if (!text)
    return refuse(err, text.error());
  auto loaded = load_settings(file, *text, environment, flags.values);
  if (!loaded)
    return refuse(err, loaded.error());
  using action = daemon_command::action;
  auto what = flags.print_openapi ? action::print_openapi
              : flags.check       ? action::check
                                  : action::serve;
  return {what, 0, std::move(*loaded), flags.inject_faults};
}

} // namespace troupe::tools
