#include "troupe/persistence/check.hpp"

#include "troupe/config/model/json.hpp"
#include "troupe/persistence/child.hpp"
#include "troupe/persistence/page_check.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

#include <sys/stat.h>

namespace troupe::persistence {

namespace {

/// The stored values of a file: per table name, by key.
using raw_tables
  = std::map<std::string, std::map<std::string, std::string>, std::less<>>;

/// @returns false for a stream that ends within a frame.
bool parse_stream(std::string_view stream, raw_tables& result) {
  auto* current = static_cast<std::map<std::string, std::string>*>(nullptr);
  while (!stream.empty()) {
    auto header = frame_header{};
    if (stream.size() < sizeof(header))
      return false;
    std::memcpy(&header, stream.data(), sizeof(header));
    stream.remove_prefix(sizeof(header));
    auto both = size_t{header.first_bytes} + header.second_bytes;
    if (stream.size() < both)
      return false;
    auto first = std::string{stream.substr(0, header.first_bytes)};
    auto second = stream.substr(header.first_bytes, header.second_bytes);
    stream.remove_prefix(both);
    if (header.kind == frame_kind::table)
      current = &result[first];
    else if (current != nullptr)
      (*current)[first] = second;
  }
  return true;
}

tl::unexpected<error> damaged(std::string reason) {
  return fail(ec::internal, std::move(reason));
}

/// Reads one of our own records of `meta`.
template <class T>
result<T> read_meta(const raw_tables& tables, std::string_view key) {
  auto in = tables.find(to_string(table::meta));
  if (in == tables.end())
    return damaged("table meta is missing");
  auto found = in->second.find(std::string{key});
  if (found == in->second.end())
    return damaged("meta/" + std::string{key} + " is missing");
  auto text = decode(table::meta, key, found->second);
  if (!text)
    return fail(std::move(text.error()));
  auto document = parse_json(*text);
  if (!document)
    return fail(std::move(document.error()));
  return from_json<T>(*document, unknown_fields::ignore);
}

/// Compares what is there with what the last commit sealed.
result<void> check_seal(const raw_tables& tables, uint64_t snapshot) {
  auto sealed = read_meta<seal>(tables, seal_key);
  if (!sealed)
    return fail(std::move(sealed.error()));
  auto found = seal{snapshot, 0, 0};
  for (const auto& [name, records] : tables) {
    for (const auto& [key, value] : records) {
      if (name == to_string(table::meta) && key == seal_key)
        continue;
      ++found.records;
      found.sum += seal_term(value);
    }
  }
  if (!(found == *sealed))
    return damaged("its records are not those of the last commit");
  return {};
}

/// Takes the records out of their envelopes.
result<contents> unpack(const raw_tables& tables, store_state state) {
  auto result = contents{};
  result.state = std::move(state);
  for (size_t i = 0; i < record_tables; ++i) {
    auto in = static_cast<table>(i);
    auto found = tables.find(to_string(in));
    if (found == tables.end())
      return damaged("table " + std::string{to_string(in)} + " is missing");
    for (const auto& [key, value] : found->second) {
      auto text = decode(in, key, value);
      if (!text)
        return fail(std::move(text.error()));
      result.records[i].emplace(key, *text);
    }
  }
  return result;
}

checked_file set_aside_because(std::string reason) {
  auto result = checked_file{};
  result.verdict = checked_file::health::damaged;
  result.reason = std::move(reason);
  return result;
}

/// Judges what the child has read.
result<checked_file> judge(const walk_report& report, const std::string& path,
                           std::string_view kind) {
  auto tables = raw_tables{};
  if (!parse_stream(report.stream, tables))
    return set_aside_because("its records cannot be told apart");
  auto state = read_meta<store_state>(tables, state_key);
  if (!state)
    return set_aside_because(std::move(state.error().message));
  // First of all: nothing else is known about a newer file, not even that its
  // seal is what we think it is.
  if (state->schema > schema_version)
    return fail(ec::unsupported,
                "open " + path + ": it has schema version "
                  + std::to_string(state->schema)
                  + ", this program knows up to "
                  + std::to_string(schema_version),
                "it was written by " + state->program
                  + ": run that version or a newer one");
  if (auto done = check_seal(tables, report.verdict.snapshot); !done)
    return set_aside_because(std::move(done.error().message));
  if (state->environment != kind)
    return fail(ec::conflict,
                "open " + path + ": it holds the " + state->environment
                  + " records, not the " + std::string{kind} + " ones",
                "put the files back where they belong");
  auto found = unpack(tables, std::move(*state));
  if (!found)
    return set_aside_because(std::move(found.error().message));
  auto result = checked_file{};
  result.found = std::move(*found);
  return result;
}

std::string describe_crash(int signal) {
  return std::string{"LMDB cannot read it ("} + ::strsignal(signal) + ")";
}

} // namespace

result<checked_file> check_file(const std::string& path, std::string_view kind,
                                std::chrono::milliseconds patience) {
  using outcome = walk_verdict::outcome;
  auto pages = check_pages(path);
  if (!pages)
    return fail(std::move(pages.error()));
  if (*pages)
    return set_aside_because(std::move(**pages));
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0)
    return fail(os_failure(errno, "inspect " + path));
  // Frames add less to a record than LMDB's nodes and pages do.
  auto limit = static_cast<size_t>(info.st_size) * 2 + (1U << 20U);
  for (int attempt = 0; attempt < 2; ++attempt) {
    auto report = walk_in_child(path, limit, patience);
    if (!report)
      return fail(std::move(report.error()));
    switch (report->verdict.how) {
    case outcome::complete:
      return judge(*report, path, kind);
    case outcome::refused:
      if (report->verdict.os_error != 0)
        return fail(ec::internal,
                    "check " + path + ": " + report->verdict.reason);
      return set_aside_because(report->verdict.reason);
    case outcome::crashed:
      return set_aside_because(describe_crash(report->verdict.signal));
    case outcome::unknown:
      break;
    }
  }
  return fail(ec::unavailable,
              "check " + path + ": the checking process did not finish",
              "the disk may be very slow or memory short: try again");
}

} // namespace troupe::persistence
