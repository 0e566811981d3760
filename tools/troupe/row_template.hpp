#pragma once

#include "troupe/config/model/error.hpp"
#include "troupe/config/model/json.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::tools {

/// What a template can show of one object.
struct template_view {
  const json& object;

  /// Texts as the table shows them, by name; they win.
  std::vector<std::pair<std::string, std::string>> cells;

  /// Names that the object may have, whether this one has them or not.
  std::vector<std::string_view> known;
};

/// A text with fields, as docker's `--format` has: `{{.Name}}: {{.Driver}}`.
///
/// Of Go's templates it knows fields (`{{.Spec.Labels.tier}}`) and the object
/// or a field as JSON (`{{json .}}`), and in the text between `\t` and `\n`.
/// Names are found in any case and without `_`; those of an object's `spec`
/// need not be reached through it. `table ` in front makes columns with
/// headers.
class row_template {
public:
  /// Errors: `invalid_argument` for what is no field.
  static result<row_template> parse(std::string_view text);

  bool is_table() const {
    return is_table_;
  }

  /// Of the columns, if it is a table: the names in capitals.
  std::vector<std::string> headers() const;

  /// The text for an object. Errors: `invalid_argument` for a field that such
  /// objects do not have, with the nearest that they do.
  result<std::string> text(const template_view& x) const;

  /// The same by columns.
  result<std::vector<std::string>> columns(const template_view& x) const;

private:
  struct part {
    std::string text;              ///< In front of the field.
    std::vector<std::string> path; ///< Of the field; empty: the object.
    bool is_field = false;         ///< Otherwise the end of the text.
    bool as_json = false;
  };

  static result<part> parse_field(std::string_view inside);

  std::vector<part> parts_;
  bool is_table_ = false;
};

} // namespace troupe::tools
