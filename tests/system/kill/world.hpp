#pragma once

#include <nlohmann/json.hpp>

#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>

namespace troupe::test {

/// An endpoint as its client knows it.
struct known_endpoint {
  bool ephemeral = false;
  std::string sandbox; ///< Empty while it is not joined.
  /// Id, MAC, addresses and the published ports of an attached one, as
  /// acknowledged; empty if no answer told them.
  std::string identity;
};

/// What one client has made: the state that its acknowledged operations must
/// have led to. Networks and sandboxes by name, with their ids (empty if
/// unknown); endpoints by `network/name`.
struct world {
  std::map<std::string, std::string> networks;
  std::map<std::string, std::string> sandboxes;
  std::map<std::string, known_endpoint> endpoints;
};

/// One request of a client.
struct operation {
  enum class kind {
    create_network,
    remove_network,
    create_sandbox,
    remove_sandbox,
    create_endpoint,
    remove_endpoint,
    join,
    leave,
    attach,
    detach,
  };
  kind what = kind::create_network;
  std::string network;
  std::string endpoint;
  std::string sandbox;
  bool publishes = false; ///< Attach: with a port of the container.

  std::string method() const;
  std::string target() const;
  nlohmann::json body() const;
  std::string text() const;
};

/// Chooses an operation that must succeed in this world. All names begin with
/// `prefix`, but endpoints also live on `shared`, a network that is always
/// there.
operation choose(const world& now, const std::string& prefix,
                 const std::string& shared, std::mt19937& random);

/// The world after the operation.
/// @param reply the daemon's answer; null if there was none.
world after(world now, const operation& done, const nlohmann::json& reply);

/// What the daemon lists, cut down to the objects of one client.
world listed(const nlohmann::json& networks, const nlohmann::json& endpoints,
             const nlohmann::json& sandboxes, const std::string& prefix);

/// What of `seen` contradicts `expected`, one line each; empty if they agree.
/// Unknown ids and identities agree with all.
std::string contradiction(const world& expected, const world& seen);

} // namespace troupe::test
