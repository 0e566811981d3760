#pragma once

// The only private header around LMDB: nothing else shows its types, and only
// .cpp files include <lmdb.h>.
//
// Every environment is opened with MDB_NOLOCK | MDB_NOTLS | MDB_NOSUBDIR: the
// directory lock (directory.hpp) excludes a second process and the store has
// one thread, so LMDB's own lock file would add nothing but one more file that
// can be damaged. MDB_WRITEMAP is never used: it turns a full disk into SIGBUS.

#include "troupe/config/model/error.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

struct MDB_env;
struct MDB_txn;
struct MDB_cursor;

namespace troupe::persistence::lmdb {

/// Names a table within its environment.
using table_handle = unsigned int;

/// LMDB's own tree of free pages.
inline constexpr table_handle free_pages_table = 0;

/// LMDB's own table of tables.
inline constexpr table_handle main_table = 1;

/// Turns an LMDB or errno number into an error: a full map or disk is
/// `unavailable`, everything else `internal`. `os_error` holds the number.
error failure(int code, std::string_view operation);

/// True for a map that is too small: grow it and repeat.
bool is_map_full(const error& why);

/// True for a disk (or quota, or file size limit) that is full.
bool is_disk_full(const error& why);

/// How to open an environment.
struct env_options {
  uint64_t map_bytes = 64ULL << 20U; ///< Address space, not disk space.
  bool read_only = false;
  bool sync = true; ///< fsync at each commit; pointless on tmpfs.
};

/// One open data file.
/// @pre the file is healthy: LMDB 0.9 crashes on a damaged one.
class env {
public:
  static result<env> open(const std::string& path, const env_options& how);

  MDB_env* handle() const {
    return handle_.get();
  }

  uint64_t map_bytes() const;

  /// High-water mark: bytes up to the last page ever used.
  uint64_t used_bytes() const;

  uint64_t page_bytes() const;

  /// Descriptor of the data file.
  result<int> descriptor() const;

  /// Changes the size of the map. @pre no transaction is open.
  result<void> resize(uint64_t map_bytes);

private:
  struct closes {
    void operator()(MDB_env* x) const;
  };

  explicit env(MDB_env* handle) : handle_{handle} {
  }

  std::unique_ptr<MDB_env, closes> handle_;
};

/// What a transaction may do.
enum class access : uint8_t { read, write };

/// One transaction. Aborts on destruction unless committed.
/// @thread_safety Belongs to the thread that began it.
class txn {
public:
  static result<txn> begin(const env& in, access how);

  MDB_txn* handle() const {
    return handle_.get();
  }

  /// Number of the snapshot read, or of the one being written.
  uint64_t id() const;

  /// Opens a table. @param create make it when it is absent.
  /// Errors: `not_found` when it is absent.
  result<table_handle> open_table(const std::string& name, bool create);

  /// @returns a view that dies with the transaction or at the next change;
  /// `nullopt` if absent.
  result<std::optional<std::string_view>>
  get(table_handle in, std::string_view key) const;

  /// Adds or replaces.
  result<void>
  put(table_handle in, std::string_view key, std::string_view value);

  /// Removes; an absent key is fine.
  result<void> del(table_handle in, std::string_view key);

  /// Writes and syncs. The transaction is over, whatever the result.
  result<void> commit();

private:
  struct aborts {
    void operator()(MDB_txn* x) const;
  };

  explicit txn(MDB_txn* handle) : handle_{handle} {
  }

  std::unique_ptr<MDB_txn, aborts> handle_;
};

/// Walks one table in key order. Dies before its transaction.
class cursor {
public:
  using entry = std::pair<std::string_view, std::string_view>;

  static result<cursor> open(const txn& in, table_handle table);

  /// The next key and value, views that die with the transaction; `nullopt`
  /// at the end.
  result<std::optional<entry>> next();

private:
  struct closes {
    void operator()(MDB_cursor* x) const;
  };

  explicit cursor(MDB_cursor* handle) : handle_{handle} {
  }

  std::unique_ptr<MDB_cursor, closes> handle_;
};

} // namespace troupe::persistence::lmdb
