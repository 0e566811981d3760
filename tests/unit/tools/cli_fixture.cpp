#include "troupe/tests/unit/tools/cli_fixture.hpp"

#include "troupe/tools/troupe/cli.hpp"

#include <sstream>

namespace troupe::test {

cli_run run_command(const std::string& host, std::vector<std::string> words,
                    const std::string& input, bool is_terminal) {
  words.insert(words.begin(), "troupe");
  auto arguments = std::vector<const char*>{};
  for (const auto& x : words)
    arguments.push_back(x.c_str());
  auto in = std::istringstream{input};
  auto out = std::ostringstream{};
  auto err = std::ostringstream{};
  auto code
    = tools::run_cli(static_cast<int>(arguments.size()), arguments.data(),
                     {out, err, in, is_terminal}, host);
  return {code, out.str(), err.str()};
}

} // namespace troupe::test
