#pragma once

#include "troupe/config/model/error.hpp"
#include "troupe/config/model/id.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe {

/// How a reference names an object; the strongest first.
enum class match_rank : uint8_t { id, name, prefix };

/// An object that a reference may mean.
struct reference_match {
  match_rank rank = match_rank::prefix;
  std::string id;
  std::string title; ///< For messages: its name.
};

/// The names of objects of one kind, found by id and by name.
class name_index {
public:
  /// Adds an object, or renames it.
  void add(const std::string& id, const std::string& name);

  void remove(const std::string& id);

  /// An object of that name; empty if there is none.
  std::string id_of_name(const std::string& name) const;

  /// Every object that the text names, but only in the strongest way that fits
  /// one: none where it is empty.
  std::vector<reference_match> matches(std::string_view text) const;

private:
  std::map<std::string, std::string, std::less<>> names_; // By id.
  std::set<std::pair<std::string, std::string>> ids_;     // By name.
};

/// Decides which object a reference means: by full id, else by name, else by
/// unique id prefix (at least one digit), in this order, as the Docker engine
/// does. The only place that does.
/// @param matches of everything there is, e.g. of all networks.
/// @param kind for messages, e.g. "network".
/// Errors: `invalid_argument` for empty text, and when several are meant, which
/// are listed; `not_found`.
result<reference_match>
choose_match(std::vector<reference_match> matches, std::string_view text,
             std::string_view kind);

} // namespace troupe
