#include "troupe/tools/troupe/endpoint_options.hpp"
#include "troupe/tools/troupe/listing.hpp"
#include "troupe/tools/troupe/time_words.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace troupe::tools {

namespace {

std::vector<table_column> endpoint_columns() {
  return {{"ENDPOINT ID", 4, false, false}, {"NETWORK", 0, true, false},
          {"NAME", 0, true, false},         {"SANDBOX", 1, true, false},
          {"INTERFACE", 3, false, false},   {"ADDRESS", 0, true, false},
          {"PORTS", 2, true, false},        {"STATE", 0, false, true},
          {"AGE", 5, false, false}};
}

filter_view view_of(const endpoint_status& x) {
  auto result = filter_view{};
  result.name = x.spec.name;
  result.id = x.spec.id.value;
  result.network = x.network_name;
  result.network_id = x.spec.network.value;
  result.labels = &x.spec.labels;
  return result;
}

void list(session& s, const std::string& network, const output_options& how) {
  auto all = s.ask<endpoint_list>(list_endpoints{network});
  if (all
      && keep_matching(s, how, all->endpoints, filter_keys("endpoint"),
                       view_of))
    print_list(s, how, all->endpoints, endpoint_columns(),
               [&how](const endpoint_status& x) {
                 return std::vector{shown(x.spec.id, how.no_trunc),
                                    x.network_name,
                                    x.spec.name,
                                    x.sandbox_name,
                                    x.interface,
                                    addresses_text(x.spec),
                                    ports_text(x.bindings),
                                    x.state,
                                    age_text(x.spec.created_ms, now_ms())};
               });
}

void create(session& s, const std::string& network, const endpoint_flags& flags,
            const output_options& how) {
  auto spec = make_endpoint_spec(flags);
  if (!spec)
    return s.report_usage(spec.error());
  auto made
    = s.ask<endpoint_status>(create_endpoint{network, std::move(*spec)});
  if (made)
    print_made(s, how, *made);
}

// `NETWORK NAME...`, or only texts `NETWORK/NAME` and ids.
struct references {
  std::vector<std::string> texts;

  std::vector<std::pair<std::string, std::string>> pairs() const {
    auto result = std::vector<std::pair<std::string, std::string>>{};
    auto alone
      = texts.size() == 1 || texts.front().find('/') != std::string::npos;
    for (size_t i = alone ? 0 : 1; i < texts.size(); ++i)
      result.push_back(alone ? split_endpoint(texts[i])
                             : std::pair{texts.front(), texts[i]});
    return result;
  }
};

void remove(session& s, const references& which, bool force) {
  for (const auto& [network, name] : which.pairs()) {
    auto removed = s.call(remove_endpoint{network, name, force});
    if (removed)
      s.print(name);
    else if (!force || !is_gone_already(s, removed.error()))
      s.report(removed.error());
  }
}

void inspect(session& s, const references& which, const output_options& how) {
  auto names = std::vector<std::string>{};
  for (const auto& [network, name] : which.pairs())
    names.push_back(network.empty() ? name : network + "/" + name);
  print_inspected(s, how, names, [&s](const std::string& text) {
    auto [network, name] = split_endpoint(text);
    return s.ask<endpoint_status>(inspect_endpoint{network, name});
  });
}

void add_create(CLI::App& noun, session& s) {
  struct arguments {
    std::string network;
    endpoint_flags flags;
    output_options how;
  };
  auto x = std::make_shared<arguments>();
  auto* command = noun.add_subcommand("create", "Create an endpoint");
  command->add_option("network", x->network, "Network")->required();
  command->add_option("name", x->flags.name, "Name of the endpoint")
    ->required();
  add_endpoint_options(*command, x->flags);
  add_format(*command, x->how);
  add_examples(*command,
               {"troupe endpoint create web c1 --ip 10.1.0.9 -p 8080:80",
                "troupe join web/c1 box"});
  command->callback([&s, x] {
    create(s, x->network, x->flags, x->how);
  });
}

constexpr auto references_help
  = "A network and names of its endpoints; or NETWORK/NAME, or an id";

} // namespace

void add_endpoint_options(CLI::App& command, endpoint_flags& flags) {
  command.add_option("--ip", flags.ip, "IPv4 address")->type_name("IP");
  command.add_option("--ip6", flags.ip6, "IPv6 address")->type_name("IP");
  command.add_option("--mac", flags.mac, "MAC address")->type_name("MAC");
  command
    .add_option("--priority", flags.priority,
                "The gateway comes from the highest [0]")
    ->type_name("N");
  command.add_option("--label", flags.labels, "Label of your own")
    ->type_name("KEY=VALUE")
    ->allow_extra_args(false);
  command
    .add_option("-p,--publish", flags.publish,
                "Publish ports on the host; several are allowed")
    ->type_name("[HOSTIP:][HOSTPORT[-END]:]PORT[-END][/PROTO]")
    ->allow_extra_args(false);
  command.add_option("--expose", flags.expose, "Port for --publish-all")
    ->type_name("PORT[/PROTO]")
    ->allow_extra_args(false);
  command.add_flag("-P,--publish-all", flags.publish_all,
                   "Publish exposed ports at automatic host ports");
  command.add_option("-o,--opt", flags.options, "Driver option")
    ->type_name("KEY=VALUE")
    ->allow_extra_args(false);
}

void add_endpoint_commands(CLI::App& app, session& s) {
  auto* noun = app.add_subcommand("endpoint", "Manage endpoints");
  noun->require_subcommand(1);
  add_create(*noun, s);

  auto how = std::make_shared<output_options>();
  auto network = std::make_shared<std::string>();
  auto* ls = noun->add_subcommand("ls", "List endpoints")->alias("list");
  ls->add_option("network", *network, "Of this network only");
  add_list_options(*ls, *how, "name, id, network, label or label!");
  add_examples(*ls, {"troupe endpoint ls web",
                     "troupe endpoint ls --format "
                     "'table {{.Name}}\\t{{.Address}}\\t{{.Ports}}'"});
  ls->callback([&s, network, how] {
    list(s, *network, *how);
  });

  auto removed = std::make_shared<references>();
  auto force = std::make_shared<bool>(false);
  auto* rm = noun->add_subcommand("rm", "Remove endpoints")
               ->alias("remove")
               ->alias("delete");
  rm->add_option("endpoint", removed->texts, references_help)->required();
  rm->add_flag("-f,--force", *force,
               "Even while joined; what is not there is no error");
  rm->callback([&s, removed, force] {
    remove(s, *removed, *force);
  });

  auto inspected = std::make_shared<references>();
  auto inspect_how = std::make_shared<output_options>();
  auto* show = noun->add_subcommand("inspect", "Show endpoints as JSON");
  show->add_option("endpoint", inspected->texts, references_help)->required();
  add_format(*show, *inspect_how);
  show->callback([&s, inspected, inspect_how] {
    inspect(s, *inspected, *inspect_how);
  });
}

} // namespace troupe::tools
