#pragma once

#include "troupe/tests/unit/tools/server_fixture.hpp"

#include <string>
#include <vector>

namespace troupe::test {

/// What a run of the command line left.
struct cli_run {
  int code = 0;
  std::string out;
  std::string err;
};

/// Runs the command line in this process.
cli_run run_command(const std::string& host, std::vector<std::string> words,
                    const std::string& input = {}, bool is_terminal = false);

/// The command line against the server over real actors on a simulated machine.
class cli_fixture : public server_fixture {
protected:
  void SetUp() override {
    start();
  }

  cli_run run(std::vector<std::string> words) {
    return run_command(uri(), std::move(words));
  }
};

} // namespace troupe::test
