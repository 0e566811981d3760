#include "troupe/tools/troupe/endpoint_options.hpp"
#include "troupe/tools/troupe/listing.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace troupe::tools {

namespace {

struct arguments {
  std::string first;
  std::string second;
  endpoint_flags flags;
  output_options how;
};

void join(session& s, const arguments& x) {
  auto [network, name] = split_endpoint(x.first);
  auto joined = s.ask<endpoint_status>(join_endpoint{network, name, x.second});
  if (joined)
    print_made(s, x.how, *joined);
}

void leave(session& s, const arguments& x) {
  auto [network, name] = split_endpoint(x.first);
  if (s.ask<done>(leave_endpoint{network, name}))
    s.print(x.first);
}

void attach(session& s, const arguments& x) {
  auto spec = make_endpoint_spec(x.flags);
  if (!spec)
    return s.report_usage(spec.error());
  auto attached = s.ask<endpoint_status>(
    attach_sandbox{x.first, x.second, std::move(*spec)});
  if (attached)
    print_made(s, x.how, *attached);
}

struct port_arguments {
  std::string endpoint;
  std::vector<std::string> ports;
  output_options how;
};

template <class Request>
void change_ports(session& s, const port_arguments& x) {
  auto ports = make_port_specs(x.ports);
  if (!ports)
    return s.report_usage(ports.error());
  auto [network, name] = split_endpoint(x.endpoint);
  auto changed
    = s.ask<endpoint_status>(Request{network, name, std::move(*ports)});
  if (!changed)
    return;
  if (x.how.format != output_format::table)
    return print_made(s, x.how, *changed);
  for (const auto& binding : changed->bindings)
    s.print(to_string(binding));
}

void detach(session& s, const arguments& x) {
  if (s.ask<done>(detach_sandbox{x.first, x.second}))
    s.print(x.second);
}

using action = void (*)(session&, const arguments&);

std::pair<CLI::App*, std::shared_ptr<arguments>>
add(CLI::App& app, session& s, const char* name, const char* help, action run) {
  auto x = std::make_shared<arguments>();
  auto* command = app.add_subcommand(name, help);
  command->callback([&s, x, run] {
    run(s, *x);
  });
  return {command, x};
}

template <class Request>
void add_port_command(CLI::App& app, session& s, const char* name,
                      const char* help, const char* endpoint_help) {
  auto x = std::make_shared<port_arguments>();
  auto* command = app.add_subcommand(name, help);
  command->add_option("endpoint", x->endpoint, endpoint_help)->required();
  command
    ->add_option("ports", x->ports,
                 "[HOSTIP:][HOSTPORT[-END]:]PORT[-END][/PROTO]")
    ->required();
  add_format(*command, x->how);
  const auto line = "troupe " + std::string{name} + " web/box 8080:80/tcp";
  add_examples(*command, {line.c_str()});
  command->callback([&s, x] {
    change_ports<Request>(s, *x);
  });
}

constexpr auto endpoint_help = "NETWORK/ENDPOINT, or an endpoint's id";

void add_pair(CLI::App& command, arguments& x) {
  command.add_option("network", x.first, "Network")->required();
  command.add_option("sandbox", x.second, "Sandbox")->required();
}

void add_attach(CLI::App& above, session& s, const char* name,
                const char* help) {
  auto [command, x] = add(above, s, name, help, attach);
  add_pair(*command, *x);
  command->add_option("--name", x->flags.name,
                      "Name of the endpoint [the sandbox's]");
  add_endpoint_options(*command, x->flags);
  add_format(*command, x->how);
  add_examples(*command,
               {"troupe attach web box",
                "troupe attach web box --ip 10.1.0.9 -p 127.0.0.1:8080:80"});
}

void add_detach(CLI::App& above, session& s, const char* name,
                const char* help) {
  auto [command, x] = add(above, s, name, help, detach);
  add_pair(*command, *x);
}

} // namespace

void add_join_commands(CLI::App& app, session& s) {
  auto [join_command, joined]
    = add(app, s, "join", "Join an endpoint to a sandbox", join);
  join_command->add_option("endpoint", joined->first, endpoint_help)
    ->required();
  join_command->add_option("sandbox", joined->second, "Sandbox")->required();
  add_format(*join_command, joined->how);

  auto [leave_command, left]
    = add(app, s, "leave", "Take an endpoint out of its sandbox", leave);
  leave_command->add_option("endpoint", left->first, endpoint_help)->required();

  add_attach(app, s, "attach",
             "Make an endpoint and join it, in one operation");
  add_port_command<publish_ports>(app, s, "publish",
                                  "Publish ports of an endpoint; shows all "
                                  "that are published",
                                  endpoint_help);
  add_port_command<unpublish_ports>(app, s, "unpublish",
                                    "Give published ports of an endpoint back",
                                    endpoint_help);

  add_detach(app, s, "detach", "Take a sandbox off a network");
  auto& noun = *app.get_subcommand("network");
  add_attach(noun, s, "connect", "The same as attach");
  add_detach(noun, s, "disconnect", "The same as detach");
}

} // namespace troupe::tools
