#include "troupe/config/model/id.hpp"
#include "troupe/tools/troupe/listing.hpp"
#include "troupe/tools/troupe/sandbox_exec.hpp"
#include "troupe/tools/troupe/time_words.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <ostream>

namespace troupe::tools {

namespace {

std::vector<table_column> sandbox_columns() {
  return {{"SANDBOX ID", 2, false, false}, {"NAME", 0, true, false},
          {"ENDPOINTS", 1, false, false},  {"NAMESPACE", 3, true, false},
          {"STATE", 0, false, true},       {"AGE", 4, false, false}};
}

filter_view view_of(const sandbox_status& x) {
  auto result = filter_view{};
  result.name = x.spec.name;
  result.id = x.spec.id.value;
  result.labels = &x.spec.labels;
  return result;
}

void list(session& s, const output_options& how) {
  auto all = s.ask<sandbox_list>(list_sandboxes{});
  if (all
      && keep_matching(s, how, all->sandboxes, filter_keys("sandbox"), view_of))
    print_list(s, how, all->sandboxes, sandbox_columns(),
               [&how](const sandbox_status& x) {
                 return std::vector{shown(x.spec.id, how.no_trunc),
                                    x.spec.name,
                                    std::to_string(x.endpoints.size()),
                                    x.key,
                                    x.state,
                                    age_text(x.spec.created_ms, now_ms())};
               });
}

void remove(session& s, const std::vector<std::string>& names, bool force) {
  for (const auto& name : names) {
    auto removed = s.call(remove_sandbox{name});
    if (removed)
      s.print(name);
    else if (!force || !is_gone_already(s, removed.error()))
      s.report(removed.error());
  }
}

struct sandbox_flags {
  sandbox_spec spec;
  std::vector<std::string> labels;
  output_options how;
};

void create(session& s, const sandbox_flags& flags) {
  auto spec = flags.spec;
  if (auto named = check_name(spec.name, "sandbox"); !named)
    return s.report_usage(named.error());
  if (!spec.netns_path.empty() && !spec.netns_path.starts_with('/'))
    return s.report_usage(
      {ec::invalid_argument,
       "--netns " + quoted(spec.netns_path) + ": not an absolute path",
       "the daemon runs in another directory", 0});
  auto labels = parse_pairs(flags.labels, "--label");
  if (!labels)
    return s.report_usage(labels.error());
  spec.labels = std::move(*labels);
  if (auto made = s.ask<sandbox_status>(create_sandbox{std::move(spec)}))
    print_made(s, flags.how, *made);
}

void add_create(CLI::App& noun, session& s) {
  auto x = std::make_shared<sandbox_flags>();
  auto* command = noun.add_subcommand("create", "Create a sandbox");
  command->add_option("name", x->spec.name, "Name of the sandbox")->required();
  auto* netns = command
                  ->add_option("--netns", x->spec.netns_path,
                               "Namespace that exists already")
                  ->type_name("PATH");
  command
    ->add_flag("--host-network", x->spec.use_host_namespace,
               "Share the host's namespace")
    ->excludes(netns);
  command->add_option("--hostname", x->spec.hostname, "Host name inside");
  command->add_option("--domainname", x->spec.domainname, "Domain name inside");
  command->add_option("--label", x->labels, "Label of your own")
    ->type_name("KEY=VALUE")
    ->allow_extra_args(false);
  add_format(*command, x->how);
  add_examples(*command,
               {"troupe sandbox create box",
                "troupe sandbox create --netns /proc/4711/ns/net box"});
  command->callback([&s, x] {
    create(s, *x);
  });
}

void run_inside(session& s, const std::string& name,
                const std::vector<std::string>& command) {
  if (command.empty())
    return s.report_usage({ec::invalid_argument,
                           "sandbox exec: there is no command",
                           "troupe sandbox exec NAME -- COMMAND...", 0});
  // The namespace is on the daemon's host, where this process is not.
  if (s.is_remote())
    return s.report({ec::unsupported,
                     "sandbox exec: works on the daemon's own host only",
                     "for example ssh HOST troupe sandbox exec " + name, 0});
  auto found = s.ask<sandbox_status>(inspect_sandbox{name});
  if (!found)
    return;
  s.io.out << std::flush;
  auto failed = exec_in_namespace(found->key, command);
  s.report(failed.why);
  s.code = failed.exit_code;
}

void add_exec(CLI::App& noun, session& s) {
  auto name = std::make_shared<std::string>();
  auto* command
    = noun.add_subcommand("exec", "Run a command inside a sandbox's namespace");
  command->add_option("name", *name, "Name, id or unique prefix")->required();
  command->footer(
    "What follows the name is the command; -- may stand between.");
  command->callback([&s, name] {
    run_inside(s, *name, s.inner_command);
  });
}

} // namespace

void add_sandbox_commands(CLI::App& app, session& s) {
  auto* noun = app.add_subcommand("sandbox", "Manage sandboxes");
  noun->require_subcommand(1);
  add_create(*noun, s);
  add_exec(*noun, s);

  auto how = std::make_shared<output_options>();
  auto* ls = noun->add_subcommand("ls", "List sandboxes")->alias("list");
  add_list_options(*ls, *how, "name, id, label or label!");
  ls->callback([&s, how] {
    list(s, *how);
  });

  auto removed = std::make_shared<std::vector<std::string>>();
  auto* rm
    = noun->add_subcommand("rm", "Remove sandboxes; their endpoints leave")
        ->alias("remove")
        ->alias("delete");
  rm->add_option("name", *removed, "Names, ids or unique prefixes")->required();
  auto force = std::make_shared<bool>(false);
  rm->add_flag("-f,--force", *force, "What is not there is no error");
  rm->callback([&s, removed, force] {
    remove(s, *removed, *force);
  });

  auto names = std::make_shared<std::vector<std::string>>();
  auto inspect_how = std::make_shared<output_options>();
  auto* inspect = noun->add_subcommand("inspect", "Show sandboxes as JSON");
  inspect->add_option("name", *names, "Names, ids or unique prefixes")
    ->required();
  add_format(*inspect, *inspect_how);
  inspect->callback([&s, names, inspect_how] {
    print_inspected(s, *inspect_how, *names, [&s](const auto& name) {
      return s.ask<sandbox_status>(inspect_sandbox{name});
    });
  });
}

} // namespace troupe::tools
