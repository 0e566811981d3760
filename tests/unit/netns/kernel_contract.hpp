#pragma once

#include "troupe/netns/kernel.hpp"
#include "troupe/tests/fixtures/addresses.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

/// The contract of `netns::kernel` as tests, for every implementation of it:
/// one script runs on the simulated kernel and on the real one, so the two
/// cannot drift apart. A program links `kernel_contract` and says
///
///     INSTANTIATE_TEST_SUITE_P(Real, KernelContract,
///     Values(contract_param{…}))
namespace troupe::test {

/// A machine of one test: a host namespace with nothing but a loopback device,
/// and what other programs on it do.
class machine {
public:
  virtual ~machine() = default;

  /// Opens a kernel object in the host's namespace.
  virtual std::unique_ptr<netns::kernel> open() = 0;

  /// Makes a namespace as a container runtime does, loopback down, IPv6 on.
  /// @returns a path to it.
  virtual std::string make_external_namespace() = 0;

  /// A path to the host's namespace.
  virtual std::string host_path() = 0;

  /// Makes a file that is no namespace.
  virtual std::string make_plain_file() = 0;

  /// Takes a pin's mount away and leaves its file.
  virtual void unmount_pin(const std::string& path) = 0;

  /// Linux 6.2 was the first to rename links that are up.
  virtual bool renames_running_links() = 0;

  /// Waits up to some seconds for what the kernel does in its own time.
  virtual bool eventually(const std::function<bool()>& condition) = 0;
};

/// One implementation.
struct contract_param {
  std::string name;

  /// @returns null if it cannot run here, with the reason in `why`.
  std::function<std::unique_ptr<machine>(std::string& why)> make;
};

inline std::ostream& operator<<(std::ostream& out, const contract_param& x) {
  return out << x.name;
}

/// The error's code and number, for messages.
inline std::string describe(const error& x) {
  return x.message + " [" + std::string{to_string(x.code)} + ", "
         + std::strerror(x.os_error) + "]";
}

/// True if the call worked.
template <class T>
::testing::AssertionResult works(const result<T>& x) {
  if (x)
    return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << describe(x.error());
}

/// True if the call failed with this errno.
template <class T>
::testing::AssertionResult fails_with(int os_error, const result<T>& x) {
  if (x)
    return ::testing::AssertionFailure() << "it worked";
  if (x.error().os_error != os_error)
    return ::testing::AssertionFailure()
           << describe(x.error()) << " instead of " << std::strerror(os_error);
  return ::testing::AssertionSuccess();
}

/// True if the call failed with this code.
template <class T>
::testing::AssertionResult fails_with(ec code, const result<T>& x) {
  if (x)
    return ::testing::AssertionFailure() << "it worked";
  if (x.error().code != code)
    return ::testing::AssertionFailure()
           << describe(x.error()) << " instead of " << to_string(code);
  return ::testing::AssertionSuccess();
}

/// True if the link is a bridge port with these flags.
inline bool
has_flags(const netns::link_info& x, const netns::port_flags& flags) {
  return x.port && *x.port == flags;
}

/// Parsed texts; a mistake in a test shows as an empty optional's death.
/// A machine with one kernel object on its host.
class KernelContract : public ::testing::TestWithParam<contract_param> {
protected:
  void SetUp() override;

  netns::kernel& host() {
    return *host_;
  }

  /// A bridge that is up. @returns its index.
  int make_bridge(const std::string& name,
                  const std::string& mac_text = "02:00:00:00:00:01");

  /// A pinned namespace with IPv6 on, and a kernel object in it.
  struct inside {
    netns::namespace_ref ref;
    std::unique_ptr<netns::kernel> kernel;
  };
  inside make_namespace(const std::string& name);

  /// A pair from the host into a namespace; both ends up, IPv6 on in it.
  /// @returns the index of the host end.
  int make_veth(const std::string& name, const inside& there,
                const std::string& peer_name = "eth0", int master = 0);

  /// The link as the kernel reports it; a default one if there is none.
  static netns::link_info look(netns::kernel& k, const std::string& name);

  static size_t count_links(netns::kernel& k);

  std::unique_ptr<machine> machine_;
  std::unique_ptr<netns::kernel> host_;
};

/// A machine whose firewall is loaded without elements; its table's name is
/// `firewall_table`.
class FirewallContract : public KernelContract {
protected:
  void SetUp() override;

  result<void> change(std::vector<netns::firewall::element_change> changes);

  std::vector<netns::firewall::element> list();
};

inline constexpr auto firewall_table = "troupe_0a1b2c";

/// What it is loaded with.
inline netns::firewall::settings firewall_settings() {
  return {firewall_table, {}, 0x74000002};
}

} // namespace troupe::test
