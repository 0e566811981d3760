#include "troupe/persistence/lmdb.hpp"

#include <lmdb.h>

#include <cerrno>

namespace troupe::persistence::lmdb {

namespace {

// More tables than we have, so that a newer file still opens and can be
// refused by its version.
constexpr unsigned max_tables = 16;

MDB_val to_value(std::string_view x) {
  // LMDB does not write through the pointers of keys and values it is given.
  return MDB_val{x.size(), const_cast<char*>(x.data())};
}

std::string_view to_view(const MDB_val& x) {
  return {static_cast<const char*>(x.mv_data), x.mv_size};
}

} // namespace

error failure(int code, std::string_view operation) {
  auto result = error{};
  result.code = ec::internal;
  result.message = std::string{operation} + ": " + mdb_strerror(code);
  result.os_error = code;
  if (is_map_full(result) || is_disk_full(result)) {
    result.code = ec::unavailable;
    result.hint = "free space or remove records; removals still work";
  }
  return result;
}

bool is_map_full(const error& why) {
  return why.os_error == MDB_MAP_FULL;
}

bool is_disk_full(const error& why) {
  return why.os_error == ENOSPC || why.os_error == EDQUOT
         || why.os_error == EFBIG;
}

// -- env ---------------------------------------------------------------------

void env::closes::operator()(MDB_env* x) const {
  mdb_env_close(x);
}

result<env> env::open(const std::string& path, const env_options& how) {
  MDB_env* handle = nullptr;
  if (int code = mdb_env_create(&handle); code != 0)
    return fail(failure(code, "create environment"));
  auto result = env{handle};
  unsigned flags = MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS;
  if (how.read_only)
    flags |= MDB_RDONLY;
  if (!how.sync)
    flags |= MDB_NOSYNC;
  mdb_env_set_maxdbs(handle, max_tables);
  int code = mdb_env_set_mapsize(handle, how.map_bytes);
  if (code == 0)
    code = mdb_env_open(handle, path.c_str(), flags, 0600);
  if (code != 0)
    return fail(failure(code, "open " + path));
  return result;
}

uint64_t env::map_bytes() const {
  auto info = MDB_envinfo{};
  mdb_env_info(handle(), &info);
  return info.me_mapsize;
}

uint64_t env::page_bytes() const {
  auto stat = MDB_stat{};
  mdb_env_stat(handle(), &stat);
  return stat.ms_psize;
}

uint64_t env::used_bytes() const {
  auto info = MDB_envinfo{};
  mdb_env_info(handle(), &info);
  return (info.me_last_pgno + 1) * page_bytes();
}

result<int> env::descriptor() const {
  int fd = -1;
  if (int code = mdb_env_get_fd(handle(), &fd); code != 0)
    return fail(failure(code, "find data file"));
  return fd;
}

result<void> env::resize(uint64_t map_bytes) {
  if (int code = mdb_env_set_mapsize(handle(), map_bytes); code != 0)
    return fail(
      failure(code, "resize map to " + std::to_string(map_bytes) + " bytes"));
  return {};
}

// -- txn ---------------------------------------------------------------------

void txn::aborts::operator()(MDB_txn* x) const {
  mdb_txn_abort(x);
}

result<txn> txn::begin(const env& in, access how) {
  MDB_txn* handle = nullptr;
  unsigned flags = how == access::read ? MDB_RDONLY : 0;
  int code = mdb_txn_begin(in.handle(), nullptr, flags, &handle);
  if (code != 0)
    return fail(failure(code, "begin transaction"));
  return txn{handle};
}

uint64_t txn::id() const {
  return mdb_txn_id(handle());
}

result<table_handle> txn::open_table(const std::string& name, bool create) {
  MDB_dbi table = 0;
  unsigned flags = create ? MDB_CREATE : 0;
  int code = mdb_dbi_open(handle(), name.c_str(), flags, &table);
  if (code == MDB_NOTFOUND)
    return fail(ec::not_found, "open table " + name + ": no such table");
  if (code != 0)
    return fail(failure(code, "open table " + name));
  return table;
}

result<std::optional<std::string_view>>
txn::get(table_handle in, std::string_view key) const {
  auto wanted = to_value(key);
  auto found = MDB_val{};
  int code = mdb_get(handle(), in, &wanted, &found);
  if (code == MDB_NOTFOUND)
    return std::nullopt;
  if (code != 0)
    return fail(failure(code, "read record"));
  return to_view(found);
}

result<void>
txn::put(table_handle in, std::string_view key, std::string_view value) {
  auto name = to_value(key);
  auto content = to_value(value);
  if (int code = mdb_put(handle(), in, &name, &content, 0); code != 0)
    return fail(failure(code, "write record"));
  return {};
}

result<void> txn::del(table_handle in, std::string_view key) {
  auto name = to_value(key);
  int code = mdb_del(handle(), in, &name, nullptr);
  if (code != 0 && code != MDB_NOTFOUND)
    return fail(failure(code, "remove record"));
  return {};
}

result<void> txn::commit() {
  if (int code = mdb_txn_commit(handle_.release()); code != 0)
    return fail(failure(code, "commit"));
  return {};
}

// -- cursor ------------------------------------------------------------------

void cursor::closes::operator()(MDB_cursor* x) const {
  mdb_cursor_close(x);
}

result<cursor> cursor::open(const txn& in, table_handle table) {
  MDB_cursor* handle = nullptr;
  if (int code = mdb_cursor_open(in.handle(), table, &handle); code != 0)
    return fail(failure(code, "open cursor"));
  return cursor{handle};
}

result<std::optional<cursor::entry>> cursor::next() {
  auto key = MDB_val{};
  auto value = MDB_val{};
  int code = mdb_cursor_get(handle_.get(), &key, &value, MDB_NEXT);
  if (code == MDB_NOTFOUND)
    return std::nullopt;
  if (code != 0)
    return fail(failure(code, "walk table"));
  return entry{to_view(key), to_view(value)};
}

} // namespace troupe::persistence::lmdb
