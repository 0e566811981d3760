#pragma once

#include "troupe/tests/system/cni/fixture.hpp"

namespace troupe::test {

/// Real container runtimes, as Debian has them, on the daemon of this test.
class runtimes_test : public cni_test {
protected:
  void SetUp() override;
  void TearDown() override;

  /// Writes a file, and the folders above it.
  static void write(const std::string& path, const std::string& text);

  /// A root file system with busybox.
  void make_root(const std::string& path);

  /// Asks a port of this host from there, again and again for some seconds.
  static std::string ask_from_neighbour(const std::string& port);

  /// A list with our plugin in it.
  std::string list(const std::string& name, nlohmann::json plugin) const;

  /// Folders of the machine that runtimes write to, hidden from them.
  static void hide(const std::string& path);

  std::string dir_; ///< Of this test.
};

} // namespace troupe::test
