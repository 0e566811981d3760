#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace troupe::persistence {

/// What a disk may hold when the power fails while networks are committed, one
/// after the other: everything that was synced, and of the writes since then
/// any part, torn at any sector. Records what a store writes, then opens such
/// images as the next start does.
/// @thread_safety One object at a time: it watches calls of the C library.
class power_loss {
public:
  power_loss();
  ~power_loss();
  power_loss(const power_loss&) = delete;
  power_loss& operator=(const power_loss&) = delete;

  /// Commits while what reaches the disk is recorded.
  /// @param syncs false: as if the store forgot to.
  /// @returns what went wrong; empty if nothing did.
  std::string record(bool syncs);

  /// Looks at images: each acknowledged commit must be there, and the one
  /// under way wholly or not at all.
  /// @param wanted how many at least; the same image is not looked at twice.
  /// @param most_lost ends after so many that lost something.
  void look(size_t wanted, size_t most_lost);

  /// Images that were looked at.
  size_t images() const;

  /// What was wrong with those that lost something, a line each.
  const std::vector<std::string>& lost() const;

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace troupe::persistence
