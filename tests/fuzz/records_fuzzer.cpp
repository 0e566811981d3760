// Whatever is in a store: a record is refused with a reason or read, and what
// was read is written and read again unchanged.

#include "troupe/persistence/migrate.hpp"
#include "troupe/persistence/records.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace troupe::persistence;

void must(bool is_so) {
  if (!is_so)
    std::abort();
}

/// The only record in a snapshot, as a change.
change only(const snapshot& x) {
  if (!x.networks.empty())
    return x.networks.front();
  if (!x.endpoints.empty())
    return x.endpoints.front();
  if (!x.sandboxes.empty())
    return x.sandboxes.front();
  return x.joins.front();
}

bool are_equal(const snapshot& a, const snapshot& b) {
  return a.networks == b.networks && a.endpoints == b.endpoints
         && a.sandboxes == b.sandboxes && a.joins == b.joins;
}

/// As if it was under this key in this table.
void read_record(table in, const std::string& key, const std::string& text) {
  auto found = snapshot{};
  add_record(found, environment::durable, in, key, text);
  auto written = to_edit(only(found));
  if (!written)
    return; // An id that no record of ours has.
  must(written->text.has_value());
  auto again = snapshot{};
  add_record(again, environment::durable, written->in, written->key,
             *written->text);
  must(again.problems.empty());
  must(are_equal(found, again));
  (void)keep_unknown(in, text, *written->text);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto all = std::string_view{reinterpret_cast<const char*>(data), size};
  const auto key = std::string(64, 'a');
  for (size_t i = 0; i < record_tables; ++i) {
    const auto in = static_cast<table>(i);
    auto text = decode(in, key, all);
    must(text || !text.error().message.empty());
    // Few inputs have a checksum that is right.
    read_record(in, key, std::string{all});
    auto sealed = encode(in, key, all);
    auto opened = decode(in, key, sealed);
    must(opened && *opened == all);
  }
  return 0;
}
