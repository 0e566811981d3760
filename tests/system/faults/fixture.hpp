#pragma once

#include "troupe/tests/system/harness/system_test.hpp"

#include <string>
#include <vector>

namespace troupe::test {

/// The real daemon with fault injection, one network `net` and one sandbox
/// `box` that is nowhere.
class faults_test : public system_test {
protected:
  faults_test();
  void SetUp() override;
  void TearDown() override;

  /// `troupe fault add`; fails the test if it is refused. @returns its number.
  std::string inject(std::vector<std::string> words);

  /// Runs the command line. @returns what it has written to standard error.
  std::string refused(const std::vector<std::string>& words, int code = 1);
  void accepted(const std::vector<std::string>& words);

  /// How often the fault has struck, and all of them.
  int hits(const std::string& id);

  /// Waits for the daemon's end, expects it by SIGKILL, starts it again.
  void expect_crash_and_restart();

  /// Starts the daemon that was ended.
  void start_again();

  /// `troupe check` on this daemon's directories, which it need not be asked
  /// for.
  outcome check();

  /// Takes all faults away; store, actors and kernel agree, no invariant is
  /// broken.
  void expect_clean();

  /// The kernel with its firewall, without what moves by itself.
  static kernel_state observe();

  /// As `difference_that_stays`, with the firewall.
  static std::string difference_from(const kernel_state& before);

private:
  bool is_new_ = false; ///< The daemon is not the first.
};

} // namespace troupe::test
