#pragma once

#include "troupe/tools/troupe/filter.hpp"
#include "troupe/tools/troupe/output.hpp"
#include "troupe/tools/troupe/session.hpp"

#include <algorithm>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace troupe::tools {

/// The names that an object of that kind may have in JSON, and its spec.
template <class T>
std::vector<std::string_view> field_names() {
  auto result = std::vector<std::string_view>{};
  if constexpr (described<T>) {
    auto add = [&result](const auto&... row) {
      (result.push_back(row.name), ...);
    };
    std::apply(add, T::fields());
    if constexpr (requires(T x) { x.spec; })
      std::apply(add, decltype(T::spec)::fields());
  }
  return result;
}

/// Prints an object as `--format` says.
/// @returns false when it says table or name: nothing is printed then.
bool print_data(session& s, const output_options& how, const json& x,
                std::vector<std::string_view> known = {});

/// The same for a list: as an array, a line each, or by the template.
/// @param cells what the table shows of each, with the names of the columns.
bool print_data_list(
  session& s, const output_options& how, const json& xs,
  std::vector<std::string_view> known = {},
  const std::vector<std::vector<std::pair<std::string, std::string>>>& cells
  = {});

/// Prints a table as wide as the terminal, and says what it had no room for.
void print_table(session& s, const output_options& how, text_table table);

/// Prints objects in natural order, as `--format` says: as a table of the
/// columns, with what `make_row` makes of each.
template <class Status, class MakeRow>
void print_list(session& s, const output_options& how, std::vector<Status> xs,
                const std::vector<table_column>& columns, MakeRow make_row) {
  std::ranges::stable_sort(xs, natural_less, [](const Status& x) {
    return full_name(x);
  });
  if (how.quiet || how.format == output_format::name) {
    for (const auto& x : xs)
      s.print(how.quiet ? shown(x.spec.id, how.no_trunc) : full_name(x));
    return;
  }
  // `NETWORK ID` is `ID`.
  auto name_of = [](const table_column& x) {
    return std::string_view{x.header}.substr(x.header.rfind(' ') + 1);
  };
  auto known = field_names<Status>();
  for (const auto& x : columns)
    known.push_back(name_of(x));
  auto cells = std::vector<std::vector<std::pair<std::string, std::string>>>{};
  auto table = text_table{columns};
  for (const auto& x : xs) {
    auto row = std::vector<std::string>(make_row(x));
    auto& named = cells.emplace_back();
    for (size_t i = 0; i < columns.size(); ++i)
      named.emplace_back(name_of(columns[i]), row[i]);
    table.add(std::move(row));
  }
  auto data = json::array();
  if (how.format != output_format::table)
    data = to_json(xs);
  if (!print_data_list(s, how, data, std::move(known), cells))
    print_table(s, how, std::move(table));
}

/// Keeps what the filters let through. @returns false after a wrong filter.
template <class Status, class View>
bool keep_matching(session& s, const output_options& how,
                   std::vector<Status>& xs, std::vector<std::string_view> keys,
                   View view) {
  auto wanted = filter::parse(how.filters, std::move(keys));
  if (!wanted) {
    s.report_usage(wanted.error());
    return false;
  }
  if (wanted->names_networks()) {
    auto all = s.ask<network_list>(list_networks{});
    if (!all)
      return false;
    auto networks = name_index{};
    for (const auto& x : all->networks)
      networks.add(x.spec.id.value, x.spec.name);
    if (auto found = wanted->resolve(networks); !found) {
      s.report(found.error());
      return false;
    }
  }
  std::erase_if(xs, [&](const Status& x) {
    return !wanted->matches(view(x));
  });
  return true;
}

/// `inspect`: an array of all that were found; the errors of the others are
/// printed. @param ask returns a pointer to the status of a name, or null.
/// @param show makes JSON of it.
template <class Ask, class Show>
void print_inspected(session& s, const output_options& how,
                     const std::vector<std::string>& names, Ask ask,
                     Show show) {
  auto found = json::array();
  auto known = std::vector<std::string_view>{};
  for (const auto& name : names) {
    auto x = ask(name);
    if (!x)
      continue;
    known = field_names<std::decay_t<decltype(*x)>>();
    if (how.format == output_format::name)
      s.print(full_name(*x));
    else
      found.push_back(show(*x));
  }
  if (how.format == output_format::name)
    return;
  if (!print_data_list(s, how, found, std::move(known)))
    s.print(dump(found, 2));
}

template <class Ask>
void print_inspected(session& s, const output_options& how,
                     const std::vector<std::string>& names, Ask ask) {
  print_inspected(s, how, names, ask, [](const auto& x) {
    return to_json(x);
  });
}

/// What a command shows of an object it made or changed: the id, or what
/// `--format` says.
template <class Status>
void print_made(session& s, const output_options& how, const Status& x) {
  if (how.format == output_format::name)
    s.print(full_name(x));
  else if (!print_data(s, how, to_json(x), field_names<Status>()))
    s.print(x.spec.id.value);
}

} // namespace troupe::tools
