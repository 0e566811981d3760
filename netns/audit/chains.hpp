#pragma once

#include "troupe/config/model/error.hpp"
#include "troupe/netns/audit/sample.hpp"

#include <array>
#include <bitset>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

/// Firewalls of others, as far as they decide about packets of ours: read from
/// nf_tables, with the rules of `iptables-nft`, and asked with sample packets.
/// Private to netns.
namespace troupe::netns {

/// What a rule says in the end.
struct audit_verdict {
  int code = 0; ///< As NF_ACCEPT, NFT_JUMP, …
  std::string chain;
};

/// One expression of a rule, as nf_tables has it.
struct audit_expression {
  std::string name; ///< `meta`, `cmp`, `match`, …
  std::string data; ///< Its attributes.
};

struct audit_rule {
  uint64_t handle = 0;
  std::vector<audit_expression> expressions;
};

struct audit_chain {
  uint8_t family = 0; ///< NFPROTO_….
  std::string table;
  std::string name;
  int hook = -1; ///< -1: it has none.
  int priority = 0;
  bool drops = false;               ///< Its policy.
  bool translates = false;          ///< Of type nat: sees first packets.
  bool comes_first = false;         ///< Before ours of the same priority.
  std::vector<std::string> devices; ///< Of the family netdev.
  std::vector<audit_rule> rules;
};

struct audit_element {
  std::string key;
  std::string key_end; ///< Of ranges of concatenated values.
  bool ends_interval = false;
  bool catches_all = false;
  std::optional<audit_verdict> verdict;
};

struct audit_set {
  std::vector<audit_element> elements;
  std::vector<size_t> fields; ///< Bytes of each, of ranges of several.
};

/// All chains but those of daemons of ours.
class audit_firewall {
public:
  /// Empty where there is no nf_tables.
  static result<audit_firewall> read();

  const std::vector<audit_chain>& chains() const {
    return chains_;
  }

  const audit_chain*
  find(const audit_chain& from, const std::string& name) const;

  const audit_set*
  find_set(const audit_chain& from, const std::string& name) const;

private:
  using key = std::tuple<uint8_t, std::string, std::string>;

  std::vector<audit_chain> chains_;
  std::map<key, size_t> places_;
  std::map<key, audit_set> sets_;
};

/// Which rule, or policy, keeps the packet from getting through.
struct sample_drop {
  enum class fate : uint8_t {
    dropped,
    untracked, ///< So that nobody translates its addresses.
    taken,     ///< To another address than ours.
    renamed,   ///< Its source becomes an address that the host has not.
  };

  fate what = fate::dropped;
  std::string where;   ///< e.g. `its policy`, `rule 7 of chain x`.
  std::string chain;   ///< Of the rule.
  uint64_t handle = 0; ///< 0: the policy.
};

/// Asks one chain that has a hook. What cannot be known of a sample packet,
/// e.g. how many there were before it, drops nothing and lets nothing pass;
/// nothing is said if it could be what lets the packet pass.
std::optional<sample_drop>
ask(const audit_firewall& firewall, const audit_chain& chain,
    const sample_packet& packet);

} // namespace troupe::netns
