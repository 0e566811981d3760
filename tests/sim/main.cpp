// A seeded random test: `--seed=N` or TEST_SEED=N replays one seed, `--runs=N`
// does as many (default 300).

#include "troupe/tests/sim/random_run.hpp"

#include <charconv>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string_view>

namespace {

std::optional<uint64_t> number(std::string_view text) {
  auto value = uint64_t{0};
  auto [end, failed]
    = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return value;
}

void add(troupe::sim::tally& sum, const troupe::sim::tally& x) {
  sum.requests += x.requests;
  sum.done += x.done;
  sum.refused += x.refused;
  sum.faults += x.faults;
  sum.crashes += x.crashes;
  sum.interferences += x.interferences;
}

std::string run_one(uint64_t seed, bool verbose, troupe::sim::tally& sum) {
  auto wrong = std::string{};
  troupe::testing::with_seed(seed, [&] {
    auto run = troupe::sim::random_run{seed};
    wrong = run.go();
    add(sum, run.counts());
    if (verbose)
      for (const auto& line : run.history())
        std::cout << line << "\n";
  });
  return wrong;
}

} // namespace

int main(int argc, char** argv) {
  auto first = uint64_t{1};
  auto count = uint64_t{300};
  auto verbose = false;
  auto replay = [&](std::string_view text) {
    if (auto seed = number(text)) {
      first = *seed;
      count = 1;
      verbose = true;
    }
  };
  if (const char* seed = std::getenv("TEST_SEED"))
    replay(seed);
  for (int i = 1; i < argc; ++i) {
    const auto arg = std::string_view{argv[i]};
    if (arg.starts_with("--seed="))
      replay(arg.substr(7));
    else if (arg.starts_with("--runs="))
      count = number(arg.substr(7)).value_or(count);
  }
  auto sum = troupe::sim::tally{};
  auto failed = 0;
  for (auto seed = first; seed < first + count && failed < 10; ++seed)
    if (auto wrong = run_one(seed, verbose, sum); !wrong.empty()) {
      ++failed;
      std::cout << "seed " << seed
                << " failed; replay with: sim_random --seed=" << seed << "\n"
                << wrong;
    }
  std::cout << "sim runs: " << count << ", requests " << sum.requests
            << " (done " << sum.done << ", refused " << sum.refused
            << "), faults planned " << sum.faults << ", crashes " << sum.crashes
            << ", interferences " << sum.interferences << "\n";
  return failed == 0 ? 0 : 1;
}
