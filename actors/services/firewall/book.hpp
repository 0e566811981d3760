#pragma once

#include "troupe/netns/firewall/element.hpp"

#include <map>
#include <string>
#include <vector>

namespace troupe {

/// What the firewall should hold: who wants which elements. Two owners may want
/// the same element; it goes with the last of them. Plain memory, owned by the
/// FIREWALL actor.
class firewall_book {
public:
  using elements = std::vector<netns::firewall::element>;
  using changes = std::vector<netns::firewall::element_change>;

  /// Replaces what `owner` wants; nothing: it is forgotten.
  /// @returns the steps from before to now, deletions first.
  changes replace(const std::string& owner, elements wanted);

  /// What an owner wants.
  elements of(const std::string& owner) const;

  /// Everything that is wanted, each once, sorted.
  elements all() const;

  /// Does somebody want this element?
  bool wants(const netns::firewall::element& x) const {
    return count_.contains(x);
  }

  /// Does somebody want one with this key, whatever its data?
  bool wants_key(const netns::firewall::element& x) const;

  bool empty() const {
    return wanted_.empty();
  }

private:
  std::map<std::string, elements> wanted_;
  std::map<netns::firewall::element, size_t> count_;
};

} // namespace troupe
