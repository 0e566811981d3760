// Any command line is refused with a reason, or finds that there is no daemon.
// The input is a list of words, one a line.

#include "troupe/tools/troupe/cli.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <vector>

namespace {

/// These read files or look at this machine, whatever the daemon does.
bool touches_files(const std::string& word) {
  constexpr auto such = std::array{"check", "--file", "--env-file", "--tls"};
  for (const auto* x : such)
    if (word.starts_with(x))
      return true;
  return false;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto text = std::istringstream{
    std::string{reinterpret_cast<const char*>(data), size}};
  auto words = std::vector<std::string>{"troupe"};
  for (auto line = std::string{}; std::getline(text, line);) {
    if (touches_files(line) || line.find('\0') != std::string::npos)
      return 0;
    words.push_back(line);
  }
  words.insert(words.end(), {"--host", "unix:///nowhere/troupe.sock"});
  auto argv = std::vector<const char*>{};
  for (const auto& x : words)
    argv.push_back(x.c_str());
  auto in = std::istringstream{};
  auto out = std::ostringstream{};
  auto err = std::ostringstream{};
  const auto code
    = troupe::tools::run_cli(static_cast<int>(argv.size()), argv.data(),
                             {out, err, in}, "unix:///nowhere/troupe.sock");
  if (code < 0 || code > 255 || (code != 0 && err.str().empty()))
    std::abort();
  return 0;
}
