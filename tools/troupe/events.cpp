#include "troupe/tools/troupe/listing.hpp"

#include <CLI/CLI.hpp>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <ostream>

namespace troupe::tools {

namespace {

struct arguments {
  output_options how;
  size_t count = 0; ///< 0: until interrupted.
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

std::string text_of(const event& x, output_format format) {
  switch (format) {
  case output_format::table:
    return event_line(x);
  case output_format::json:
    return dump(to_json(x));
  case output_format::name:
    return x.name;
  }
  return {};
}

// Prints on the connection's thread; this one waits for the last.
void events(session& s, const arguments& x) {
  auto connection = s.link();
  if (!connection)
    return s.report(connection.error());
  auto mutex = std::mutex{};
  auto enough = std::condition_variable{};
  auto printed = size_t{0};
  auto subscribed = (*connection)->subscribe([&](const event& what) {
    auto guard = std::lock_guard{mutex};
    if (x.count != 0 && printed >= x.count)
      return;
    s.io.out << text_of(what, x.how.format) << std::endl;
    ++printed;
    enough.notify_all();
  });
  if (!subscribed)
    return s.report(subscribed.error());
  {
    auto guard = std::unique_lock{mutex};
    enough.wait(guard, [&] {
      return x.count != 0 && printed >= x.count;
    });
  }
  (*connection)->unsubscribe(*subscribed);
}

} // namespace

void add_events_command(CLI::App& app, session& s) {
  auto x = std::make_shared<arguments>();
  auto* command
    = app.add_subcommand("events", "Print what happens, until interrupted");
  command->add_option("-n,--count", x->count, "End after so many events")
    ->type_name("N");
  add_format(*command, x->how);
  command->callback([&s, x] {
    events(s, *x);
  });
}

} // namespace troupe::tools
