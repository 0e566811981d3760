#pragma once

#include "troupe/persistence/schema.hpp"
#include "troupe/persistence/store.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace troupe::persistence {

/// A change in terms of tables: put the text under the key, or remove the key
/// when there is no text.
struct edit {
  environment where = environment::durable;
  table in = table::networks;
  std::string key;
  std::optional<std::string> text; ///< JSON.
};

/// Longest JSON text of one record: what `parse_json` reads back.
inline constexpr size_t max_record_bytes = 1U << 20U;

/// Where and under which key a change belongs. Both stores apply it, so that
/// a simulation refuses what the real store refuses.
/// Errors: `invalid_argument` for an id that is not one, or a record too long
/// to be read back.
result<edit> to_edit(const change& what);

/// Reads a stored JSON text into the snapshot. Fields that cannot be read (a
/// newer version's words) keep their default and are told, naming table and
/// key, so that the object can be seen and removed. A network of which a part
/// is missing loses its driver as well: nothing must be built for it.
/// @param where it was found, which decides what is ephemeral.
void add_record(snapshot& to, environment where, table in,
                const std::string& key, const std::string& text);

/// Carries over what a newer version had stored in a record that is about to
/// be rewritten: members that reading and writing the old text would lose.
/// @returns `fresh`, with those members added.
std::string keep_unknown(table in, std::string_view old, std::string fresh);

} // namespace troupe::persistence
