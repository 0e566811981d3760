#pragma once

#include "troupe/persistence/lmdb.hpp"
#include "troupe/persistence/records.hpp"
#include "troupe/persistence/schema.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace troupe::persistence {

/// Sizes of one environment. The map is address space; the file grows with
/// what is in it.
struct database_limits {
  uint64_t initial_map_bytes = 64ULL << 20U;
  uint64_t max_map_bytes = 16ULL << 30U;
  /// Kept free in the file for removals, at least; never less than the file's
  /// used part, because a removal may have to copy all of it.
  uint64_t reserve_bytes = 256ULL << 10U;
  bool sync = true;
};

/// Name of the data file in its directory.
inline constexpr std::string_view data_file = "data.mdb";

/// One environment, open for writing.
///
/// *Durability*: `apply` returns after the commit was synced (unless
/// `sync` is off: on tmpfs there is nothing to sync to).
/// *Full disk*: space for removals is allocated beforehand, so additions are
/// refused with `unavailable` while removals still commit, and changes that
/// make no record longer.
/// *Failure*: after a commit that failed for another reason its outcome is
/// unknown and the kernel may have dropped what it could not write, so all
/// later ones are refused until the store is opened, and thereby checked, anew.
/// @thread_safety One thread.
class database {
public:
  /// Writes a new file with these contents and puts it in the place of the
  /// one that is there, in one step. Nothing of an old file's inner state is
  /// taken over, in particular not its list of free pages.
  /// Errors: `unavailable` when the disk is full; the old file is then intact.
  /// @param must_have_room Is a disk full that has too little for removals?
  static result<database>
  create(const std::string& directory, const contents& what,
         const database_limits& limits, bool must_have_room = false);

  /// Opens the file that is there. @pre it was checked.
  static result<database>
  open(const std::string& directory, const database_limits& limits);

  /// Writes all edits in one transaction; nothing to do is no transaction.
  /// Errors: `unavailable` (full, nothing was changed), `internal`.
  result<void> apply(std::span<const edit> edits);

  /// Replaces `meta/state`.
  result<void> write_state(const store_state& state);

  /// Adds all records. Errors: `internal`.
  result<void> read(snapshot& to, environment where) const;

private:
  database(std::string path, lmdb::env env, const database_limits& limits)
    : path_{std::move(path)}, env_{std::move(env)}, limits_{limits} {
  }

  result<void> open_tables();
  bool gives_back(std::span<const edit> edits) const;
  result<void> try_apply(std::span<const edit> edits);
  result<void> apply_one(lmdb::txn& in, const edit& what, seal& next);
  result<void> grow_map();
  result<void> make_room(uint64_t batch_bytes);
  bool allocate(uint64_t file_bytes);
  uint64_t reusable_bytes() const;
  error full() const;

  lmdb::table_handle handle(table x) const {
    return tables_[static_cast<size_t>(x)];
  }

  std::string path_;
  lmdb::env env_;
  database_limits limits_;
  std::array<lmdb::table_handle, table_names.size()> tables_{};
  seal seal_;
  uint64_t allocated_bytes_ = 0;      ///< Of the file, known to be reserved.
  std::optional<std::string> broken_; ///< Why no more commits are taken.
};

} // namespace troupe::persistence
