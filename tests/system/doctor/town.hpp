#pragma once

#include "troupe/tests/system/publish/fixture.hpp"

#include <string>
#include <vector>

namespace troupe::test {

/// A town whose traffic can be watched: `web` publishes 8080:80 to the street,
/// which is also the host's way into the world.
class DoctorTown : public Publish {
protected:
  void SetUp() override;
  void TearDown() override;

  /// The first promised way that nothing gets along; empty: all are open.
  std::string blocked_way();

  /// Waits until all ways are open. @returns what is not, after ten seconds.
  std::string blocked_for_good();

  /// Runs a shell command in which `{BR}`, `{PORT}`, `{PEER}` (its
  /// neighbour's), `{MAC}`, `{WEB}` (the namespace), `{WEB4}`, `{WEB6}`,
  /// `{PEER4}`, `{PEER6}`, `{GW4}`, `{GW6}`, `{NET4}` and `{NET6}` stand for
  /// what they say.
  outcome shell(std::string command);

  /// What `troupe doctor --format json` says, and its exit code.
  outcome ask_doctor(const std::vector<std::string>& flags = {});

  /// Forgets connections to `web` that nobody has taken: there is room for few.
  void listen_anew();

  std::string bridge_;
  std::string port_;
  std::vector<ip_address> web_;

private:
  bool pings(const std::string& from, const std::string& address);

  connection listener_;
  std::string peer4_;
  std::string peer6_;
  std::vector<std::pair<std::string, std::string>> names_;
};

} // namespace troupe::test
