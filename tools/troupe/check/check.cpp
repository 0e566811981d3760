#include "troupe/config/settings.hpp"
#include "troupe/tools/troupe/check/host_reader.hpp"
#include "troupe/tools/troupe/listing.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <memory>
#include <ostream>
#include <thread>

#include <unistd.h>

namespace troupe::tools {

namespace {

/// What is in work looks like a breach. One that all looks show is none.
constexpr int most_looks = 5;
constexpr auto pause_between_looks = std::chrono::milliseconds{200};

/// A daemon that takes longer to say where its files are is not asked.
constexpr auto daemon_patience = std::chrono::seconds{2};

constexpr auto default_file = "/etc/troupe/troupe.json";

struct arguments {
  output_options how;
  std::string state_dir;
  std::string run_dir;
};

result<settings> settings_of_host() {
  auto file = std::ifstream{default_file, std::ios::binary};
  auto text = std::string{std::istreambuf_iterator<char>{file}, {}};
  return load_settings(default_file, text, {}, {});
}

// Flags, else what the daemon says, else the settings file.
result<void> find_directories(session& s, arguments& x) {
  if (!x.state_dir.empty() && !x.run_dir.empty())
    return {};
  auto link = s.link();
  if (!link)
    return fail(std::move(link.error()));
  auto known = settings{};
  auto answer = (*link)->call(get_status{}, daemon_patience);
  if (const auto* status
      = answer ? std::get_if<daemon_status>(&*answer) : nullptr) {
    known.state_dir = status->state_dir;
    known.run_dir = status->run_dir;
  } else {
    auto found = settings_of_host();
    if (!found)
      return fail(std::move(found.error()));
    known = std::move(*found);
  }
  if (x.state_dir.empty())
    x.state_dir = known.state_dir;
  if (x.run_dir.empty())
    x.run_dir = known.run_dir;
  return {};
}

struct findings {
  std::vector<std::string> breaches;
  bool has_rules = true; ///< The firewall could be read.
};

result<findings> look(const arguments& where) {
  auto found = findings{};
  for (auto n = 1;; ++n) {
    auto seen = read_host(where.state_dir, where.run_dir);
    if (!seen)
      return fail(std::move(seen.error()));
    found.has_rules = seen->kernel.rules.has_value();
    auto lines = testing::check_host(*seen);
    if (n == 1)
      found.breaches = std::move(lines);
    else
      std::erase_if(found.breaches, [&](const auto& x) {
        return std::ranges::find(lines, x) == lines.end();
      });
    if (found.breaches.empty() || n == most_looks)
      return found;
    std::this_thread::sleep_for(pause_between_looks);
  }
}

void print(session& s, const findings& found, const output_options& how) {
  if (print_data(
        s, how,
        json{{"breaches", found.breaches}, {"rules_checked", found.has_rules}}))
    return;
  for (const auto& line : found.breaches)
    s.print(line);
  if (found.breaches.empty() && found.has_rules
      && how.format == output_format::table)
    s.print("Records and kernel agree.");
}

void check(session& s, arguments x) {
  if (s.is_remote())
    return s.report_usage({ec::unsupported,
                           "check: looks at this host, never at " + s.host,
                           "log in there and leave --host out", 0});
  // After a reboot there may be none, but not where somebody says so.
  if (!x.run_dir.empty() && ::access(x.run_dir.c_str(), X_OK) != 0)
    return s.report_usage(
      os_failure(errno, "check: cannot look: read " + x.run_dir));
  if (auto known = find_directories(s, x); !known)
    return s.report_usage(known.error());
  auto found = look(x);
  if (!found)
    return s.report_usage(
      with_context(std::move(found.error()), "check: cannot look"));
  print(s, *found, x.how);
  if (!found->has_rules)
    s.report_usage({ec::unsupported,
                    "check: the firewall's rules cannot be read",
                    "is nft installed?", 0});
  if (!found->breaches.empty())
    s.code = exit_failure;
}

} // namespace

void add_check_command(CLI::App& app, session& s) {
  auto x = std::make_shared<arguments>();
  auto* command = app.add_subcommand(
    "check", "Compare records and kernel without the daemon, read only; "
             "exit 1 if an invariant is broken, 2 if it cannot look");
  command
    ->add_option("--state-dir", x->state_dir,
                 "Directory of the durable records [the daemon's]")
    ->type_name("DIR");
  command
    ->add_option("--run-dir", x->run_dir,
                 "Directory of what ends with a reboot [the daemon's]")
    ->type_name("DIR");
  add_format(*command, x->how);
  command->callback([&s, x] {
    check(s, *x);
  });
}

} // namespace troupe::tools
