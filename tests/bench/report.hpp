#pragma once

#include "samples.hpp"
#include <optional>
#include <string>
#include <vector>

namespace troupe::bench {

/// One line of the result.
struct row {
  std::string group; ///< E.g. `attach, one client`.
  std::string name;  ///< E.g. `embedded`.
  std::optional<double> p50_ms;
  std::optional<double> p99_ms;
  std::optional<double> rate;     ///< Operations per second.
  std::optional<double> kib;      ///< Memory.
  std::optional<double> to_floor; ///< Ratio; above 1 is dearer or slower.
  std::string goal;               ///< As design.md has it; empty: none.
  std::optional<bool> reached;
};

/// Milliseconds, the unit of all durations in the report.
double in_ms(microseconds x);

/// A row with the quantiles of some samples.
row timed(std::string group, std::string name, const samples& xs);

/// Collects rows and shows them.
class report {
public:
  /// @param to Where each row is written to as a line of JSON as well, so that
  ///        it is not lost with this process; -1: nowhere.
  explicit report(bool quick, int to = -1);

  /// Adds a row and says so on stderr, as a sign of life.
  void add(row x);

  /// Adds a row that another process wrote.
  void take(const std::string& line);

  /// Notes that a scenario did not come to its end.
  void miss(std::string scenario);

  /// The table, for people.
  std::string text() const;

  /// The same for programs.
  std::string json() const;

private:
  bool quick_;
  int to_;
  std::vector<row> rows_;
  std::vector<std::string> missed_;
};

} // namespace troupe::bench
