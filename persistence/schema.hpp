#pragma once

#include "troupe/config/model/error.hpp"
#include "troupe/config/model/field.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

namespace troupe::persistence {

/// The on-disk format. Bump it and add a step to `migrate.cpp` whenever a
/// stored field changes its meaning or a table is added; adding an optional
/// field needs neither.
inline constexpr int schema_version = 1;

/// One table per kind of record; keys are ids, values are JSON documents in
/// an envelope.
///
/// | table       | key              | value           | environment         |
/// |-------------|------------------|-----------------|---------------------|
/// | `networks`  | network id       | `network_spec`  | durable             |
/// | `endpoints` | endpoint id      | `endpoint_spec` | by its `ephemeral`  |
/// | `sandboxes` | sandbox id       | `sandbox_spec`  | runtime             |
/// | `joins`     | endpoint id      | `join_spec`     | runtime             |
/// | `meta`      | `state`, `seal`  | see below       | both, one each      |
///
/// Both environments have all five tables.
enum class table : uint8_t { networks, endpoints, sandboxes, joins, meta };

/// Names of the tables, in the order of the enumeration.
inline constexpr auto table_names = std::to_array<std::string_view>(
  {"networks", "endpoints", "sandboxes", "joins", "meta"});

/// How many of them hold records of the model: all but `meta`.
inline constexpr size_t record_tables = 4;

/// Name of a table.
constexpr std::string_view to_string(table x) {
  return table_names[static_cast<size_t>(x)];
}

/// `meta/state`: what an environment knows about itself.
struct store_state {
  int schema = schema_version;
  std::string program;        ///< Who wrote it last, e.g. `troupe 0.1.0`.
  std::string environment;    ///< `durable` or `runtime`: they are not swapped.
  std::string boot_id;        ///< Kernel's boot id at the last start.
  uint64_t generation = 0;    ///< Number of starts.
  bool forwards_ipv4 = false; ///< See `forwarding_record`; runtime only.
  bool forwards_ipv6 = false; ///< Likewise.

  static constexpr auto fields() {
    return std::tuple{field{"schema", &store_state::schema},
                      field{"program", &store_state::program},
                      field{"environment", &store_state::environment},
                      field{"boot_id", &store_state::boot_id},
                      field{"generation", &store_state::generation},
                      field{"forwards_ipv4", &store_state::forwards_ipv4},
                      field{"forwards_ipv6", &store_state::forwards_ipv6}};
  }
};

inline constexpr std::string_view state_key = "state";

/// `meta/seal`: written with every commit, so that a record that is missing,
/// stale or there twice is noticed although each record's own checksum fits.
struct seal {
  uint64_t snapshot = 0; ///< LMDB's number of the transaction that wrote it.
  uint64_t records = 0;  ///< All records but the seal itself.
  uint64_t sum = 0;      ///< Sum of `seal_term` over them, modulo 2^64.

  static constexpr auto fields() {
    return std::tuple{field{"snapshot", &seal::snapshot},
                      field{"records", &seal::records},
                      field{"sum", &seal::sum}};
  }
};

inline constexpr std::string_view seal_key = "seal";

/// An environment's records in memory: per table the JSON text by key, without
/// envelopes.
struct contents {
  std::array<std::map<std::string, std::string>, record_tables> records;
  store_state state;
};

/// FNV-1a, 64 bits. Every step maps the state one to one, so a change within
/// a single byte always changes the result; others pass with 2^-64.
uint64_t checksum(std::string_view text, uint64_t start = 0xcbf29ce484222325U);

/// Wraps a JSON text for storing: `<schema> <checksum, 16 hex digits> <text>`.
/// The checksum covers table, key, schema and text, so that a record that
/// turns up under another key is noticed too.
std::string encode(table in, std::string_view key, std::string_view text);

/// Checks the envelope. @returns the JSON text, a view into `value`.
/// Errors: `internal`, naming table and key.
result<std::string_view>
decode(table in, std::string_view key, std::string_view value);

/// What a stored value adds to the sum of the seal; reads its checksum without
/// computing it anew. @pre `decode` accepted the value.
uint64_t seal_term(std::string_view value);

/// The running program as it signs its stores.
std::string program_name();

} // namespace troupe::persistence
