#pragma once

#include "troupe/netns/simulated/kernel.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What the rules that were loaded do with a packet: a reader of the part of
/// nft's language that ruleset.nft is written in. It knows nothing of what the
/// rules are for. Private to `netns`.
namespace troupe::netns::simulation {

/// A packet at one of the kernel's hooks.
struct hooked_packet {
  enum class kind : uint8_t {
    data,      ///< TCP or UDP.
    arp,       ///< `source` is told to be at `mac`.
    advertised ///< Likewise, IPv6.
  };
  kind what = kind::data;
  const simulated_link* in = nullptr;  ///< Null: it is the host's own.
  const simulated_link* out = nullptr; ///< Null: it is for the host.
  ip_address source;
  ip_address to;
  protocol proto = protocol::tcp;
  uint16_t source_port = 0;
  uint16_t port = 0;
  bool is_known = false;   ///< Of a connection that was answered.
  bool translated = false; ///< Its destination was.
  bool for_host = false;   ///< Its destination is an address of the host's.
  mac_address mac;         ///< The sender's; on a bridge.
};

/// What becomes of it.
struct ruling {
  bool dropped = false;
  bool masqueraded = false;
  std::optional<ip_address> source;                      ///< It gets this one.
  std::optional<std::pair<ip_address, uint16_t>> target; ///< Likewise.
};

/// A value as the kernel compares it.
struct octets {
  std::array<uint8_t, 64> data{};
  size_t size = 0;
};

/// One condition or statement of a rule.
struct rule_part {
  enum class does : uint8_t {
    equals,       ///< One of `values`, each with the bits that count.
    differs,      ///< Not.
    is_above,     ///<
    masked,       ///< `& values[0] == values[1]`
    is_in,        ///< The set.
    is_not_in,    ///<
    looks_up,     ///< In a map of verdicts.
    accepts,      ///<
    drops,        ///<
    returns,      ///<
    goes_to,      ///< The chain `target`.
    masks,        ///< `masquerade`
    gives_target, ///< `dnat … map`
    gives_source  ///< `snat … map`
  };
  does what = does::accepts;
  std::vector<uint8_t> fields; ///< Numbers of what is asked about.
  std::vector<std::pair<octets, size_t>> values;
  bool is_flags = false; ///< Any common bit is equality.
  firewall::set_id set = firewall::set_id::within;
  ip_family family = ip_family::v4; ///< Of a translation.
  std::string target;
};

/// A chain of a table.
struct rule_chain {
  std::string hook; ///< `filter forward`, `nat output`; empty: jumped to only.
  std::vector<std::vector<rule_part>> rules;
};

/// The chains of a text that `nft` can read, by table family and name.
struct rule_text {
  using name = std::pair<firewall::table_family, std::string>;
  std::map<name, rule_chain> chains;

  /// Errors: `unsupported` for what is not known here.
  static result<rule_text> read(std::string_view text);
};

/// The tables of all daemons on a host, with what is in their sets.
class loaded_rules {
public:
  /// @pre `ns` outlives this object.
  /// Errors: those of `rule_text::read`.
  static result<loaded_rules> of(const simulated_namespace& ns);

  /// @param hook as in `rule_chain`.
  ruling ask(firewall::table_family family, std::string_view hook,
             const hooked_packet& x) const;

private:
  struct table {
    std::shared_ptr<const rule_text> text;
    std::span<const firewall::element> elements;
  };

  std::vector<table> tables_;
};

} // namespace troupe::netns::simulation
