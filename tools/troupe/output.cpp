#include "troupe/tools/troupe/output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <numeric>
#include <tuple>
#include <utility>

namespace troupe::tools {

namespace {

constexpr size_t gap = 3;
constexpr size_t least_width = 8; ///< Of a cell that was cut.

std::string cell(std::string text) {
  text = printable(std::move(text));
  return text.empty() ? "-" : text;
}

// Bytes that continue a UTF-8 character take no column.
bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U;
}

size_t columns_of(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(text, [](char c) {
    return !is_continuation(c);
  }));
}

std::string cut(std::string text, size_t width) {
  if (columns_of(text) <= width)
    return text;
  auto end = size_t{0};
  for (auto columns = size_t{0}; end < text.size(); ++end)
    if (!is_continuation(text[end]) && ++columns == width)
      break;
  return text.substr(0, end) + "…";
}

size_t total(const std::vector<size_t>& widths) {
  return std::accumulate(widths.begin(), widths.end(), size_t{0})
         + gap * (widths.size() - 1);
}

// Of what is on a terminal: bold headers, and states that ask for a look.
std::string
coloured(const std::string& text, const table_column& column, bool is_header) {
  constexpr auto end = "\x1b[0m";
  if (is_header)
    return "\x1b[1m" + text + end;
  if (!column.is_state || text == "ready" || text == "joined"
      || text == "created")
    return text;
  return (text == "failed" ? "\x1b[31m" : "\x1b[33m") + text + end;
}

const auto any_v4 = ip_address::parse("0.0.0.0").value();
const auto any_v6 = ip_address::parse("::").value();

bool is_any(const ip_address& x) {
  return x == any_v4 || x == any_v6;
}

// One run for ports that follow each other, on the host as in the container.
std::vector<port_binding> merged(std::vector<port_binding> xs) {
  std::ranges::stable_sort(xs, {}, [](const port_binding& x) {
    return std::tuple{x.proto, x.host_ip, x.port, x.host_port};
  });
  auto result = std::vector<port_binding>{};
  for (const auto& x : xs) {
    auto follows = [&x](const port_binding& run) {
      auto last = run.port_end == 0 ? run.port : run.port_end;
      return run.proto == x.proto && run.host_ip == x.host_ip
             && (run.host_port == 0) == (x.host_port == 0) && x.port == last + 1
             && (x.host_port == 0
                 || x.host_port - run.host_port == x.port - run.port);
    };
    if (!result.empty() && follows(result.back()))
      result.back().port_end = x.port;
    else
      result.push_back(x);
  }
  sort_bindings(result);
  return result;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Cuts a number from the front, without its leading zeros.
std::string_view take_digits(std::string_view& text) {
  auto end = size_t{0};
  while (end < text.size() && is_digit(text[end]))
    ++end;
  auto digits = text.substr(0, end);
  text.remove_prefix(end);
  while (digits.size() > 1 && digits.front() == '0')
    digits.remove_prefix(1);
  return digits;
}

} // namespace

// Records may be older than today's rules for names: the terminal must not
// obey them.
std::string printable(std::string text) {
  return is_printable(text) ? text : quoted(text);
}

bool natural_less(std::string_view lhs, std::string_view rhs) {
  auto a = lhs;
  auto b = rhs;
  while (!a.empty() && !b.empty()) {
    if (is_digit(a.front()) && is_digit(b.front())) {
      auto x = take_digits(a);
      auto y = take_digits(b);
      if (x != y)
        return x.size() != y.size() ? x.size() < y.size() : x < y;
      continue;
    }
    if (a.front() != b.front())
      return a.front() < b.front();
    a.remove_prefix(1);
    b.remove_prefix(1);
  }
  if (a.empty() != b.empty())
    return a.empty();
  return lhs < rhs; // `a01` and `a1` are two.
}

text_table::text_table(std::vector<std::string> headers) {
  for (auto& x : headers)
    columns_.push_back({std::move(x), 0, false, false});
}

text_table::text_table(std::vector<table_column> columns)
  : columns_{std::move(columns)} {
}

void text_table::add(std::vector<std::string> row) {
  for (auto& x : row)
    x = cell(std::move(x));
  rows_.push_back(std::move(row));
}

std::vector<size_t> text_table::widths() const {
  auto result = std::vector<size_t>{};
  for (const auto& x : columns_)
    result.push_back(columns_of(x.header));
  for (const auto& row : rows_)
    for (size_t i = 0; i < row.size(); ++i)
      result[i] = std::max(result[i], columns_of(row[i]));
  return result;
}

void text_table::remove_column(size_t i) {
  auto at = static_cast<std::ptrdiff_t>(i);
  left_out_.push_back(columns_[i].header);
  columns_.erase(columns_.begin() + at);
  for (auto& row : rows_)
    row.erase(row.begin() + at);
}

void text_table::fit(size_t width) {
  while (total(widths()) > width) {
    auto last = std::ranges::max_element(columns_, {}, &table_column::spare);
    if (last->spare == 0)
      break;
    remove_column(static_cast<size_t>(last - columns_.begin()));
  }
  for (size_t i = 0; i < columns_.size(); ++i) {
    auto all = widths();
    auto sum = total(all);
    if (!columns_[i].may_be_cut || sum <= width)
      continue;
    auto room = all[i] > sum - width ? all[i] - (sum - width) : size_t{0};
    for (auto& row : rows_)
      row[i] = cut(row[i], std::max(room, least_width));
  }
}

std::string text_table::text(const table_style& style) {
  if (style.width != 0)
    fit(style.width);
  auto all = widths();
  auto result = std::string{};
  auto line = [&](const std::vector<std::string>& row, bool is_header) {
    for (size_t i = 0; i < row.size(); ++i) {
      result
        += style.colours ? coloured(row[i], columns_[i], is_header) : row[i];
      if (i + 1 < row.size())
        result.append(all[i] - columns_of(row[i]) + gap, ' ');
    }
    result += '\n';
  };
  auto headers = std::vector<std::string>{};
  for (const auto& x : columns_)
    headers.push_back(x.header);
  if (style.headers)
    line(headers, true);
  else // Not wider than what is shown.
    for (size_t i = 0; i < all.size(); ++i) {
      all[i] = 0;
      for (const auto& row : rows_)
        all[i] = std::max(all[i], columns_of(row[i]));
    }
  for (const auto& row : rows_)
    line(row, false);
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

std::string ports_text(const std::vector<port_binding>& xs) {
  auto runs = merged(expanded(xs));
  auto result = std::vector<std::string>{};
  for (const auto& x : runs) {
    auto text = to_string(x);
    auto place = host_text(x.host_ip, x.host_port);
    auto other = x;
    other.host_ip = x.host_ip.is_v4() ? any_v6 : any_v4;
    if (x.host_port == 0 || !is_any(x.host_ip)
        || std::ranges::find(runs, other) == runs.end())
      result.push_back(std::move(text));
    else if (x.host_ip.is_v4()) // Once for both.
      result.push_back(text.substr(text.rfind(':', text.find("->")) + 1));
  }
  return joined(result, ", ");
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
