#pragma once

#include "troupe/netns/kernel.hpp"

#include <array>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace troupe::test {

/// One random call with its arguments as small numbers, so that the same step
/// can be done on two kernels whose indices and inodes differ.
struct script_step {
  int what = 0;              ///< Which of the calls of `script_runner`.
  int place = 0;             ///< 0: the host, then the namespaces.
  std::array<int, 4> args{}; ///< Each below 1 000.
};

script_step random_step(std::mt19937& random);

/// Two namespaces beside the host's, and steps done in them on one kernel.
/// Names, addresses and MACs come from small pools, so that steps collide
/// often: most of the interest is in the errors.
class script_runner {
public:
  explicit script_runner(std::unique_ptr<netns::kernel> host);

  /// @returns 0 or the errno of the failed call.
  int run(const script_step& step);

  /// What the step does, for the message of a failed comparison.
  static std::string describe(const script_step& step);

  /// Everything there is, by name, sorted.
  std::string dump();

private:
  struct place {
    netns::namespace_ref ref; ///< Empty for the host.
    std::unique_ptr<netns::kernel> kernel;
  };

  int add_link(place& at, const script_step& step);
  int change_link(place& at, const script_step& step);
  int change_addresses(place& at, const script_step& step);
  int change_routes(place& at, const script_step& step);
  int change_rest(place& at, const script_step& step);

  std::vector<place> places_;
};

} // namespace troupe::test
