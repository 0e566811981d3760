#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace troupe::test {

/// What `was` has and `is` has not, one line each; `is` may have more.
inline void compare(const nlohmann::json& was, const nlohmann::json& is,
                    const std::string& where, std::string& differences) {
  if (was.is_object() && is.is_object()) {
    for (auto i = was.begin(); i != was.end(); ++i)
      if (is.contains(i.key()))
        compare(*i, is[i.key()], where + "." + i.key(), differences);
      else
        differences += where + "." + i.key() + " is missing\n";
    return;
  }
  if (was.is_array() && is.is_array() && was.size() == is.size()) {
    for (size_t i = 0; i < was.size(); ++i)
      compare(was[i], is[i], where + "[" + std::to_string(i) + "]",
              differences);
    return;
  }
  if (was != is)
    differences += where + ": was " + was.dump() + ", is " + is.dump() + "\n";
}

} // namespace troupe::test
