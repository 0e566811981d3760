#include "troupe/tests/lab/coverage.hpp"

#include <algorithm>

namespace troupe::testing {

namespace {

constexpr size_t number_width = 7;

template <class Array>
void add_all(Array& to, const Array& from) {
  for (size_t i = 0; i < to.size(); ++i)
    to[i] += from[i];
}

/// Right-aligned, as everywhere in the table.
std::string cell(const std::string& text, size_t width = number_width) {
  return text.size() < width ? std::string(width - text.size(), ' ') + text
                             : text;
}

/// The columns have numbers; these are their names.
std::string legend() {
  auto text = std::string{};
  for (size_t i = 0; i < coverage::fault_count; ++i)
    text += cell(std::to_string(i + 1), 4) + " "
            + std::string{enum_names<fault_kind>[i]}
            + (i % 4 == 3
                 ? "\n"
                 : std::string(22 - enum_names<fault_kind>[i].size(), ' '));
  return text;
}

} // namespace

void coverage::add(const coverage& x) {
  add_all(done, x.done);
  add_all(refused, x.refused);
  add_all(unknown, x.unknown);
  add_all(faults, x.faults);
  for (size_t i = 0; i < met.size(); ++i)
    add_all(met[i], x.met[i]);
  requests += x.requests;
  starts += x.starts;
  checks += x.checks;
}

size_t coverage::operations_seen() const {
  return operation_count
         - static_cast<size_t>(std::ranges::count(done, uint64_t{0}));
}

size_t coverage::pairs_seen() const {
  auto seen = size_t{0};
  for (const auto& row : met)
    seen += fault_count
            - static_cast<size_t>(std::ranges::count(row, uint64_t{0}));
  return seen;
}

bool coverage::is_enough() const {
  return operations_seen() == operation_count
         && pairs_seen() * 10 >= pair_count * 9;
}

std::string to_table(const coverage& x) {
  auto text = legend() + cell("operation", 16) + cell("done")
              + cell("refused", 8) + cell("unknown", 8);
  for (size_t i = 0; i < coverage::fault_count; ++i)
    text += cell(std::to_string(i + 1), 6);
  text += "\n";
  for (size_t i = 0; i < coverage::operation_count; ++i) {
    text += cell(std::string{enum_names<operation_kind>[i]}, 16)
            + cell(std::to_string(x.done[i]))
            + cell(std::to_string(x.refused[i]), 8)
            + cell(std::to_string(x.unknown[i]), 8);
    for (auto count : x.met[i])
      text += cell(count == 0 ? "-" : std::to_string(count), 6);
    text += "\n";
  }
  return text;
}

} // namespace troupe::testing
