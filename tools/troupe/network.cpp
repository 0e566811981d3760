#include "troupe/tools/troupe/listing.hpp"
#include "troupe/tools/troupe/network_spec.hpp"
#include "troupe/tools/troupe/time_words.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <istream>
#include <memory>
#include <ostream>

namespace troupe::tools {

namespace {

std::vector<table_column> network_columns() {
  return {{"NETWORK ID", 3, false, false}, {"NAME", 0, true, false},
          {"DRIVER", 1, false, false},     {"SUBNET", 0, true, false},
          {"ENDPOINTS", 2, false, false},  {"STATE", 0, false, true},
          {"AGE", 4, false, false}};
}

filter_view view_of(const network_status& x) {
  auto result = filter_view{};
  result.name = x.spec.name;
  result.id = x.spec.id.value;
  result.driver = x.spec.driver;
  result.labels = &x.spec.labels;
  result.dangling = x.endpoints.empty();
  result.created_ms = x.spec.created_ms;
  return result;
}

// `all` empty: an error was printed.
std::unique_ptr<network_list> matching(session& s, const output_options& how) {
  auto all = s.ask<network_list>(list_networks{});
  if (all
      && !keep_matching(s, how, all->networks, filter_keys("network"), view_of))
    all.reset();
  return all;
}

void list(session& s, const output_options& how) {
  if (auto all = matching(s, how))
    print_list(s, how, all->networks, network_columns(),
               [&how](const network_status& x) {
                 return std::vector{shown(x.spec.id, how.no_trunc),
                                    x.spec.name,
                                    x.spec.driver,
                                    subnets_text(x.spec),
                                    std::to_string(x.endpoints.size()),
                                    x.state,
                                    age_text(x.spec.created_ms, now_ms())};
               });
}

// With its endpoints as people know them; gone meanwhile is gone.
json inspected(session& s, const network_status& x) {
  auto result = to_json(x);
  auto details = json::array();
  auto answer = x.endpoints.empty()
                  ? troupe::result<reply>{reply{endpoint_list{}}}
                  : s.call(list_endpoints{x.spec.id.value});
  if (!answer && answer.error().code != ec::not_found)
    s.report(answer.error());
  auto* all = answer ? std::get_if<endpoint_list>(&*answer) : nullptr;
  if (all != nullptr) {
    std::ranges::stable_sort(all->endpoints, natural_less, full_name_of{});
    for (const auto& y : all->endpoints) {
      auto& one
        = details.emplace_back(json{{"id", y.spec.id.value},
                                    {"name", y.spec.name},
                                    {"sandbox", y.sandbox_name},
                                    {"interface", y.interface},
                                    {"addresses", to_json(y.spec.addresses)},
                                    {"state", y.state}});
      if (y.spec.mac)
        one["mac"] = to_string(*y.spec.mac);
    }
  }
  result["endpoint_details"] = std::move(details);
  return result;
}

void create(session& s, const network_flags& flags, const output_options& how) {
  auto spec = make_network_spec(flags);
  if (!spec)
    return s.report_usage(spec.error());
  if (auto made = s.ask<network_status>(create_network{std::move(*spec)}))
    print_made(s, how, *made);
}

// Takes all endpoints off the network, and says which.
// @returns false after an error, which was printed.
bool remove_endpoints(session& s, const std::string& network) {
  auto all = s.ask<endpoint_list>(list_endpoints{network});
  if (!all)
    return false;
  std::ranges::stable_sort(all->endpoints, natural_less, full_name_of{});
  auto good = true;
  for (const auto& x : all->endpoints) {
    auto removed
      = s.call(remove_endpoint{x.spec.network.value, x.spec.id.value, true});
    if (removed)
      s.print(full_name(x));
    else if (removed.error().code != ec::not_found) {
      s.report(removed.error());
      good = false;
    }
  }
  return good;
}

void remove_with_endpoints(session& s, const std::string& name) {
  auto found = s.call(inspect_network{name});
  if (!found) {
    if (!is_gone_already(s, found.error()))
      s.report(found.error());
    return;
  }
  // By id: what has the name later is another one.
  const auto* network = std::get_if<network_status>(&*found);
  if (network == nullptr || !remove_endpoints(s, network->spec.id.value))
    return;
  auto removed = s.call(remove_network{network->spec.id.value});
  if (removed || is_gone_already(s, removed.error()))
    s.print(name);
  else
    s.report(removed.error());
}

void remove(session& s, const std::vector<std::string>& names, bool force) {
  for (const auto& name : names)
    if (force)
      remove_with_endpoints(s, name);
    else if (s.ask<done>(remove_network{name}))
      s.print(name);
}

bool confirmed(session& s) {
  if (!s.io.in_is_terminal) {
    s.report_usage({ec::invalid_argument,
                    "prune networks: there is no terminal to ask at",
                    "--force does not ask", 0});
    return false;
  }
  s.io.out << "This removes all networks without endpoints. Go on? [y/N] "
           << std::flush;
  auto answer = std::string{};
  std::getline(s.io.in, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

void prune(session& s, const output_options& how, bool force) {
  if (auto link = s.link(); !link)
    return s.report(link.error());
  if (!force && !confirmed(s))
    return;
  auto all = matching(s, how);
  if (!all)
    return;
  std::ranges::stable_sort(all->networks, natural_less, full_name_of{});
  for (const auto& x : all->networks) {
    if (!x.endpoints.empty())
      continue;
    // By id, for a name may have been given anew since. Who got an endpoint
    // meanwhile, or is gone, is none of our business any more.
    auto removed = s.call(remove_network{x.spec.id.value});
    if (removed)
      s.print(x.spec.name);
    else if (removed.error().code != ec::forbidden
             && removed.error().code != ec::not_found)
      s.report(removed.error());
  }
}

void add_create(CLI::App& noun, session& s) {
  struct arguments {
    network_flags flags;
    output_options how;
  };
  auto x = std::make_shared<arguments>();
  auto& flags = x->flags;
  auto* command = noun.add_subcommand("create", "Create a network");
  command->add_option("name", flags.name, "Name of the network")->required();
  command->add_option("-d,--driver", flags.driver, "Driver [bridge]");
  auto repeated = [command](const char* names, std::vector<std::string>& texts,
                            const char* type, const char* help) {
    command->add_option(names, texts, help)
      ->type_name(type)
      ->allow_extra_args(false);
  };
  repeated("--subnet", flags.subnets, "CIDR", "Subnet; one per family");
  repeated("--ip-range", flags.ip_ranges, "CIDR",
           "Part of the subnet that automatic addresses come from");
  repeated("--gateway", flags.gateways, "IP", "Gateway of the subnet");
  repeated("--aux-address", flags.aux_addresses, "NAME=IP",
           "Address that is used otherwise");
  command->add_flag("--ipv6", flags.ipv6, "Enable IPv6");
  command->add_flag("--no-ipv4", flags.no_ipv4, "Disable IPv4");
  command->add_flag("--internal", flags.internal, "Nothing in or out");
  command->add_option("--ipam-driver", flags.ipam_driver,
                      "Who gives out addresses [default]");
  repeated("--label", flags.labels, "KEY=VALUE", "Label of your own");
  repeated("-o,--opt", flags.options, "KEY=VALUE", "Driver option");
  add_format(*command, x->how);
  add_examples(*command,
               {"troupe network create web",
                "troupe network create --subnet 10.1.0.0/16 --ipv6 web",
                "troupe network create -o mtu=1400 --internal db"});
  command->callback([&s, x] {
    create(s, x->flags, x->how);
  });
}

void add_prune(CLI::App& noun, session& s) {
  struct arguments {
    output_options how;
    bool force = false;
  };
  auto x = std::make_shared<arguments>();
  auto* command
    = noun.add_subcommand("prune", "Remove all networks without endpoints");
  command->add_flag("-f,--force", x->force, "Do not ask");
  command->add_option("--filter", x->how.filters, "Only those that match")
    ->type_name("KEY=VALUE")
    ->allow_extra_args(false);
  add_examples(*command, {"troupe network prune --force --filter until=24h"});
  command->callback([&s, x] {
    prune(s, x->how, x->force);
  });
}

} // namespace

void add_network_commands(CLI::App& app, session& s) {
  auto* noun = app.add_subcommand("network", "Manage networks");
  noun->require_subcommand(1);
  add_create(*noun, s);
  add_prune(*noun, s);

  auto how = std::make_shared<output_options>();
  auto* ls = noun->add_subcommand("ls", "List networks")->alias("list");
  add_list_options(*ls, *how,
                   "name, id, driver, label, label!, dangling, scope, type or "
                   "until");
  add_examples(*ls, {"troupe network ls -f driver=bridge -f label=tier=front",
                     "troupe network ls --format '{{.Name}} {{.Subnet}}'"});
  ls->callback([&s, how] {
    list(s, *how);
  });

  auto names = std::make_shared<std::vector<std::string>>();
  auto* rm = noun->add_subcommand("rm", "Remove networks")
               ->alias("remove")
               ->alias("delete");
  rm->add_option("name", *names, "Names, ids or unique prefixes")->required();
  auto force = std::make_shared<bool>(false);
  rm->add_flag("-f,--force", *force,
               "With their endpoints, which are listed; what is not there is "
               "no error");
  rm->callback([&s, names, force] {
    remove(s, *names, *force);
  });

  auto shown_names = std::make_shared<std::vector<std::string>>();
  auto* inspect = noun->add_subcommand("inspect", "Show networks as JSON");
  inspect->add_option("name", *shown_names, "Names, ids or unique prefixes")
    ->required();
  auto inspect_how = std::make_shared<output_options>();
  add_format(*inspect, *inspect_how);
  inspect->callback([&s, shown_names, inspect_how] {
    print_inspected(
      s, *inspect_how, *shown_names,
      [&s](const auto& name) {
        return s.ask<network_status>(inspect_network{name});
      },
      [&s](const network_status& x) {
        return inspected(s, x);
      });
  });
}

} // namespace troupe::tools
