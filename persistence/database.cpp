#include "troupe/persistence/database.hpp"

#include "troupe/config/model/json_text.hpp"
#include "troupe/persistence/file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace troupe::persistence {

namespace {

// The file grows in such steps: rarely, and never by much more than needed.
constexpr uint64_t allocation_step = 256ULL << 10U;

uint64_t round_up(uint64_t x, uint64_t step) {
  return (x + step - 1) / step * step;
}

std::string encode_seal(const seal& x) {
  return encode(table::meta, seal_key, json_text(x));
}

std::string encode_state(const store_state& x) {
  return encode(table::meta, state_key, json_text(x));
}

/// Puts a value that is not there yet and counts it.
result<void> put_new(lmdb::txn& in, lmdb::table_handle to, std::string_view key,
                     const std::string& value, seal& sealed) {
  ++sealed.records;
  sealed.sum += seal_term(value);
  return in.put(to, key, value);
}

/// Fills an empty environment in one transaction.
result<void> fill(const lmdb::env& env, const contents& what) {
  auto txn = lmdb::txn::begin(env, lmdb::access::write);
  if (!txn)
    return fail(std::move(txn.error()));
  auto sealed = seal{txn->id(), 0, 0};
  for (size_t i = 0; i < table_names.size(); ++i) {
    auto in = static_cast<table>(i);
    auto handle = txn->open_table(std::string{to_string(in)}, true);
    if (!handle)
      return fail(std::move(handle.error()));
    if (in == table::meta) {
      auto done
        = put_new(*txn, *handle, state_key, encode_state(what.state), sealed);
      if (done)
        done = txn->put(*handle, seal_key, encode_seal(sealed));
      if (!done)
        return done;
      continue;
    }
    for (const auto& [key, text] : what.records[i])
      if (auto done
          = put_new(*txn, *handle, key, encode(in, key, text), sealed);
          !done)
        return done;
  }
  return txn->commit();
}

/// Address space that surely holds these contents.
uint64_t map_for(const contents& what, const database_limits& limits) {
  uint64_t bytes = 1U << 20U;
  for (const auto& records : what.records)
    for (const auto& [key, text] : records)
      bytes += 4 * (key.size() + text.size());
  return std::max(limits.initial_map_bytes, bytes);
}

/// Less than one write of LMDB's needs?
bool has_no_space(const std::string& directory) {
  struct statvfs info = {};
  return ::statvfs(directory.c_str(), &info) == 0
         && uint64_t{info.f_bavail} * info.f_frsize < (1U << 20U);
}

/// Gives the file this size, of whatever contents. A file system that cannot
/// reserve space (EOPNOTSUPP) is used without: a full disk then shows at the
/// commit.
/// @returns 0, or the reason.
int reserve(int file, uint64_t bytes) {
  int code = 0;
  do
    code = ::fallocate(file, 0, 0, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
  while (code == EINTR);
  return code;
}

bool is_full(int code) {
  return code == ENOSPC || code == EDQUOT || code == EFBIG;
}

/// Room for removals, so that they work even if nothing is added before the
/// disk is full.
result<void> make_first_room(lmdb::env& env, const database_limits& limits) {
  auto file = env.descriptor();
  if (!file)
    return fail(std::move(file.error()));
  const auto used = env.used_bytes();
  const auto wanted = used + std::max(limits.reserve_bytes, used);
  if (wanted > limits.max_map_bytes
      || !is_full(reserve(*file, round_up(wanted, allocation_step))))
    return {};
  return fail(
    error{ec::unavailable, "the disk is full", "free space on it", ENOSPC});
}

result<void> write_file(const std::string& path, const contents& what,
                        const database_limits& limits, bool must_have_room) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return fail(os_failure(errno, "remove " + path));
  auto how = lmdb::env_options{};
  how.map_bytes = map_for(what, limits);
  how.sync = limits.sync;
  auto env = lmdb::env::open(path, how);
  if (!env)
    return fail(std::move(env.error()));
  if (auto done = fill(*env, what); !done)
    return done;
  auto has_room = make_first_room(*env, limits);
  return must_have_room ? has_room : result<void>{};
}

} // namespace

result<database>
database::create(const std::string& directory, const contents& what,
                 const database_limits& limits, bool must_have_room) {
  auto name = std::string{data_file};
  auto path = directory + "/" + name + ".new";
  if (auto done = write_file(path, what, limits, must_have_room); !done) {
    auto why = std::move(done.error());
    // What a short write is to LMDB; the file must still be there to see it.
    if (why.os_error == EIO && has_no_space(directory))
      why = {ec::unavailable, "the disk is full", "free space on it", ENOSPC};
    ::unlink(path.c_str());
    return fail(with_context(std::move(why), "write " + path));
  }
  if (auto done = rename_durably(directory, name + ".new", name); !done)
    return fail(std::move(done.error()));
  return open(directory, limits);
}

result<database>
database::open(const std::string& directory, const database_limits& limits) {
  auto path = directory + "/" + std::string{data_file};
  auto how = lmdb::env_options{};
  how.map_bytes = limits.initial_map_bytes;
  how.sync = limits.sync;
  auto env = lmdb::env::open(path, how);
  if (!env)
    return fail(std::move(env.error()));
  auto result = database{path, std::move(*env), limits};
  if (auto done = result.open_tables(); !done)
    return fail(with_context(std::move(done.error()), "open " + path));
  struct stat info = {};
  if (::stat(path.c_str(), &info) == 0)
    result.allocated_bytes_ = static_cast<uint64_t>(
      std::min<int64_t>(info.st_size, int64_t{info.st_blocks} * 512));
  return result;
}

result<void> database::open_tables() {
  auto txn = lmdb::txn::begin(env_, lmdb::access::read);
  if (!txn)
    return fail(std::move(txn.error()));
  for (size_t i = 0; i < table_names.size(); ++i) {
    auto handle = txn->open_table(std::string{table_names[i]}, false);
    if (!handle)
      return fail(std::move(handle.error()));
    tables_[i] = *handle;
  }
  auto value = txn->get(handle(table::meta), seal_key);
  if (!value || !*value)
    return fail(ec::internal, "read meta/seal: no such record");
  auto text = decode(table::meta, seal_key, **value);
  if (!text)
    return fail(std::move(text.error()));
  auto document = parse_json(*text);
  if (!document)
    return fail(std::move(document.error()));
  auto sealed = from_json<seal>(*document, unknown_fields::ignore, "meta/seal");
  if (!sealed)
    return fail(std::move(sealed.error()));
  seal_ = *sealed;
  // Handles of an aborted transaction are closed with it.
  return txn->commit();
}

// -- writing -----------------------------------------------------------------

result<void> database::apply(std::span<const edit> edits) {
  if (edits.empty())
    return {};
  if (broken_)
    return fail(ec::internal,
                "write " + path_ + ": stopped after a failed commit ("
                  + *broken_ + ")",
                "restart: the store is checked when it is opened");
  uint64_t batch_bytes = 0;
  for (const auto& x : edits)
    if (x.text)
      // A changed page is copied, and large values fill whole pages.
      batch_bytes += x.text->size() + 2 * env_.page_bytes();
  if (batch_bytes > 0)
    if (auto done = make_room(batch_bytes); !done && !gives_back(edits))
      return done;
  for (;;) {
    auto done = try_apply(edits);
    if (done)
      return done;
    if (lmdb::is_disk_full(done.error()))
      return fail(full());
    if (!lmdb::is_map_full(done.error()))
      return fail(with_context(std::move(done.error()), "write " + path_));
    if (auto grown = grow_map(); !grown)
      return grown;
  }
}

// A record that becomes shorter is a removal, too: of published ports.
bool database::gives_back(std::span<const edit> edits) const {
  auto txn = lmdb::txn::begin(env_, lmdb::access::read);
  return txn && std::ranges::all_of(edits, [&](const edit& x) {
           if (!x.text)
             return true;
           auto old = txn->get(handle(x.in), x.key);
           if (!old || !*old)
             return false;
           auto text = decode(x.in, x.key, **old);
           return text && x.text->size() <= text->size();
         });
}

result<void> database::try_apply(std::span<const edit> edits) {
  auto txn = lmdb::txn::begin(env_, lmdb::access::write);
  if (!txn)
    return fail(std::move(txn.error()));
  auto next = seal_;
  next.snapshot = txn->id();
  for (const auto& x : edits)
    if (auto done = apply_one(*txn, x, next); !done)
      return done;
  if (auto done = txn->put(handle(table::meta), seal_key, encode_seal(next));
      !done)
    return done;
  if (auto done = txn->commit(); !done) {
    if (done.error().code != ec::unavailable)
      broken_ = done.error().message;
    return done;
  }
  seal_ = next;
  return {};
}

result<void> database::apply_one(lmdb::txn& in, const edit& what, seal& next) {
  auto old = in.get(handle(what.in), what.key);
  if (!old)
    return fail(std::move(old.error()));
  auto value = std::string{};
  if (what.text) {
    auto stored = result<std::string_view>{};
    if (*old && what.in != table::meta)
      stored = decode(what.in, what.key, **old);
    value = encode(what.in, what.key,
                   stored && !stored->empty()
                     ? keep_unknown(what.in, *stored, *what.text)
                     : *what.text);
  }
  if (*old) {
    --next.records;
    next.sum -= seal_term(**old);
  }
  if (!what.text)
    return *old ? in.del(handle(what.in), what.key) : result<void>{};
  return put_new(in, handle(what.in), what.key, value, next);
}

result<void> database::write_state(const store_state& state) {
  auto what = edit{};
  what.in = table::meta;
  what.key = std::string{state_key};
  what.text = json_text(state);
  return try_apply({&what, 1});
}

// -- space -------------------------------------------------------------------

error database::full() const {
  return error{ec::unavailable, "write " + path_ + ": the disk is full",
               "free space on it or remove networks or endpoints: removals "
               "still work",
               0};
}

result<void> database::grow_map() {
  auto now = env_.map_bytes();
  if (now >= limits_.max_map_bytes)
    return fail(full());
  return env_.resize(std::min(now * 2, limits_.max_map_bytes));
}

result<void> database::make_room(uint64_t batch_bytes) {
  auto used = env_.used_bytes();
  auto needed = batch_bytes + std::max(limits_.reserve_bytes, used);
  if (used + needed <= limits_.max_map_bytes && allocate(used + needed))
    return {};
  // What removals gave back lies in the middle of the file.
  auto reusable = reusable_bytes();
  auto behind = std::min(allocated_bytes_, limits_.max_map_bytes);
  auto available = reusable + (behind > used ? behind - used : 0);
  auto live = used - std::min(used, reusable);
  if (available >= batch_bytes + std::max(limits_.reserve_bytes, live))
    return {};
  return fail(full());
}

bool database::allocate(uint64_t file_bytes) {
  if (file_bytes <= allocated_bytes_)
    return true;
  auto fd = env_.descriptor();
  if (!fd)
    return false;
  auto wanted = round_up(file_bytes, allocation_step);
  const auto code = reserve(*fd, wanted);
  if (is_full(code))
    return false;
  allocated_bytes_ = code == 0 ? wanted : ~uint64_t{0};
  return true;
}

uint64_t database::reusable_bytes() const {
  auto txn = lmdb::txn::begin(env_, lmdb::access::read);
  if (!txn)
    return 0;
  auto cursor = lmdb::cursor::open(*txn, lmdb::free_pages_table);
  if (!cursor)
    return 0;
  uint64_t pages = 0;
  for (;;) {
    auto entry = cursor->next();
    if (!entry || !*entry)
      break;
    size_t freed_by = 0;
    size_t count = 0;
    const auto& [key, list] = **entry;
    if (key.size() != sizeof(freed_by) || list.size() < sizeof(count))
      break;
    std::memcpy(&freed_by, key.data(), sizeof(freed_by));
    std::memcpy(&count, list.data(), sizeof(count));
    // What the last commit freed belongs to the one before it, to which a
    // crash may have to go back.
    if (freed_by < txn->id())
      pages += count;
  }
  return pages * env_.page_bytes();
}

// -- reading -----------------------------------------------------------------

result<void> database::read(snapshot& to, environment where) const {
  auto txn = lmdb::txn::begin(env_, lmdb::access::read);
  if (!txn)
    return fail(std::move(txn.error()));
  for (size_t i = 0; i < record_tables; ++i) {
    auto in = static_cast<table>(i);
    auto cursor = lmdb::cursor::open(*txn, handle(in));
    if (!cursor)
      return fail(std::move(cursor.error()));
    for (;;) {
      auto entry = cursor->next();
      if (!entry)
        return fail(std::move(entry.error()));
      if (!*entry)
        break;
      const auto& [key, value] = **entry;
      auto text = decode(in, key, value);
      if (!text)
        return fail(std::move(text.error()));
      add_record(to, where, in, std::string{key}, std::string{*text});
    }
  }
  return {};
}

} // namespace troupe::persistence
