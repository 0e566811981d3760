#include "troupe/tools/troupe/listing.hpp"
#include "troupe/tools/version.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <ostream>

namespace troupe::tools {

namespace {

// The daemon first: another host's is asked by another program.
void show_version(session& s, const output_options& how) {
  auto answer = s.call(get_status{});
  const auto* daemon = answer ? std::get_if<daemon_status>(&*answer) : nullptr;
  const auto both
    = json{{"client", {{"version", version}}},
           {"daemon", daemon == nullptr ? json(nullptr)
                                        : json{{"version", daemon->version},
                                               {"host", s.host}}}};
  if (print_data(s, how, both))
    return;
  if (how.format == output_format::name)
    return s.print(version);
  s.print(std::string{"Client:  "} + version);
  if (daemon != nullptr)
    return s.print("Daemon:  " + daemon->version + " at " + s.host);
  s.print("Daemon:  no answer from " + s.host);
  if (!answer)
    s.io.err << "Note: " << answer.error().message << "\n";
}

void exists(session& s, request what) {
  auto answer = s.call(std::move(what));
  if (answer)
    return;
  if (answer.error().code == ec::not_found)
    s.code = exit_failure;
  else
    s.report(answer.error());
}

// @param ask makes a request of the text that names an object.
template <class Ask>
void add_exists(CLI::App& app, session& s, const char* noun, const char* name,
                const char* help, Ask ask) {
  auto wanted = std::make_shared<std::string>();
  auto* command = app.get_subcommand(noun)->add_subcommand(
    "exists", "Is it there? Exit 0 if it is, 1 if not; prints nothing");
  command->add_option(name, *wanted, help)->required();
  command->callback([&s, wanted, ask] {
    exists(s, ask(*wanted));
  });
}

} // namespace

void add_version_command(CLI::App& app, session& s) {
  auto how = std::make_shared<output_options>();
  auto* command = app.add_subcommand(
    "version", "Show the versions of command line and daemon");
  add_format(*command, *how);
  command->callback([&s, how] {
    show_version(s, *how);
  });
}

void add_exists_commands(CLI::App& app, session& s) {
  constexpr auto help = "Name, id or unique prefix";
  add_exists(app, s, "network", "name", help, [](const std::string& x) {
    return request{inspect_network{x}};
  });
  add_exists(app, s, "sandbox", "name", help, [](const std::string& x) {
    return request{inspect_sandbox{x}};
  });
  add_exists(app, s, "endpoint", "endpoint",
             "NETWORK/ENDPOINT, or an endpoint's id", [](const std::string& x) {
               auto [network, name] = split_endpoint(x);
               return request{inspect_endpoint{network, name}};
             });
}

} // namespace troupe::tools
