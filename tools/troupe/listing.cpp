#include "troupe/tools/troupe/listing.hpp"

#include <ostream>

namespace troupe::tools {

namespace {

// By a template, a line each. @returns false after an error, which is printed.
bool print_fields(session& s, const output_options& how,
                  const template_view& x) {
  auto text = how.fields.text(x);
  if (!text) {
    s.report_usage(text.error());
    return false;
  }
  s.print(*text);
  return true;
}

} // namespace

bool print_data(session& s, const output_options& how, const json& x,
                std::vector<std::string_view> known) {
  switch (how.format) {
  case output_format::table:
  case output_format::name:
    return false;
  case output_format::json:
    s.print(dump(x, 2));
    return true;
  case output_format::jsonl:
    s.print(dump(x));
    return true;
  case output_format::fields:
    if (how.fields.is_table())
      return print_data_list(s, how, json::array({x}), std::move(known));
    print_fields(s, how, {x, {}, std::move(known)});
    return true;
  }
  return false;
}

bool print_data_list(
  session& s, const output_options& how, const json& xs,
  std::vector<std::string_view> known,
  const std::vector<std::vector<std::pair<std::string, std::string>>>& cells) {
  if (how.format == output_format::table || how.format == output_format::name)
    return false;
  if (how.format == output_format::json) {
    s.print(dump(xs, 2));
    return true;
  }
  auto table = text_table{how.fields.headers()};
  // A field that no object can have is wrong whether there is one or not.
  const auto nothing = json::object();
  if (how.format == output_format::fields && xs.empty() && !known.empty())
    if (auto text = how.fields.text({nothing, {}, known}); !text) {
      s.report_usage(text.error());
      return true;
    }
  for (size_t i = 0; i < xs.size(); ++i) {
    auto view = template_view{xs[i], {}, known};
    if (i < cells.size())
      view.cells = cells[i];
    if (how.format == output_format::jsonl) {
      s.print(dump(xs[i]));
    } else if (!how.fields.is_table()) {
      if (!print_fields(s, how, view))
        return true;
    } else {
      auto row = how.fields.columns(view);
      if (!row) {
        s.report_usage(row.error());
        return true;
      }
      table.add(std::move(*row));
    }
  }
  if (how.format == output_format::fields && how.fields.is_table())
    print_table(s, how, std::move(table));
  return true;
}

void print_table(session& s, const output_options& how, text_table table) {
  s.io.out << table.text(
    {how.wide ? 0 : s.io.columns, s.io.colours, !how.no_headers});
  if (table.left_out().empty())
    return;
  s.io.out << std::flush;
  s.io.err << "Note: no room for " << joined(table.left_out(), ", ")
           << "; --wide shows all\n";
}

} // namespace troupe::tools
