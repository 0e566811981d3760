#include "troupe/tools/troupe/output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <utility>

namespace troupe::tools {

namespace {

constexpr size_t gap = 3;

// Records may be older than today's rules for names: the terminal must not
// obey them.
std::string printable(std::string text) {
  return is_printable(text) ? text : quoted(text);
}

std::string cell(std::string text) {
  text = printable(std::move(text));
  return text.empty() ? "-" : text;
}

// Bytes that continue a UTF-8 character take no column.
size_t columns_of(std::string_view text) {
  return static_cast<size_t>(
    std::count_if(text.begin(), text.end(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
    }));
}

} // namespace

text_table::text_table(std::vector<std::string> headers) {
  rows_.push_back(std::move(headers));
}

void text_table::add(std::vector<std::string> row) {
  for (auto& x : row)
    x = cell(std::move(x));
  rows_.push_back(std::move(row));
}

std::string text_table::text() const {
  auto widths = std::vector<size_t>(rows_.front().size());
  for (const auto& row : rows_)
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], columns_of(row[i]));
  auto result = std::string{};
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      result += row[i];
      if (i + 1 < row.size())
        result.append(widths[i] - columns_of(row[i]) + gap, ' ');
    }
    result += '\n';
  }
  return result;
}

std::string full_name(const network_status& x) {
  return printable(x.spec.name);
}

std::string full_name(const endpoint_status& x) {
  return printable(x.network_name + "/" + x.spec.name);
}

std::string full_name(const sandbox_status& x) {
  return printable(x.spec.name);
}

std::string subnets_text(const network_spec& x) {
  auto xs = std::vector<std::string>{};
  for (const auto& pool : x.pools)
    if (pool.subnet)
      xs.push_back(to_string(*pool.subnet));
  return joined(xs, ",");
}

std::string addresses_text(const endpoint_spec& x) {
  auto xs = std::vector<std::string>{};
  for (const auto& address : x.addresses)
    xs.push_back(to_string(address));
  return joined(xs, ",");
}

std::string duration_text(int64_t us) {
  constexpr int64_t second = 1'000'000;
  if (us >= second)
    return fmt::format("{:.2f} s", static_cast<double>(us) / 1e6);
  return fmt::format("{:.2f} ms", static_cast<double>(us) / 1e3);
}

std::string time_text(int64_t unix_ms) {
  constexpr int64_t second = 1'000;
  auto seconds = static_cast<std::time_t>(unix_ms / second);
  auto parts = std::tm{};
  (void)gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
                     parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min, parts.tm_sec,
                     unix_ms % second);
}

std::string
joined(const std::vector<std::string>& xs, std::string_view separator) {
  return fmt::format("{}", fmt::join(xs, separator));
}

} // namespace troupe::tools
