#pragma once

#include "troupe/config/model/address.hpp"
#include "troupe/config/model/error.hpp"
#include "troupe/config/model/network.hpp"

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::drivers {

/// One option of a driver: libnetwork's label and the short form of it.
struct option_name {
  std::string_view label; ///< E.g. `com.docker.network.driver.mtu`.
  std::string_view brief; ///< E.g. `mtu`.
};

/// Refuses labels of ours and of libnetwork's drivers (`troupe.…`,
/// `com.docker.network.…`) that are not known, with the nearest as the hint: a
/// misspelt one would have no effect. For requests only: records may hold what
/// was known, or ignored, when they were made. Errors: `invalid_argument`.
result<void> check_option_labels(const text_map& options,
                                 std::span<const option_name> known);

/// Is the label of that kind?
bool is_driver_label(std::string_view label);

/// Reads driver options into a typed struct, one by one, and keeps the first
/// error, so that a parser is a list of lines and one check at its end.
///
/// An option may be given by its label or by its short form. A key without a
/// dot that is no short form is refused with the nearest known one as the
/// hint; what else we do not know is ignored here (see `check_option_labels`).
class option_reader {
public:
  /// @param options must outlive the reader, `known` as well.
  option_reader(const text_map& options, std::span<const option_name> known);

  /// The option's text; empty if it was not given.
  std::optional<std::string_view> text(std::string_view label) const;

  /// Reads a truth value as Go's strconv.ParseBool does: `1 t T true TRUE
  /// True`, `0 f F false FALSE False`.
  void read(std::string_view label, bool& out);

  /// Reads a decimal number within the bounds.
  void
  read(std::string_view label, uint32_t& out, uint32_t least, uint32_t most);

  /// Reads an address.
  void read(std::string_view label, ip_address& out);

  /// Refuses a value that was given: `option KEY="VALUE": reason`.
  void refuse(ec code, std::string_view label, std::string_view reason,
              std::string hint = {});

  /// The first error, if any.
  result<void> verdict() const;

private:
  struct given {
    std::string_view key;
    std::string_view value;
  };

  void accept(const option_name& name, given found);

  std::map<std::string_view, given> given_; ///< By label.
  std::optional<error> first_;
};

} // namespace troupe::drivers
