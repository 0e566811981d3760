#include "troupe/tools/troupe/listing.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <ostream>

namespace troupe::tools {

namespace {

std::string
counted(uint64_t number, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", number, number == 1 ? one : many);
}

void print_status(session& s, const daemon_status& x) {
  s.print(
    fmt::format("Troupe {}, start {} on this state", x.version, x.generation));
  s.print("State:     " + x.state_dir);
  s.print("Run:       " + x.run_dir);
  s.print("Drivers:   " + joined(x.drivers, ", "));
  s.print("Objects:   "
          + joined({counted(x.networks, "network", "networks"),
                    counted(x.endpoints, "endpoint", "endpoints"),
                    counted(x.sandboxes, "sandbox", "sandboxes")},
                   ", "));
  auto steps
    = text_table{std::vector<std::string>{"START-UP", "TIME", "DETAIL"}};
  for (const auto& step : x.startup)
    steps.add({step.name, duration_text(step.duration_us), step.detail});
  s.io.out << "\n" << steps.text();
  for (const auto& warning : x.warnings)
    s.print("\nWarning: " + warning);
}

void status(session& s, const output_options& how) {
  auto x = s.ask<daemon_status>(get_status{});
  if (!x)
    return;
  if (print_data(s, how, to_json(*x), field_names<daemon_status>()))
    return;
  if (how.format == output_format::name)
    s.print(x->version);
  else
    print_status(s, *x);
}

// What hangs together, in the order people think: network, then who is on it.
void topology(session& s, const output_options& how) {
  auto networks = s.ask<network_list>(list_networks{});
  auto endpoints = networks ? s.ask<endpoint_list>(list_endpoints{}) : nullptr;
  if (!endpoints)
    return;
  std::ranges::stable_sort(networks->networks, natural_less, full_name_of{});
  std::ranges::stable_sort(endpoints->endpoints, natural_less, full_name_of{});
  if (print_data(s, how,
                 json{{"networks", to_json(networks->networks)},
                      {"endpoints", to_json(endpoints->endpoints)}}))
    return;
  auto table = text_table{std::vector<std::string>{
    "NETWORK", "DRIVER", "SUBNET", "SANDBOX", "INTERFACE", "ADDRESS", "MAC"}};
  for (const auto& network : networks->networks) {
    const auto& spec = network.spec;
    auto used = false;
    for (const auto& x : endpoints->endpoints) {
      if (x.spec.network != spec.id)
        continue;
      used = true;
      table.add({spec.name, spec.driver, subnets_text(spec), x.sandbox_name,
                 x.interface, addresses_text(x.spec),
                 x.spec.mac ? to_string(*x.spec.mac) : ""});
    }
    if (!used)
      table.add({spec.name, spec.driver, subnets_text(spec), "", "", "", ""});
  }
  s.io.out << table.text();
}

} // namespace

void add_status_command(CLI::App& app, session& s) {
  struct arguments {
    output_options how;
    bool topology = false;
  };
  auto x = std::make_shared<arguments>();
  auto* command = app.add_subcommand("status", "Show the daemon's state");
  command->add_flag("--topology", x->topology,
                    "Show networks, sandboxes and addresses instead");
  add_format(*command, x->how);
  command->callback([&s, x] {
    if (x->topology)
      topology(s, x->how);
    else
      status(s, x->how);
  });
}

} // namespace troupe::tools
