#include "troupe/tools/troupe/completion.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/config/model/nearest.hpp"
#include "troupe/tools/troupe/command_tree.hpp"
#include "troupe/tools/troupe/filter.hpp"
#include "troupe/tools/troupe/local_api.hpp"
#include "troupe/tools/troupe/output.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <memory>
#include <ostream>
#include <utility>

namespace troupe::tools {

namespace {

using texts = std::vector<std::string>;

// -- what the values of options and positionals are ---------------------------

enum class value_kind : uint8_t {
  unknown,
  text, ///< Nothing to offer.
  file,
  network,
  endpoint,
  sandbox,
  object, ///< Of the noun; a new one of `create`.
  format,
  driver,
  driver_option,
  filter,
  fault,
  fault_id,
  fault_point,
  shell,
};

struct value_row {
  std::string_view name; ///< Of the option, or the positional.
  value_kind kind;
};

constexpr auto value_rows = std::array{
  value_row{"FAULT", value_kind::fault},
  value_row{"ID", value_kind::fault_id},
  value_row{"aux-address", value_kind::text},
  value_row{"bin-dir", value_kind::file},
  value_row{"command", value_kind::text},
  value_row{"conf-dir", value_kind::file},
  value_row{"count", value_kind::text},
  value_row{"delay-ms", value_kind::text},
  value_row{"domainname", value_kind::text},
  value_row{"driver", value_kind::driver},
  value_row{"endpoint", value_kind::endpoint},
  value_row{"error", value_kind::text},
  value_row{"expose", value_kind::text},
  value_row{"file", value_kind::file},
  value_row{"filter", value_kind::filter},
  value_row{"format", value_kind::format},
  value_row{"gateway", value_kind::text},
  value_row{"host", value_kind::text},
  value_row{"hostname", value_kind::text},
  value_row{"ip", value_kind::text},
  value_row{"ip-range", value_kind::text},
  value_row{"ip6", value_kind::text},
  value_row{"ipam-driver", value_kind::text},
  value_row{"label", value_kind::text},
  value_row{"mac", value_kind::text},
  value_row{"name", value_kind::object},
  value_row{"netns", value_kind::file},
  value_row{"network", value_kind::network},
  value_row{"nth", value_kind::text},
  value_row{"on", value_kind::fault_point},
  value_row{"opt", value_kind::driver_option},
  value_row{"per-mille", value_kind::text},
  value_row{"ports", value_kind::text},
  value_row{"priority", value_kind::text},
  value_row{"publish", value_kind::text},
  value_row{"run-dir", value_kind::file},
  value_row{"sandbox", value_kind::sandbox},
  value_row{"seed", value_kind::text},
  value_row{"shell", value_kind::shell},
  value_row{"since", value_kind::text},
  value_row{"state-dir", value_kind::file},
  value_row{"subnet", value_kind::text},
  value_row{"timeout", value_kind::text},
  value_row{"tls-ca", value_kind::file},
  value_row{"tls-cert", value_kind::file},
  value_row{"tls-key", value_kind::file},
  value_row{"until", value_kind::text},
};

std::string noun_of(const CLI::App& command) {
  const auto* above = command.get_parent();
  return above == nullptr || above->get_parent() == nullptr ? command.get_name()
                                                            : above->get_name();
}

value_kind kind_of(const CLI::App& command, const CLI::Option& option) {
  auto name = option.get_positional() ? option.get_name(true)
                                      : option.get_lnames().front();
  auto row = std::ranges::find(value_rows, name, &value_row::name);
  if (row == value_rows.end())
    return value_kind::unknown;
  if (row->kind != value_kind::object)
    return row->kind;
  if (!option.get_positional() || command.get_name() == "create")
    return value_kind::text;
  return noun_of(command) == "sandbox" ? value_kind::sandbox
                                       : value_kind::network;
}

// Of the driver bridge; a test compares them with what it takes.
constexpr auto network_options
  = std::array<std::string_view, 18>{"name",
                                     "default_bridge",
                                     "icc",
                                     "ip_masquerade",
                                     "host_binding_ipv4",
                                     "inhibit_ipv4",
                                     "gateway_mode_ipv4",
                                     "gateway_mode_ipv6",
                                     "trusted_host_interfaces",
                                     "mtu",
                                     "iface_prefix",
                                     "host_ipv4",
                                     "host_ipv6",
                                     "advertise_addr_nmsgs",
                                     "advertise_addr_ms",
                                     "allowed_networks",
                                     "existing_bridge",
                                     "spoof_guard"};
constexpr auto endpoint_options = std::array<std::string_view, 8>{
  "ifname",     "macaddress", "exposedports",         "portmap",
  "dnsservers", "sysctls",    "advertise_addr_nmsgs", "advertise_addr_ms"};

constexpr auto faults = std::array<std::string_view, 14>{
  "kernel-fail",          "kernel-lose-reply",  "kernel-delay",
  "kernel-crash-before",  "kernel-crash-after", "store-full",
  "store-io-error",       "store-lose-reply",   "store-delay",
  "store-crash-before",   "store-crash-after",  "request-lose-reply",
  "request-crash-before", "request-crash-after"};

// -- what there is ------------------------------------------------------------

/// Looks for what a begun word may become.
class completer {
public:
  completer(session& s, const CLI::App& root) : s_{s}, root_{root} {
  }

  void look(std::span<const std::string> before, const std::string& begun) {
    begun_ = begun;
    auto place = find_place(root_, before);
    if (place.unknown)
      return;
    if (place.open != nullptr)
      return offer_values(*place.command, *place.open);
    if (begun.starts_with('-') && !place.options_ended)
      return offer_options(*place.command);
    if (!place.options_ended)
      offer_commands(*place.command);
    if (const auto* positional = next_positional(place))
      offer_values(*place.command, *positional);
  }

  // Of `help`, which is followed by commands.
  void look_for_commands(std::span<const std::string> before,
                         const std::string& begun) {
    begun_ = begun;
    auto place = find_place(root_, before);
    if (!place.unknown && place.positionals == 0)
      offer_commands(*place.command);
  }

  void print() {
    for (const auto& line : lines_)
      s_.print(line);
  }

private:
  void offer(const std::string& word, const std::string& help = {}) {
    if (!word.starts_with(begun_) || !is_printable(word))
      return;
    auto first = help.substr(0, help.find('\n'));
    lines_.push_back(prefix_ + word + (first.empty() ? "" : "\t" + first));
  }

  template <class Words>
  void offer_all(const Words& words, const std::string& end = {}) {
    for (const auto& x : words)
      offer(std::string{x} + end);
    if (!end.empty())
      lines_.emplace_back(":nospace");
  }

  void offer_commands(const CLI::App& command) {
    for (const auto* x : commands_of(command))
      offer(x->get_name(), x->get_description());
  }

  void offer_options(const CLI::App& command) {
    auto equals = begun_.find('=');
    for (const auto* x : options_of(command))
      for (const auto& name : x->get_lnames()) {
        if (equals == begun_.npos)
          offer("--" + name, x->get_description());
        else if (begun_.substr(0, equals) == "--" + name && takes_value(*x)) {
          prefix_ = begun_.substr(0, equals + 1);
          begun_ = begun_.substr(equals + 1);
          return offer_values(command, *x);
        }
      }
  }

  void offer_values(const CLI::App& command, const CLI::Option& option) {
    switch (kind_of(command, option)) {
    case value_kind::unknown:
      return lines_.emplace_back(":unknown"), void();
    case value_kind::text:
    case value_kind::object:
      return;
    case value_kind::file:
      return lines_.emplace_back(":files"), void();
    case value_kind::network:
      return offer_all(networks());
    case value_kind::endpoint:
      return offer_all(
        names_of<endpoint_list>(list_endpoints{}, &endpoint_list::endpoints));
    case value_kind::sandbox:
      return offer_all(
        names_of<sandbox_list>(list_sandboxes{}, &sandbox_list::sandboxes));
    case value_kind::format:
      return offer_all(texts{"table", "json", "jsonl", "name"});
    case value_kind::driver:
      return offer_all(filter_values("driver"));
    case value_kind::driver_option:
      return noun_of(command) == "network" && command.get_name() == "create"
               ? offer_all(network_options, "=")
               : offer_all(endpoint_options, "=");
    case value_kind::filter:
      return offer_filter(command);
    case value_kind::fault:
      return offer_all(faults);
    case value_kind::fault_id:
      return offer_faults("/v1/faults", "faults", "id");
    case value_kind::fault_point:
      return offer_faults("/v1/faults/points", "points", "name");
    case value_kind::shell:
      return offer_all(texts{"bash", "zsh", "fish"});
    }
  }

  void offer_filter(const CLI::App& command) {
    auto equals = begun_.find('=');
    auto keys = filter_keys(noun_of(command));
    if (equals == begun_.npos)
      return offer_all(keys, "=");
    auto key = begun_.substr(0, equals);
    prefix_ += begun_.substr(0, equals + 1);
    begun_ = begun_.substr(equals + 1);
    if (noun_of(command) == "events" && key == "type")
      return offer_all(event_types());
    if (key == "network" || (key == "name" && noun_of(command) == "network"))
      return offer_all(networks());
    offer_all(filter_values(key));
  }

  texts networks() {
    return names_of<network_list>(list_networks{}, &network_list::networks);
  }

  template <class List, class Member>
  texts names_of(request what, Member member) {
    auto answer = s_.call(std::move(what));
    const auto* list = answer ? std::get_if<List>(&*answer) : nullptr;
    auto result = texts{};
    if (list != nullptr)
      for (const auto& x : list->*member)
        result.push_back(full_name(x));
    std::ranges::sort(result, natural_less);
    return result;
  }

  void offer_faults(const std::string& target, const std::string& list,
                    const std::string& field) {
    auto answer = ask_local(s_, "GET", target, "complete");
    if (!answer || !answer->contains(list))
      return;
    for (const auto& x : (*answer)[list])
      if (x.contains(field))
        offer(x[field].is_string() ? x[field].get<std::string>()
                                   : dump(x[field]));
  }

  session& s_;
  const CLI::App& root_;
  std::string prefix_; ///< Stays in front of what is offered.
  std::string begun_;
  texts lines_;
};

// Global options decide who is asked.
void read_global_options(session& s, std::span<const std::string> words) {
  const auto places = std::array<std::pair<std::string_view, std::string*>, 4>{
    {{"--host", &s.host},
     {"--tls-cert", &s.tls_files.certificate},
     {"--tls-key", &s.tls_files.key},
     {"--tls-ca", &s.tls_files.authority}}};
  for (size_t i = 0; i < words.size(); ++i)
    for (const auto& [name, into] : places)
      if (words[i] == name && i + 1 < words.size())
        *into = words[i + 1];
      else if (words[i].starts_with(std::string{name} + "="))
        *into = words[i].substr(name.size() + 1);
}

} // namespace

void complete(session& s, const CLI::App& root,
              std::span<const std::string> words) {
  constexpr auto patience_seconds = 2.0;
  s.timeout_seconds = patience_seconds;
  // What follows a sandbox's name is somebody else's command.
  if (!s.inner_command.empty())
    return s.print(":files");
  if (words.empty())
    return;
  auto before = words.first(words.size() - 1);
  read_global_options(s, before);
  auto look = completer{s, root};
  auto place = find_place(root, before);
  if (place.command->get_name() == "help" && !place.unknown) {
    auto topic = texts(before.begin(), before.end());
    topic.erase(std::ranges::find(topic, "help"));
    look.look_for_commands(topic, words.back());
  } else {
    look.look(before, words.back());
  }
  look.print();
}

void add_completion_command(CLI::App& app, session& s) {
  auto shell = std::make_shared<std::string>();
  auto* command
    = app.add_subcommand("completion", "Print the completion for a shell");
  command->add_option("shell", *shell, "bash, zsh or fish")->required();
  command->callback([&s, shell] {
    constexpr auto shells
      = std::array<std::string_view, 3>{"bash", "zsh", "fish"};
    if (*shell == "bash")
      s.io.out << bash_completion;
    else if (*shell == "zsh")
      s.io.out << zsh_completion;
    else if (*shell == "fish")
      s.io.out << fish_completion;
    else
      s.report_usage({ec::invalid_argument,
                      "completion: unknown shell " + quoted(*shell),
                      nearest_hint(*shell, shells), 0});
  });
}

} // namespace troupe::tools
