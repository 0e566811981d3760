#include "troupe/persistence/store.hpp"

#include "troupe/config/model/json_text.hpp"
#include "troupe/persistence/check.hpp"
#include "troupe/persistence/directory.hpp"
#include "troupe/persistence/file.hpp"
#include "troupe/persistence/lmdb_store.hpp"
#include "troupe/persistence/migrate.hpp"
#include "troupe/persistence/origin.hpp"

#include <cerrno>

#include <sys/stat.h>
#include <unistd.h>

namespace troupe::persistence {

namespace {

/// One environment on its way from the directory to an open database.
struct opening {
  std::string directory;
  std::string kind;
  database_limits limits;
  directory_lock lock;
  found_file file;
  int old_schema = schema_version; ///< Of the file before its migration.
  bool was_emptied = false;        ///< Its records are those of another boot.
};

result<std::string> read_boot_id(const std::string& path) {
  auto text = read_small_file(path);
  if (!text)
    return fail(with_context(std::move(text.error()), "find out the boot"));
  while (!text->empty() && text->back() == '\n')
    text->pop_back();
  if (text->empty())
    return fail(ec::internal, "find out the boot: " + path + " is empty");
  return text;
}

/// Locks the directory, checks its file and reads what is in it.
result<opening>
find(const std::string& directory, const std::string& kind,
     const database_limits& limits, std::chrono::milliseconds patience) {
  auto lock = directory_lock::take(directory);
  if (!lock)
    return fail(std::move(lock.error()));
  auto result = opening{directory, kind, limits, std::move(*lock), {}};
  auto path = directory + "/" + std::string{data_file};
  struct stat info = {};
  if (::lstat(path.c_str(), &info) != 0) {
    // Only a file that was never there makes a new store.
    if (errno == ENOENT)
      return result;
    return fail(os_failure(errno, "inspect " + path));
  }
  auto checked = check_file(path, kind, patience);
  if (!checked)
    return fail(std::move(checked.error()));
  if (checked->verdict == checked_file::health::damaged) {
    auto aside = set_aside(directory, std::string{data_file});
    if (!aside)
      return fail(std::move(aside.error()));
    result.file.set_aside = *aside + ": " + checked->reason;
    return result;
  }
  result.file.is_new = false;
  result.file.found = std::move(checked->found);
  result.old_schema = result.file.found.state.schema;
  if (auto done = migrate(result.file.found); !done)
    return fail(with_context(std::move(done.error()), path));
  return result;
}

/// Keeps the file of the older schema beside the new one.
result<void> keep_old_schema(const opening& from) {
  if (from.file.is_new || from.old_schema == schema_version)
    return {};
  auto path = from.directory + "/" + std::string{data_file};
  auto copy = path + ".schema-" + std::to_string(from.old_schema);
  if (::link(path.c_str(), copy.c_str()) != 0 && errno != EEXIST)
    return fail(os_failure(errno, "keep " + path + " as " + copy));
  return {};
}

/// Writes the fresh file of this start. When the disk is too full for one, the
/// checked file is used as it is, so that records can be removed.
/// @param state_must Must the file tell of this start? Without, the next one
///        takes this one's number again.
result<database> open_for_writing(const opening& from, bool state_must) {
  if (auto done = keep_old_schema(from); !done)
    return fail(std::move(done.error()));
  const auto write_anew = [&](bool must_have_room) {
    return database::create(from.directory, from.file.found, from.limits,
                            must_have_room);
  };
  const auto may_keep = !from.file.is_new && !from.was_emptied
                        && from.old_schema == schema_version;
  auto fresh = write_anew(may_keep);
  if (fresh || fresh.error().code != ec::unavailable || !may_keep)
    return fresh;
  if (auto old = database::open(from.directory, from.limits)) {
    auto done = old->write_state(from.file.found.state);
    if (done || !state_must)
      return old;
  }
  // It has no room for that; perhaps there is enough for a file without.
  fresh = write_anew(false);
  if (!fresh)
    return fail(with_context(std::move(fresh.error()), "open " + from.kind));
  return fresh;
}

void sign(opening& x, const origin& start, const std::string& boot_id) {
  x.file.found.state.program = program_name();
  x.file.found.state.environment = x.kind;
  x.file.found.state.boot_id = boot_id;
  x.file.found.state.generation = start.generation;
}

class lmdb_store final : public store {
public:
  lmdb_store(opening durable, opening runtime, database disk, database memory,
             origin start)
    : durable_lock_{std::move(durable.lock)}, runtime_lock_{std::move(
                                                runtime.lock)},
      state_{std::move(runtime.file.found.state)}, durable_{std::move(disk)},
      runtime_{std::move(memory)}, origin_{std::move(start)} {
  }

  result<void> commit(std::span<const change> changes) override {
    auto durable = std::vector<edit>{};
    auto runtime = std::vector<edit>{};
    auto state = state_;
    for (const auto& x : changes) {
      auto what = to_edit(x);
      if (!what)
        return fail(std::move(what.error()));
      if (const auto* forwarding = std::get_if<forwarding_record>(&x)) {
        state.forwards_ipv4 = forwarding->ipv4;
        state.forwards_ipv6 = forwarding->ipv6;
        what->text = json_text(state);
      }
      auto& batch = what->where == environment::durable ? durable : runtime;
      batch.push_back(std::move(*what));
    }
    if (auto done = durable_.apply(durable); !done)
      return done;
    auto done = runtime_.apply(runtime);
    if (done)
      state_ = std::move(state);
    return done;
  }

  result<snapshot> load() override {
    auto result = snapshot{};
    if (auto done = durable_.read(result, environment::durable); !done)
      return fail(std::move(done.error()));
    if (auto done = runtime_.read(result, environment::runtime); !done)
      return fail(std::move(done.error()));
    result.forwarding = {state_.forwards_ipv4, state_.forwards_ipv6};
    return result;
  }

  const origin& opened() const override {
    return origin_;
  }

private:
  // Destroyed last, after the environments.
  directory_lock durable_lock_;
  directory_lock runtime_lock_;
  store_state state_; ///< Of the runtime environment.
  database durable_;
  database runtime_;
  origin origin_;
};

} // namespace

result<std::unique_ptr<store>> open_lmdb_with(const store_options& how) {
  auto boot_id = read_boot_id(how.boot_id_file);
  if (!boot_id)
    return fail(std::move(boot_id.error()));
  auto durable
    = find(how.durable_dir, "durable", how.durable, how.check_patience);
  if (!durable)
    return fail(std::move(durable.error()));
  auto runtime
    = find(how.runtime_dir, "runtime", how.runtime, how.check_patience);
  if (!runtime)
    return fail(std::move(runtime.error()));
  auto start = compare(durable->file, runtime->file, *boot_id);
  if (start.rebooted) {
    runtime->file.found = contents{};
    runtime->was_emptied = true;
  }
  sign(*durable, start, *boot_id);
  sign(*runtime, start, *boot_id);
  // Durable first: `compare` relies on its generation never being behind.
  auto disk = open_for_writing(*durable, true);
  if (!disk)
    return fail(std::move(disk.error()));
  auto memory = open_for_writing(*runtime, false);
  if (!memory)
    return fail(std::move(memory.error()));
  return std::make_unique<lmdb_store>(std::move(*durable), std::move(*runtime),
                                      std::move(*disk), std::move(*memory),
                                      std::move(start));
}

result<std::unique_ptr<store>>
open_lmdb(const std::string& state_dir, const std::string& run_dir) {
  auto how = store_options{};
  how.durable_dir = state_dir + "/durable";
  how.runtime_dir = run_dir + "/runtime";
  return open_lmdb_with(how);
}

} // namespace troupe::persistence
