#pragma once

#include "troupe/actors/messages.hpp"
#include "troupe/config/model/json.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace troupe::tools {

/// A column of a table.
struct table_column {
  std::string header;
  int spare = 0; ///< Where there is no room the highest go first; 0 stays.
  bool may_be_cut = false; ///< If there is no room still.
  bool is_state = false;   ///< Coloured where it is not as it should be.
};

/// How a table is to look.
struct table_style {
  size_t width = 0; ///< Of the terminal; 0: as wide as it is.
  bool colours = false;
  bool headers = true;
};

/// A table in plain text: headers in capitals, columns three spaces apart,
/// nothing behind the last one.
class text_table {
public:
  explicit text_table(std::vector<std::string> headers);
  explicit text_table(std::vector<table_column> columns);

  /// Adds a row with as many cells as there are headers. An empty cell shows
  /// as `-`, so that columns can be counted; control bytes as `?`.
  void add(std::vector<std::string> row);

  std::string text(const table_style& style = {});

  /// The headers of what `text` had no room for.
  const std::vector<std::string>& left_out() const {
    return left_out_;
  }

private:
  std::vector<size_t> widths() const;
  void remove_column(size_t i);
  void fit(size_t width);

  std::vector<table_column> columns_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::string> left_out_;
};

/// The text, or what a terminal cannot obey.
std::string printable(std::string text);

/// Orders names as people do: `web-2` before `web-10`.
bool natural_less(std::string_view lhs, std::string_view rhs);

/// The id as tables show it: 12 digits unless all are wanted.
template <class Id>
std::string shown(const Id& id, bool no_trunc) {
  return no_trunc ? id.value : id.brief();
}

/// The name people use: `web`, or `web/c1` for an endpoint.
std::string full_name(const network_status& x);
std::string full_name(const endpoint_status& x);
std::string full_name(const sandbox_status& x);

/// For orders by it.
struct full_name_of {
  template <class Status>
  std::string operator()(const Status& x) const {
    return full_name(x);
  }
};

/// The published ports, ranges as one: `8080-8088->80-88/tcp`. What is
/// published on all addresses of both families stands once, without them.
std::string ports_text(const std::vector<port_binding>& xs);

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
