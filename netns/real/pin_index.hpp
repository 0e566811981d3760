#pragma once

#include "troupe/netns/real/namespace.hpp"
#include "troupe/netns/real/socket.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace troupe::netns {

/// Knows the pins as they were last seen, and which of them a notification's
/// namespace number (nsid) means. Private to netns.
class pin_index {
public:
  /// Opens a directory of pins and looks at it.
  static result<pin_index> open(const std::string& pin_dir);

  /// Looks again, also for the numbers of the pins that had none.
  /// @returns the paths of the pins that came, went, died or were replaced.
  result<std::vector<std::string>> refresh();

  /// The pin of that number; nothing if none is known.
  std::optional<std::string> find(int nsid) const;

  /// True for a number of which is known that it is no pin's.
  bool is_foreign(int nsid) const {
    return foreign_.contains(nsid);
  }

  /// Remembers that.
  void mark_foreign(int nsid) {
    foreign_.insert(nsid);
  }

  /// The number has a new meaning or none.
  void forget(int nsid);

private:
  struct pin {
    uint64_t inode = 0;
    std::optional<int> nsid;
  };

  pin_index(pin_directory directory, netlink_socket socket)
    : directory_(std::move(directory)), socket_(std::move(socket)) {
  }

  // Asks for the numbers of the pins that have none yet.
  void number_pins();

  // The number of one pin; nothing if the kernel gave it none.
  std::optional<int> ask(const std::string& path, uint64_t inode);

  pin_directory directory_;
  netlink_socket socket_;
  std::map<std::string, pin> pins_; // By path.
  std::map<int, std::string> paths_;
  std::set<int> foreign_; // Numbers of namespaces that are not pinned.
};

} // namespace troupe::netns
