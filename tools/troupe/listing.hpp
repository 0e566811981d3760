#pragma once

#include "troupe/tools/troupe/filter.hpp"
#include "troupe/tools/troupe/output.hpp"
#include "troupe/tools/troupe/session.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace troupe::tools {

/// Prints objects as JSON, by name, by id, or as the table that `make_table`
/// builds of them.
template <class Status, class MakeTable>
void print_list(session& s, const output_options& how,
                const std::vector<Status>& xs, MakeTable make_table) {
  if (how.quiet || how.format == output_format::name) {
    for (const auto& x : xs)
      s.print(how.quiet ? shown(x.spec.id, how.no_trunc) : full_name(x));
    return;
  }
  if (how.format == output_format::json)
    return s.print(dump(to_json(xs), 2));
  auto table = make_table(xs);
  s.io.out << table.text();
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
template <class Ask>
void print_inspected(session& s, const output_options& how,
                     const std::vector<std::string>& names, Ask ask) {
  auto found = json::array();
  for (const auto& name : names) {
    auto x = ask(name);
    if (!x)
      continue;
    if (how.format == output_format::name)
      s.print(full_name(*x));
    found.push_back(to_json(*x));
  }
  if (how.format != output_format::name)
    s.print(dump(found, 2));
}

/// What a command shows of an object it made or changed: the id, or what
/// `--format` says.
template <class Status>
void print_made(session& s, const output_options& how, const Status& x) {
  switch (how.format) {
  case output_format::table:
    return s.print(x.spec.id.value);
  case output_format::json:
    return s.print(dump(to_json(x), 2));
  case output_format::name:
    return s.print(full_name(x));
  }
}

} // namespace troupe::tools
