#pragma once

#include "troupe/drivers/registry.hpp"
#include "troupe/netns/real/kernel.hpp"
#include "troupe/tests/fixtures/addresses.hpp"
#include "troupe/tests/fixtures/scratch.hpp"

#include "traffic.hpp"
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace troupe::test {

/// A result's error as text, for failure messages.
template <class T>
std::string text(const result<T>& x) {
  return x ? "ok" : x.error().message + " [" + x.error().hint + "]";
}

/// Runs a command in the test's namespace. @returns its exit code.
int shell(const std::string& command);

/// The output of a command.
std::string output_of(const std::string& command);

/// Do packets that stay within a bridge pass the firewall, too? The kernel's
/// default is yes.
void show_bridged_packets(bool on);

/// A host with an uplink, a neighbour on it that knows the way to the
/// containers' subnets, and two networks with two sandboxes each:
///
///     neighbour 192.0.2.2, 2001:db8::2
///         │
///     up0 192.0.2.1, 2001:db8::1   the host
///         ├─ br-a… 10.1.0.0/16, fd00:1::/64   a1 .2   a2 .3
///         └─ br-b… 10.2.0.0/16, fd00:2::/64   b1 .2   b2 .3
///
/// Each sandbox and the neighbour serve ports 80 and 81; a1's port 80 is
/// published as 8080, b1's as 9090, over TCP and UDP, at any address.
class town : public scratch_test {
public:
  std::unique_ptr<netns::kernel> kernel;
  std::unique_ptr<drivers::driver> driver;
  std::shared_ptr<netns::firewall::sender_list> senders
    = std::make_shared<netns::firewall::sender_list>();
  netns::firewall::settings rules;
  network_spec a = make_network('a');
  network_spec b = make_network('b');
  std::map<std::string, place> places; ///< `host`, `neighbour`, `a1`, …
  echo_service servers;

  static network_spec make_network(char letter);

  /// Builds everything and loads the firewall.
  void build();

  /// All elements wanted.
  std::vector<netns::firewall::element> wanted() const;

  /// Loads the firewall with them.
  void load();

  drivers::endpoint_plan plan_of(const std::string& name) const {
    return plans_.at(name);
  }

  /// The only address of that family; of a sandbox.
  ip_address address_of(const std::string& name, ip_family family) const;

protected:
  void SetUp() override;
  void TearDown() override;

private:
  void build_uplink();
  void settle();
  void build_sandbox(const network_spec& network, const std::string& name,
                     unsigned number);

  std::map<std::string, drivers::endpoint_plan> plans_;
};

} // namespace troupe::test
