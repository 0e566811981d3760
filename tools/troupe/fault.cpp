#include "troupe/config/model/fault.hpp"

#include "troupe/actors/api_routes.hpp"
#include "troupe/config/model/id.hpp"
#include "troupe/tools/troupe/fault_file.hpp"
#include "troupe/tools/troupe/listing.hpp"
#include "troupe/tools/troupe/local_api.hpp"

#include <CLI/CLI.hpp>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <memory>
#include <ostream>

namespace troupe::tools {

namespace {

// Prints the error, if there is one. @returns null then.
template <class Reply>
std::unique_ptr<Reply>
ask(session& s, const std::string& method, const std::string& target,
    const std::string& operation, std::string body = {}) {
  auto answer = ask_local(s, method, target, operation, std::move(body));
  if (!answer)
    return s.report(answer.error()), nullptr;
  auto x = from_json<Reply>(*answer, unknown_fields::ignore, "reply");
  if (!x)
    return s.report(x.error()), nullptr;
  return std::make_unique<Reply>(std::move(*x));
}

std::string which(const fault_status& x) {
  const auto& spec = x.spec;
  if (spec.per_mille)
    return std::to_string(*spec.per_mille) + " of 1000, seed "
           + std::to_string(x.seed);
  auto text = spec.nth.value_or(-1) > 0 ? "number " + std::to_string(*spec.nth)
                                        : std::string{"next"};
  return spec.for_ever ? text + " and all after" : text;
}

void print_faults(session& s, const fault_list& list,
                  const output_options& how) {
  if (print_data_list(s, how, to_json(list.faults),
                      field_names<fault_status>()))
    return;
  if (how.format == output_format::name) {
    for (const auto& x : list.faults)
      s.print(std::to_string(x.id));
    return;
  }
  auto table = text_table{std::vector<std::string>{
    "ID", "FAULT", "ON", "ERROR", "WHICH", "SEEN", "HITS", "ARMED"}};
  for (const auto& x : list.faults)
    table.add({std::to_string(x.id), x.spec.fault, x.spec.on, x.spec.error,
               which(x), std::to_string(x.seen), std::to_string(x.hits),
               x.armed ? "yes" : "no"});
  s.io.out << table.text();
}

// -- add ----------------------------------------------------------------------

struct add_arguments {
  output_options how;
  fault_spec spec;
  std::optional<uint64_t> seed;
  std::string file;
};

result<add_faults> wanted_faults(const add_arguments& x) {
  if (x.file.empty())
    return add_faults{{x.spec}, x.seed};
  auto file = std::ifstream{x.file, std::ios::binary};
  if (!file)
    return fail(os_failure(errno, "read " + x.file));
  auto text = std::string{std::istreambuf_iterator<char>{file}, {}};
  auto plan = parse_fault_file(x.file, text);
  if (plan && x.seed)
    plan->seed = x.seed;
  return plan;
}

void add(session& s, const add_arguments& x) {
  auto plan = wanted_faults(x);
  if (!plan) {
    plan.error().os_error = 0; // Of a file, not of the connection.
    return s.report_usage(plan.error());
  }
  auto added = ask<fault_list>(s, "POST", "/v1/faults", "add_faults",
                               dump(to_json(*plan)));
  if (!added)
    return;
  if (x.how.format != output_format::table)
    return print_faults(s, *added, x.how);
  for (const auto& fault : added->faults)
    s.print(std::to_string(fault.id));
}

void add_add_command(CLI::App& noun, session& s) {
  auto x = std::make_shared<add_arguments>();
  auto* command = noun.add_subcommand("add", "Inject a fault, or a plan");
  auto* fault = command->add_option("FAULT", x->spec.fault,
                                    "What happens, e.g. kernel-fail");
  auto* file = command
                 ->add_option("--file", x->file,
                              "A plan: JSON with the same names, or a scenario "
                              "of troupe-sim")
                 ->type_name("FILE");
  auto option
    = [&](const char* name, auto& into, const char* help, const char* type) {
        command->add_option(name, into, help)->type_name(type)->excludes(file);
      };
  option("--on", x->spec.on, "The call or operation it strikes [any]", "POINT");
  option("--error", x->spec.error, "Of a failed call [EIO]", "NAME");
  option("--nth", x->spec.nth, "The so-manieth from now on, from 0 [0]", "N");
  option("--delay-ms", x->spec.delay_ms, "Of a delay [5000]", "MS");
  option("--per-mille", x->spec.per_mille,
         "Instead of --nth: how likely each one is", "N");
  command->add_flag("--for-ever", x->spec.for_ever, "And all after it")
    ->excludes(file);
  command
    ->add_option("--seed", x->seed, "Decides what --per-mille strikes [drawn]")
    ->type_name("N");
  fault->excludes(file);
  add_format(*command, x->how);
  command->callback([&s, x] {
    if (x->file.empty() && x->spec.fault.empty())
      return s.report_usage({ec::invalid_argument,
                             "fault add: neither a fault nor --file",
                             "troupe fault points lists the faults", 0});
    add(s, *x);
  });
}

// -- ls, clear, log, points ---------------------------------------------------

void add_ls_command(CLI::App& noun, session& s) {
  auto how = std::make_shared<output_options>();
  auto* command = noun.add_subcommand("ls", "List the injected faults");
  add_format(*command, *how);
  command->callback([&s, how] {
    if (auto list = ask<fault_list>(s, "GET", "/v1/faults", "list_faults"))
      print_faults(s, *list, *how);
  });
}

void add_clear_command(CLI::App& noun, session& s) {
  auto ids = std::make_shared<std::vector<std::string>>();
  auto* command
    = noun.add_subcommand("clear", "Take faults away; delays end at once");
  command->add_option("ID", *ids, "Number of a fault [all]");
  command->callback([&s, ids] {
    if (ids->empty())
      (void)ask<done>(s, "DELETE", "/v1/faults", "clear_faults");
    for (const auto& id : *ids)
      if (ask<done>(s, "DELETE", "/v1/faults/" + api::percent_encode(id),
                    "remove_fault"))
        s.print(id);
  });
}

void print_log(session& s, const fault_log& log, const output_options& how) {
  if (print_data_list(s, how, to_json(log.hits)))
    return;
  if (how.format == output_format::name) {
    for (const auto& x : log.hits)
      s.print(std::to_string(x.id));
    return;
  }
  auto table = text_table{
    std::vector<std::string>{"TIME", "ID", "FAULT", "ON", "EFFECT"}};
  for (const auto& x : log.hits)
    table.add(
      {time_text(x.time_ms), std::to_string(x.id), x.fault, x.on, x.effect});
  s.io.out << table.text();
}

void add_log_command(CLI::App& noun, session& s) {
  auto how = std::make_shared<output_options>();
  auto* command
    = noun.add_subcommand("log", "Show when which fault struck what");
  add_format(*command, *how);
  command->callback([&s, how] {
    if (auto log = ask<fault_log>(s, "GET", "/v1/faults/log", "fault_log"))
      print_log(s, *log, *how);
  });
}

void print_points(session& s, const fault_points& x,
                  const output_options& how) {
  if (print_data(s, how, to_json(x)))
    return;
  if (how.format == output_format::name) {
    for (const auto& point : x.points)
      s.print(point.name);
    return;
  }
  auto table = text_table{std::vector<std::string>{"POINT", "FAULTS"}};
  for (const auto& point : x.points)
    table.add({point.name, joined(point.faults, " ")});
  s.io.out << table.text() << "\nErrors: " << joined(x.errors, " ") << "\n";
}

void add_points_command(CLI::App& noun, session& s) {
  auto how = std::make_shared<output_options>();
  auto* command
    = noun.add_subcommand("points", "List where which faults can strike");
  add_format(*command, *how);
  command->callback([&s, how] {
    if (auto x
        = ask<fault_points>(s, "GET", "/v1/faults/points", "fault_points"))
      print_points(s, *x, *how);
  });
}

} // namespace

void add_fault_commands(CLI::App& app, session& s) {
  auto* noun = app.add_subcommand(
    "fault", "Make the daemon fail on purpose; root only, and only with "
             "trouped --enable-fault-injection");
  noun->require_subcommand(1);
  add_points_command(*noun, s);
  add_add_command(*noun, s);
  add_ls_command(*noun, s);
  add_clear_command(*noun, s);
  add_log_command(*noun, s);
}

} // namespace troupe::tools
