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
/// @param columns of the terminal that it prints to; 0: to none.
cli_run run_command(const std::string& host, std::vector<std::string> words,
                    const std::string& input = {}, bool is_terminal = false,
                    size_t columns = 0, bool colours = false);

/// A table without its last column, which is how old things are.
std::string without_age(const std::string& table);

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
