#pragma once

#include "troupe/config/model/error.hpp"
#include "troupe/config/model/network.hpp"
#include "troupe/config/model/reference.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::tools {

/// What a filter can look at; keys without a value here are refused.
struct filter_view {
  std::string_view name;
  std::string_view id;
  std::string_view driver;
  std::string_view network;    ///< Name of the endpoint's network.
  std::string_view network_id; ///< Its id.
  const text_map* labels = nullptr;
  bool dangling = false; ///< A network without endpoints.
  int64_t created_ms = 0;
};

/// Conditions `key=value`. All keys must match, for each key one of its
/// values: names contain it, ids begin with it, `network` is a reference, the
/// rest equals it; a label is `label=key` or `label=key=value`. With `label!=`
/// none may match. `until` is an age (`24h`), or a time as Unix seconds or
/// RFC 3339: what was made before.
class filter {
public:
  /// @param keys those that make sense for the listed objects. Errors:
  /// `invalid_argument` with the nearest key or value.
  static result<filter> parse(const std::vector<std::string>& texts,
                              std::vector<std::string_view> keys);

  /// Finds the networks that are referred to; of one that is not there no
  /// endpoint matches. Errors: `invalid_argument` where several are meant.
  /// @param networks all there are.
  result<void> resolve(const name_index& networks);

  bool names_networks() const {
    return conditions_.contains("network");
  }

  bool matches(const filter_view& x) const;

private:
  std::map<std::string, std::vector<std::string>> conditions_;
};

/// The keys of a noun's lists: `network`, `endpoint`, `sandbox` or `events`.
std::vector<std::string_view> filter_keys(std::string_view noun);

/// The words that a filter's key takes; empty: any text.
std::vector<std::string_view> filter_values(std::string_view key);

} // namespace troupe::tools
