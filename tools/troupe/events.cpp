#include "troupe/actors/event_reader.hpp"
#include "troupe/config/model/id.hpp"
#include "troupe/config/model/nearest.hpp"
#include "troupe/tools/troupe/listing.hpp"
#include "troupe/tools/troupe/time_words.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <ostream>

namespace troupe::tools {

namespace {

struct arguments {
  output_options how;
  size_t count = 0; ///< 0: until interrupted.
  std::string since;
  std::string until;
};

// e.g. `2026-01-31T12:00:00.123Z network create web (1a2b3c4d5e6f) driver=…`.
std::string event_line(const event& x) {
  auto result = time_text(x.time_ms) + " " + x.type + " " + x.action;
  if (!x.name.empty())
    result += " " + x.name;
  if (!x.id.empty())
    result += " (" + x.id.substr(0, 12) + ")";
  for (const auto& [key, value] : x.attributes)
    result += " " + key + "=" + value;
  for (auto& c : result)
    if (static_cast<unsigned char>(c) < ' ')
      c = '?';
  return result;
}

result<std::string> text_of(const event& x, const output_options& how) {
  switch (how.format) {
  case output_format::table:
    return event_line(x);
  case output_format::json: // A stream has no end, so no array.
  case output_format::jsonl:
    return dump(to_json(x));
  case output_format::name:
    return x.name;
  case output_format::fields:
    return how.fields.text({to_json(x), {}, field_names<event>()});
  }
  return {};
}

// -- which ones ---------------------------------------------------------------

/// Which events are shown: as of a list's filter all keys must match, and of
/// each one of its values.
struct selection {
  std::map<std::string, std::vector<std::string>> conditions;
  int64_t since_ms = 0;
  int64_t until_ms = INT64_MAX;

  bool wants(const event& x) const {
    if (x.time_ms < since_ms || x.time_ms > until_ms)
      return false;
    return std::ranges::all_of(conditions, [&x](const auto& condition) {
      return std::ranges::any_of(
        condition.second, [&, &key = condition.first](const auto& wanted) {
          return fits(x, key, wanted);
        });
    });
  }

private:
  static bool
  fits(const event& x, std::string_view key, const std::string& wanted) {
    if (key == "type")
      return x.type == wanted;
    if (key == "name")
      return x.name.find(wanted) != x.name.npos;
    if (key == "id")
      return x.id.starts_with(wanted);
    if (key == "network") {
      auto network = x.attributes.find("network");
      return (x.type == "network" && x.name == wanted)
             || (network != x.attributes.end() && network->second == wanted);
    }
    return x.action == wanted;
  }
};

result<void> add_condition(selection& to, const std::string& text) {
  auto equals = text.find('=');
  if (equals == text.npos)
    return fail(ec::invalid_argument,
                "--filter " + quoted(text) + ": there is no value",
                "write it as key=value");
  auto key = text.substr(0, equals);
  auto value = text.substr(equals + 1);
  const auto keys = filter_keys("events");
  if (std::ranges::find(keys, key) == keys.end())
    return fail(ec::invalid_argument,
                "--filter " + quoted(text) + ": unknown key",
                nearest_hint(key, keys));
  const auto types = event_types();
  if (key == "type" && std::ranges::find(types, value) == types.end())
    return fail(ec::invalid_argument,
                "--filter " + quoted(text) + ": unknown type",
                nearest_hint(value, types));
  // Docker calls it so; one of both is enough.
  to.conditions[key == "event" ? "action" : key].push_back(std::move(value));
  return {};
}

result<selection> make_selection(const arguments& x) {
  auto result = selection{};
  for (const auto& text : x.how.filters)
    if (auto added = add_condition(result, text); !added)
      return fail(std::move(added.error()));
  auto read = [](const std::string& text, std::string_view option,
                 int64_t& into) -> troupe::result<void> {
    if (text.empty())
      return {};
    auto moment = parse_moment(text, now_ms());
    if (!moment)
      return fail(with_context(std::move(moment.error()), option));
    into = *moment;
    return {};
  };
  if (auto since = read(x.since, "--since", result.since_ms); !since)
    return fail(std::move(since.error()));
  if (auto until = read(x.until, "--until", result.until_ms); !until)
    return fail(std::move(until.error()));
  return result;
}

// -- reading them -------------------------------------------------------------

/// Prints on the connection's thread; the command's waits for the last one.
class printer {
public:
  printer(session& s, const arguments& x, selection which)
    : s_{s}, x_{x}, which_{std::move(which)} {
  }

  void take(const event& what) {
    auto guard = std::lock_guard{mutex_};
    latest_ = std::chrono::steady_clock::now();
    if (ended() || !which_.wants(what))
      return;
    auto text = text_of(what, x_.how);
    if (text) {
      s_.io.out << *text << std::endl;
      ++printed_;
    } else {
      s_.report_usage(text.error());
      failed_ = true;
    }
    changed_.notify_all();
  }

  // Ends with the last one wanted, or when `--until` is over and nothing has
  // come for a while: what was before that comes first.
  void wait() {
    constexpr auto quiet = std::chrono::milliseconds{500};
    auto guard = std::unique_lock{mutex_};
    latest_ = std::chrono::steady_clock::now();
    while (!ended()) {
      if (which_.until_ms == INT64_MAX) {
        changed_.wait(guard);
        continue;
      }
      changed_.wait_for(guard, quiet / 5);
      if (now_ms() > which_.until_ms
          && std::chrono::steady_clock::now() > latest_ + quiet)
        return;
    }
  }

private:
  bool ended() const {
    return failed_ || (x_.count != 0 && printed_ >= x_.count);
  }

  session& s_;
  const arguments& x_;
  selection which_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::chrono::steady_clock::time_point latest_;
  size_t printed_ = 0;
  bool failed_ = false;
};

// What was before is asked for on the socket itself.
void print_from(session& s, printer& out) {
  constexpr auto scheme = std::string_view{"unix://"};
  if (s.is_remote())
    return s.report({ec::unsupported,
                     "events --since: only on the daemon's own host, never "
                     "over "
                       + s.host,
                     "log in there and leave --host out", 0});
  if (auto link = s.link(); !link) // Says what is wrong with an address.
    return s.report(link.error());
  auto reader = event_reader{s.host.substr(scheme.size()),
                             [&out](const event& what) {
                               out.take(what);
                             },
                             event_reader::all_known};
  if (auto open = reader.wait_until_open(); !open)
    return s.report(open.error());
  out.wait();
}

void events(session& s, const arguments& x) {
  auto which = make_selection(x);
  if (!which)
    return s.report_usage(which.error());
  auto out = printer{s, x, std::move(*which)};
  if (!x.since.empty())
    return print_from(s, out);
  auto connection = s.link();
  if (!connection)
    return s.report(connection.error());
  auto subscribed = (*connection)->subscribe([&out](const event& what) {
    out.take(what);
  });
  if (!subscribed)
    return s.report(subscribed.error());
  out.wait();
  (*connection)->unsubscribe(*subscribed);
}

} // namespace

std::vector<std::string_view> event_types() {
  return {"network", "endpoint", "sandbox", "daemon"};
}

void add_events_command(CLI::App& app, session& s) {
  auto x = std::make_shared<arguments>();
  auto* command
    = app.add_subcommand("events", "Print what happens, until interrupted");
  command->add_option("-n,--count", x->count, "End after so many events")
    ->type_name("N");
  command
    ->add_option("--since", x->since,
                 "Begin with what happened since then, as far as the daemon "
                 "still knows: 10m, a date, Unix seconds")
    ->type_name("TIME");
  command->add_option("--until", x->until, "End then")->type_name("TIME");
  command
    ->add_option("-f,--filter", x->how.filters,
                 "Only those whose type, action, name, id or network = value; "
                 "may be repeated")
    ->type_name("KEY=VALUE")
    ->allow_extra_args(false);
  add_format(*command, x->how);
  add_examples(*command, {"troupe events --filter type=endpoint",
                          "troupe events --since 10m --until 0s"});
  command->callback([&s, x] {
    events(s, *x);
  });
}

} // namespace troupe::tools
