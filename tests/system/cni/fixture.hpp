#pragma once

#include "troupe/tests/system/harness/system_test.hpp"

#include <map>
#include <string>
#include <vector>

namespace troupe::test {

/// What the plugin answered.
struct answered {
  int code = -1;
  nlohmann::json body; ///< Null if it printed nothing.
  std::string err;

  std::string text() const;

  /// The code of an error; 0 without one.
  int error_code() const;

  /// The first address of a result, without its length.
  std::string address() const;
};

/// Runs the plugin as runtimes do, in namespaces that somebody else made.
class cni_test : public system_test {
protected:
  void SetUp() override;
  void TearDown() override;

  /// A namespace as a runtime makes it. @returns its path.
  std::string make_namespace(const std::string& name);

  /// Another host on the same wire, 192.0.2.2 beside our 192.0.2.1.
  void make_neighbour();
  void remove_namespace(const std::string& name);

  /// A configuration for the daemon of this test.
  nlohmann::json
  configuration(const std::string& name,
                nlohmann::json more = nlohmann::json::object()) const;

  /// Variables of one call.
  static std::vector<std::string>
  variables(const std::string& command, const std::string& container,
            const std::string& netns, const std::string& interface,
            const std::string& args);

  answered
  cni(const std::string& command, const std::string& container,
      const std::string& netns, const nlohmann::json& config,
      const std::string& interface = "eth0", const std::string& args = {});

  /// ADD that must succeed.
  answered
  add(const std::string& container, const nlohmann::json& config,
      const std::string& interface = "eth0", const std::string& args = {});

  answered del(const std::string& container, const nlohmann::json& config,
               const std::string& interface = "eth0");

  /// Starts the daemon that was killed.
  void restart();

  /// After a start: what the daemon opens once and keeps.
  void warm_up();

  /// Writes a configuration to a file for standard input.
  std::string input_file(const nlohmann::json& config);

  /// Does one reach the other?
  bool pings(const std::string& from, const std::string& address);

  /// How many endpoints and sandboxes the daemon knows.
  size_t known_objects();

  /// Names of files that wait for the daemon.
  size_t deferred() const;

  /// Of this test's daemon.
  std::string daemon_socket() const {
    return socket_;
  }

private:
  std::string socket_;
  int inputs_ = 0;
  std::vector<std::string> namespaces_;
};

} // namespace troupe::test
