#include "troupe/tests/unit/tools/cli_fixture.hpp"

#include "troupe/tools/troupe/cli.hpp"

#include <sstream>

namespace troupe::test {

cli_run run_command(const std::string& host, std::vector<std::string> words,
                    const std::string& input, bool is_terminal, size_t columns,
                    bool colours) {
  words.insert(words.begin(), "troupe");
  auto arguments = std::vector<const char*>{};
  for (const auto& x : words)
    arguments.push_back(x.c_str());
  auto in = std::istringstream{input};
  auto out = std::ostringstream{};
  auto err = std::ostringstream{};
  auto code
    = tools::run_cli(static_cast<int>(arguments.size()), arguments.data(),
                     {out, err, in, is_terminal, columns, colours}, host);
  return {code, out.str(), err.str()};
}

std::string without_age(const std::string& table) {
  auto result = std::string{};
  auto lines = std::istringstream{table};
  for (auto line = std::string{}; std::getline(lines, line);) {
    auto end = line.find_last_not_of(' ', line.rfind(' '));
    result += line.substr(0, end + 1) + "\n";
  }
  return result;
}

} // namespace troupe::test
