#pragma once

#include "troupe/actors/api/messages.hpp"
#include "troupe/config/model/json.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace troupe::tools {

/// A table in plain text: headers in capitals, columns three spaces apart,
/// nothing behind the last one.
class text_table {
public:
  explicit text_table(std::vector<std::string> headers);

  /// Adds a row with as many cells as there are headers. An empty cell shows
  /// as `-`, so that columns can be counted; control bytes as `?`.
  void add(std::vector<std::string> row);

  std::string text() const;

private:
  std::vector<std::vector<std::string>> rows_;
};

/// The id as tables show it: 12 digits unless all are wanted.
template <class Id>
std::string shown(const Id& id, bool no_trunc) {
  return no_trunc ? id.value : id.brief();
}

/// The name people use: `web`, or `web/c1` for an endpoint.
std::string full_name(const network_status& x);
std::string full_name(const endpoint_status& x);
std::string full_name(const sandbox_status& x);

/// The subnets, e.g. `10.1.0.0/16,fd00::/64`.
std::string subnets_text(const network_spec& x);

/// The addresses, e.g. `10.1.0.2/16,fd00::2/64`.
std::string addresses_text(const endpoint_spec& x);

/// `1.25 ms`, `3.2 s`.
std::string duration_text(int64_t us);

/// UTC, e.g. `2026-01-31T12:00:00.123Z`.
std::string time_text(int64_t unix_ms);

/// The texts with a separator between them.
std::string
joined(const std::vector<std::string>& xs, std::string_view separator);

} // namespace troupe::tools
