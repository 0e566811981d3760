#pragma once

#include "troupe/config/model/error.hpp"

#include <memory>
#include <set>
#include <string>

namespace troupe::netns {

/// The zone that our bridges are in; tools/firewalld/troupe.xml.
inline constexpr auto firewalld_zone = "troupe";

/// firewalld drops what our rules accept, unless our bridges are in a zone of
/// it that accepts. Puts them there, until its next reload: its permanent
/// settings are the user's.
/// @thread_safety One caller at a time.
class firewalld {
public:
  virtual ~firewalld() = default;

  /// These bridges are ours now, and no others. Where firewalld works and does
  /// not know it yet, a thread tells it; this returns at once. To be called
  /// again when firewalld may have begun anew.
  virtual void trust(const std::set<std::string>& bridges) = 0;

  /// Why firewalld does not know them; empty: it does, or is not there.
  virtual std::string problem() const = 0;
};

/// The one of the calling thread's namespace.
result<std::unique_ptr<firewalld>> open_firewalld();

} // namespace troupe::netns
