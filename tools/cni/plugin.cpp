#include "troupe/tools/cni/plugin.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/tools/adapter/attachment.hpp"
#include "troupe/tools/adapter/deferred.hpp"
#include "troupe/tools/cni/config.hpp"
#include "troupe/tools/cni/inspection.hpp"
#include "troupe/tools/cni/result.hpp"

#include <algorithm>
#include <optional>
#include <ostream>
#include <thread>
#include <utility>

namespace troupe::cni {

using adapter::attachment_id;
using adapter::attachment_lock;
using adapter::daemon_link;
using adapter::work_directory;
using std::chrono::milliseconds;

namespace {

/// Runtimes wait for minutes; a daemon that is started again is back in less
/// than this.
constexpr auto add_deadline = milliseconds{20'000};
constexpr auto del_deadline = milliseconds{20'000};
constexpr auto ask_deadline = milliseconds{10'000};
/// To take back what an ADD that failed may have left.
constexpr auto tidy_deadline = milliseconds{5'000};
/// Between two looks.
constexpr auto pause = milliseconds{50};
/// A request whose sender was killed is seen by the daemon within this.
constexpr auto late_request = milliseconds{300};
/// The daemon has mended what others broke within this.
constexpr auto mending = milliseconds{2'500};

/// One call with all that was found out about it.
struct call {
  const surroundings& around;
  base_config base;
  daemon_link daemon;
  work_directory work;
  attachment_id id;
};

result<daemon_link> connect(const surroundings& around,
                            const std::string& socket, milliseconds deadline) {
  auto link = around.connect("unix://" + socket);
  if (!link)
    return fail(std::move(link.error()));
  return daemon_link{std::move(*link), deadline};
}

outcome<call>
open_call(const surroundings& around, base_config base, milliseconds deadline) {
  if (base.deadline.count() > 0)
    deadline = base.deadline;
  auto daemon = connect(around, base.socket, deadline);
  if (!daemon)
    return fails(failure_of(std::move(daemon.error())));
  auto work = work_directory{base.socket};
  auto id
    = attachment_id{"cni", base.name, around.env.container, around.env.ifname};
  return call{around, std::move(base), std::move(*daemon), std::move(work),
              std::move(id)};
}

outcome<attachment_lock> lock(const call& x) {
  if (auto ready = x.work.prepare(); !ready)
    return fails(code::io, ready.error().message);
  auto held = x.work.lock(x.id, x.daemon.time_left());
  if (!held)
    return fails(failure_of(std::move(held.error())));
  return std::move(*held);
}

// -- ADD ----------------------------------------------------------------------

outcome<adapter::open_namespace> open_namespace(const environment& env) {
  auto where = adapter::open_container(env.netns);
  if (!where)
    return fails(code::bad_namespace, where.error().message,
                 where.error().hint);
  return std::move(*where);
}

/// Addresses that were given with a length have that of their subnet.
outcome<void>
check_lengths(const add_config& config, const network_status& network) {
  for (const auto& x : config.lengths)
    for (const auto& pool : network.spec.pools)
      if (pool.subnet && pool.subnet->family() == x.address.family()
          && pool.subnet->length() != x.length)
        return fails(code::bad_config, "address " + to_string(x)
                                         + ": the subnet of network "
                                         + quoted(network.spec.name) + " is "
                                         + to_string(*pool.subnet));
  return {};
}

/// Takes back what may have been made; if it cannot be now, later.
void take_back(call& x, attachment_lock& held) {
  auto link = x.daemon.again(tidy_deadline);
  auto gone = adapter::detach(link, x.id);
  if (!gone) {
    x.around.log << "troupe-cni: " << gone.error().message
                 << "; left for later\n";
    // The mark stays where even that fails.
    if (!x.work.defer(x.id))
      return;
  }
  held.settle();
}

result<adapter::attached>
attach(call& x, const add_config& config, const network_status& network,
       const adapter::open_namespace& where, attachment_lock& held) {
  if (auto begun = held.begin(); !begun)
    return fail(std::move(begun.error()));
  auto wanted
    = adapter::wanted_attachment{x.id, network.spec.id.value, config.endpoint};
  auto made = adapter::attach(x.daemon, wanted, where);
  if (!made && adapter::is_outcome_unknown(made.error()))
    take_back(x, held);
  else
    held.settle();
  return made;
}

/// Once through all of it.
outcome<json>
try_add(call& x, const add_config& config, const adapter::open_namespace& where,
        attachment_lock& held) {
  // What others could not delete may have what we need.
  x.work.replay(x.daemon);
  if (held.is_unsettled() || x.work.is_deferred(x.id)) {
    if (auto gone = adapter::detach(x.daemon, x.id); !gone)
      return fails(failure_of(std::move(gone.error())));
    x.work.forget(x.id);
  }
  auto network = adapter::find_or_make(x.daemon, config.network);
  if (!network) {
    auto why = failure_of(std::move(network.error()));
    if (why.what == code::conflict)
      why.what = code::bad_config;
    return fails(std::move(why));
  }
  if (auto ok = check_lengths(config, *network); !ok)
    return fails(std::move(ok.error()));
  auto made = attach(x, config, *network, where, held);
  if (!made)
    return fails(failure_of(std::move(made.error())));
  return result_of(addition_of(*made, *network, x.around.env.netns, config.dns),
                   x.base.version, config.previous);
}

outcome<json> add(call& x) {
  auto config = read_add(x.base, x.around.env);
  if (!config)
    return fails(std::move(config.error()));
  auto where = open_namespace(x.around.env);
  if (!where)
    return fails(std::move(where.error()));
  auto held = lock(x);
  if (!held)
    return fails(std::move(held.error()));
  for (;;) {
    auto added = try_add(x, *config, *where, *held);
    if (!added && added.error().what == code::try_again
        && x.daemon.time_left() >= 2 * pause) {
      std::this_thread::sleep_for(2 * pause);
      continue;
    }
    if (!added && !held->is_unsettled() && !x.work.is_deferred(x.id))
      held->forget();
    return added;
  }
}

// -- DEL ----------------------------------------------------------------------

/// A request of an ADD that was killed may still be on its way.
result<void> detach_late(call& x) {
  const auto due = std::chrono::steady_clock::now() + late_request;
  for (;;) {
    auto gone = adapter::detach(x.daemon, x.id);
    if (!gone || std::chrono::steady_clock::now() >= due)
      return gone;
    std::this_thread::sleep_for(pause);
  }
}

outcome<json> del(call& x) {
  auto held = lock(x);
  if (!held)
    return fails(std::move(held.error()));
  auto gone
    = held->is_unsettled() ? detach_late(x) : adapter::detach(x.daemon, x.id);
  if (gone) {
    x.work.forget(x.id);
    held->forget();
    x.work.replay(x.daemon);
    return json{};
  }
  auto is_away
    = gone.error().code == ec::unavailable || gone.error().code == ec::timeout;
  // Also what fails now: the runtime may not ask again.
  if (auto deferred = x.work.defer(x.id); !deferred)
    return fails(code::io, deferred.error().message);
  if (!is_away)
    return fails(failure_of(std::move(gone.error())));
  x.around.log << "troupe-cni: " << gone.error().message
               << "; it is deleted when the daemon is back\n";
  return json{};
}

// -- CHECK --------------------------------------------------------------------

/// What the daemon's record says otherwise than the result.
outcome<void> compare_record(call& x, const promised& what,
                             const adapter::open_namespace& where) {
  auto found = adapter::find(x.daemon, x.id);
  if (!found && found.error().code == ec::not_found)
    return fails(code::differs, found.error().message);
  if (!found)
    return fails(failure_of(std::move(found.error())));
  auto recorded = std::vector<std::string>{};
  for (const auto& address : found->spec.addresses)
    recorded.push_back(to_string(address));
  for (const auto& address : recorded)
    if (std::ranges::find(what.addresses, address) == what.addresses.end())
      return fails(code::differs, "address " + address
                                    + " is recorded, the result has it not");
  auto sandbox = x.daemon.ask<sandbox_status>(
    inspect_sandbox{found->sandbox.value_or(sandbox_id{}).value});
  if (!sandbox)
    return fails(failure_of(std::move(sandbox.error())));
  if (sandbox->spec.netns_inode != where.inode)
    return fails(code::differs, "container " + quoted(x.id.container)
                                  + " is attached in another namespace");
  return {};
}

/// What the daemon's own comparison says of this endpoint: rules, ports, links
/// on the host.
outcome<void> ask_doctor(call& x) {
  auto found = adapter::find(x.daemon, x.id);
  if (!found)
    return fails(failure_of(std::move(found.error())));
  auto report = x.daemon.ask<doctor_report>(run_doctor{});
  if (!report)
    return fails(failure_of(std::move(report.error())));
  const auto who = "(" + found->spec.id.brief() + ")";
  for (const auto& finding : report->findings)
    if (finding.object.find(who) != std::string::npos)
      return fails(code::differs, finding.object + ": " + finding.problem,
                   finding.command);
  return {};
}

outcome<void> check_once(call& x, const promised& what,
                         const adapter::open_namespace& where) {
  if (auto text = difference(where, what); !text.empty())
    return fails(code::differs, text);
  if (auto same = compare_record(x, what, where); !same)
    return same;
  return ask_doctor(x);
}

outcome<json> check(call& x) {
  auto what = read_promise(x.base.document, x.around.env);
  if (!what)
    return fails(std::move(what.error()));
  auto where = open_namespace(x.around.env);
  if (!where)
    return fails(std::move(where.error()));
  const auto due = std::chrono::steady_clock::now() + mending;
  for (;;) {
    auto same = check_once(x, *what, *where);
    if (same)
      return json{};
    // What can be mended is, if somebody is there.
    if (same.error().what != code::differs
        || std::chrono::steady_clock::now() >= due
        || !x.daemon.ask<daemon_status>(get_status{}))
      return fails(std::move(same.error()));
    std::this_thread::sleep_for(2 * pause);
  }
}

// -- GC and STATUS ------------------------------------------------------------

outcome<json> collect(call& x) {
  auto valid = read_valid_attachments(x.base);
  if (!valid)
    return fails(std::move(valid.error()));
  if (auto ready = x.work.prepare(); !ready)
    return fails(code::io, ready.error().message);
  auto all = adapter::list(x.daemon, x.id.runtime, x.id.network);
  if (!all)
    return fails(failure_of(std::move(all.error())));
  auto is_valid = [&](const attachment_id& id) {
    return std::ranges::any_of(*valid, [&](const auto& pair) {
      return pair.first == id.container
             && (id.interface.empty() || pair.second == id.interface);
    });
  };
  auto first = std::optional<error>{};
  for (const auto& id : *all) {
    if (is_valid(id))
      continue;
    auto held = x.work.lock(id, x.daemon.time_left());
    auto gone = held ? adapter::detach(x.daemon, id)
                     : result<void>{fail(std::move(held.error()))};
    if (gone) {
      x.work.forget(id);
      held->forget();
    } else if (!first) {
      first = std::move(gone.error());
    }
  }
  x.work.replay(x.daemon);
  if (first)
    return fails(failure_of(std::move(*first)));
  return json{};
}

outcome<json> status(call& x) {
  auto config = read_add(x.base, x.around.env);
  if (!config)
    return fails(std::move(config.error()));
  auto answer = x.daemon.ask<daemon_status>(get_status{});
  if (!answer)
    return fails(code::not_available, answer.error().message,
                 answer.error().hint);
  if (!config->network.must_exist)
    return json{};
  auto network
    = x.daemon.ask<network_status>(inspect_network{config->network.reference});
  if (!network)
    return fails(code::not_available, network.error().message,
                 network.error().hint);
  return json{};
}

// -- all ----------------------------------------------------------------------

struct command {
  std::string_view name;
  milliseconds deadline;
  outcome<json> (*run)(call&);
};

constexpr auto commands
  = std::array<command, 5>{{{"ADD", add_deadline, add},
                            {"DEL", del_deadline, del},
                            {"CHECK", ask_deadline, check},
                            {"GC", del_deadline, collect},
                            {"STATUS", ask_deadline, status}}};

/// @param version of the answer; set once it is known.
outcome<json> answer(const surroundings& around, std::string& version) {
  const auto& env = around.env;
  if (env.command == "VERSION") {
    auto asked = parse_json(around.read_input());
    auto is_said = asked && asked->is_object() && asked->contains("cniVersion")
                   && (*asked)["cniVersion"].is_string();
    return versions_of(is_said ? (*asked)["cniVersion"].get<std::string>()
                               : std::string{});
  }
  const auto* what = std::ranges::find(commands, std::string_view{env.command},
                                       &command::name);
  if (what == commands.end())
    return fails(code::bad_environment,
                 "unknown CNI_COMMAND: " + quoted(env.command));
  if (auto ok = check_environment(env); !ok)
    return fails(std::move(ok.error()));
  auto base = read_base(around.read_input(), env.command);
  if (!base)
    return fails(std::move(base.error()));
  version = base->version;
  auto opened = open_call(around, std::move(*base), what->deadline);
  if (!opened)
    return fails(std::move(opened.error()));
  return what->run(*opened);
}

} // namespace

int run_plugin(const surroundings& around) {
  auto version = std::string{versions.back()};
  auto answered = answer(around, version);
  if (answered) {
    if (!answered->is_null())
      around.out << dump(*answered, 2) << '\n' << std::flush;
    return 0;
  }
  around.out << dump(error_of(answered.error(), version), 2) << '\n'
             << std::flush;
  return 1;
}

int replay_deferred(const std::string& socket, const surroundings& around) {
  auto daemon = connect(around, socket, del_deadline);
  if (!daemon) {
    around.log << "troupe-cni: " << daemon.error().message << '\n';
    return 1;
  }
  auto left = work_directory{socket}.replay(*daemon);
  if (left > 0)
    around.log << "troupe-cni: " << left << " deletions are still to be done\n";
  return left > 0 ? 1 : 0;
}

} // namespace troupe::cni
