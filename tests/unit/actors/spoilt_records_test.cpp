#include "troupe/config/model/json_text.hpp"
#include "troupe/persistence/records.hpp"

#include "odd_records.hpp"
#include <random>

namespace troupe::test {

namespace {

using persistence::environment;
using persistence::snapshot;
using persistence::table;

/// Something that the field has never seen.
json odd_value(std::mt19937_64& rng, const json& was) {
  switch (rng() % 12) {
  case 0:
    return nullptr;
  case 1:
    return -1;
  case 2:
    return "quic";
  case 3:
    return json::array();
  case 4:
    return json::object();
  case 5:
    return std::string(200, 'x');
  case 6:
    return "a\n\x1b[2Jb";
  case 7:
    return was.is_boolean() ? json(!was.get<bool>()) : json(true);
  case 8:
    return id_of("0123456789abcdef"[rng() % 16]);
  case 9:
    return "10.0.0.0/8";
  case 10:
    return was.is_array() && !was.empty() ? json::array({was[0], was[0]})
                                          : json("");
  default:
    return 18'446'744'073'709'551'615U;
  }
}

void spoil(std::mt19937_64& rng, json& x) {
  if (x.empty() || !x.is_structured())
    return;
  auto at = std::next(x.begin(), static_cast<long>(rng() % x.size()));
  if (at->is_structured() && !at->empty() && rng() % 2 == 0)
    return spoil(rng, *at);
  if (rng() % 8 == 0)
    x.erase(at);
  else
    *at = odd_value(rng, *at);
}

/// The records as the real store reads them, some of them spoilt.
snapshot spoilt(std::mt19937_64& rng, const snapshot& good) {
  auto result = snapshot{};
  auto add = [&](environment where, table in, const std::string& key,
                 const auto& record) {
    auto document = to_json(record);
    while (rng() % 3 == 0)
      spoil(rng, document);
    persistence::add_record(result, where, in, key, dump(document));
  };
  for (const auto& x : good.networks)
    add(environment::durable, table::networks, x.id.value, x);
  for (const auto& x : good.endpoints)
    add(x.ephemeral ? environment::runtime : environment::durable,
        table::endpoints, x.id.value, x);
  for (const auto& x : good.sandboxes)
    add(environment::runtime, table::sandboxes, x.id.value, x);
  for (const auto& x : good.joins)
    add(environment::runtime, table::joins, x.endpoint.value, x);
  return result;
}

TEST_F(odd_records, AnySpoiltRecordsCanBeSeenAndRemoved) {
  const auto good = records();
  for (auto seed = 0U; seed < 60 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    auto rng = std::mt19937_64{seed};
    records() = spoilt(rng, good);
    survive();
    backend.reset();
  }
}

} // namespace

} // namespace troupe::test
