#include "troupe/netns/audit/chains.hpp"
#include "troupe/netns/audit/socket.hpp"

#include <algorithm>
#include <cerrno>
#include <endian.h>

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

namespace troupe::netns {

namespace {

constexpr uint16_t type_of(int message) {
  return static_cast<uint16_t>((NFNL_SUBSYS_NFTABLES << 8) | message);
}

uint32_t number_of(const audit_attributes& from, int type) {
  return ntohl(from.number<uint32_t>(type));
}

/// Calls `visit` with each attribute of a list.
template <class Visit>
void each(std::string_view list, Visit&& visit) {
  while (list.size() >= sizeof(nlattr)) {
    auto head = nlattr{};
    std::memcpy(&head, list.data(), sizeof head);
    if (head.nla_len < sizeof head || head.nla_len > list.size())
      return;
    visit(list.substr(sizeof head, head.nla_len - sizeof head));
    list.remove_prefix(std::min<size_t>(NLA_ALIGN(head.nla_len), list.size()));
  }
}

std::optional<audit_verdict> read_verdict(const audit_attributes& data) {
  if (data.bytes(NFTA_DATA_VERDICT).empty())
    return std::nullopt;
  auto verdict = data.inside(NFTA_DATA_VERDICT);
  return audit_verdict{static_cast<int>(number_of(verdict, NFTA_VERDICT_CODE)),
                       verdict.text(NFTA_VERDICT_CHAIN)};
}

audit_chain read_chain(const audit_message& message) {
  auto head = message.head<nfgenmsg>();
  auto attributes = message.attributes(sizeof head);
  auto result = audit_chain{};
  result.family = head.nfgen_family;
  result.table = attributes.text(NFTA_CHAIN_TABLE);
  result.name = attributes.text(NFTA_CHAIN_NAME);
  result.drops = !attributes.bytes(NFTA_CHAIN_POLICY).empty()
                 && number_of(attributes, NFTA_CHAIN_POLICY) == NF_DROP;
  result.translates = attributes.text(NFTA_CHAIN_TYPE) == "nat";
  if (attributes.bytes(NFTA_CHAIN_HOOK).empty())
    return result;
  auto hook = attributes.inside(NFTA_CHAIN_HOOK);
  result.hook = static_cast<int>(number_of(hook, NFTA_HOOK_HOOKNUM));
  result.priority = static_cast<int>(number_of(hook, NFTA_HOOK_PRIORITY));
  if (auto device = hook.text(NFTA_HOOK_DEV); !device.empty())
    result.devices.push_back(device);
  each(hook.bytes(NFTA_HOOK_DEVS), [&](std::string_view name) {
    result.devices.emplace_back(name.substr(0, name.find('\0')));
  });
  return result;
}

audit_rule read_rule(const audit_attributes& attributes) {
  auto result = audit_rule{};
  result.handle = be64toh(attributes.number<uint64_t>(NFTA_RULE_HANDLE));
  each(attributes.bytes(NFTA_RULE_EXPRESSIONS), [&](std::string_view x) {
    auto expression = audit_attributes{x};
    result.expressions.push_back(
      {expression.text(NFTA_EXPR_NAME),
       std::string{expression.bytes(NFTA_EXPR_DATA)}});
  });
  return result;
}

audit_element read_element(std::string_view memory) {
  auto attributes = audit_attributes{memory};
  auto value = [&](int type) {
    return std::string{attributes.inside(type).bytes(NFTA_DATA_VALUE)};
  };
  auto flags = number_of(attributes, NFTA_SET_ELEM_FLAGS);
  auto result = audit_element{};
  result.key = value(NFTA_SET_ELEM_KEY);
  result.key_end = value(NFTA_SET_ELEM_KEY_END);
  result.ends_interval = (flags & NFT_SET_ELEM_INTERVAL_END) != 0;
  result.catches_all = (flags & NFT_SET_ELEM_CATCHALL) != 0;
  result.verdict = read_verdict(attributes.inside(NFTA_SET_ELEM_DATA));
  return result;
}

// What each part of a concatenated value is as long as; told of sets with
// ranges only.
std::vector<size_t> read_fields(const audit_attributes& set) {
  auto result = std::vector<size_t>{};
  each(set.inside(NFTA_SET_DESC).bytes(NFTA_SET_DESC_CONCAT),
       [&](std::string_view x) {
         result.push_back(number_of(audit_attributes{x}, NFTA_SET_FIELD_LEN));
       });
  return result;
}

// Named by the rules that look something up in it.
result<audit_set> read_set(audit_socket& socket, const audit_chain& chain,
                           const std::string& name) {
  auto head = nfgenmsg{};
  head.nfgen_family = chain.family;
  auto attributes = std::string{};
  audit_put(attributes, NFTA_SET_ELEM_LIST_TABLE,
            {chain.table.c_str(), chain.table.size() + 1});
  audit_put(attributes, NFTA_SET_ELEM_LIST_SET,
            {name.c_str(), name.size() + 1});
  auto found = socket.dump(type_of(NFT_MSG_GETSETELEM), head, attributes);
  if (!found)
    return fail(std::move(found.error()));
  auto result = audit_set{};
  for (const auto& message : *found)
    each(message.attributes(sizeof head).bytes(NFTA_SET_ELEM_LIST_ELEMENTS),
         [&](std::string_view x) {
           result.elements.push_back(read_element(x));
         });
  return result;
}

bool has_ranges(const audit_set& set) {
  return std::ranges::any_of(set.elements, [](const auto& x) {
    return !x.key_end.empty();
  });
}

bool is_ours(const std::string& table) {
  return table.starts_with("troupe_");
}

// Of chains with the same priority the one that was made last comes first; a
// table that is younger than ours has such ones only.
result<void>
find_first_ones(audit_socket& socket, std::vector<audit_chain>& chains) {
  auto tables = socket.dump(type_of(NFT_MSG_GETTABLE), nfgenmsg{});
  if (!tables)
    return fail(std::move(tables.error()));
  auto ages = std::map<std::pair<uint8_t, std::string>, uint64_t>{};
  auto youngest = uint64_t{0};
  for (const auto& message : *tables) {
    auto attributes = message.attributes(sizeof(nfgenmsg));
    auto name = attributes.text(NFTA_TABLE_NAME);
    auto age = be64toh(attributes.number<uint64_t>(NFTA_TABLE_HANDLE));
    if (is_ours(name))
      youngest = std::max(youngest, age);
    ages[{message.head<nfgenmsg>().nfgen_family, name}] = age;
  }
  for (auto& x : chains)
    x.comes_first = youngest != 0 && ages[{x.family, x.table}] > youngest;
  return {};
}

} // namespace

result<audit_firewall> audit_firewall::read() {
  auto result = audit_firewall{};
  auto socket = audit_socket::open(NETLINK_NETFILTER);
  if (!socket)
    return result;
  auto head = nfgenmsg{};
  auto chains = socket->dump(type_of(NFT_MSG_GETCHAIN), head);
  if (!chains)
    return result; // No nf_tables here: nobody's rules.
  for (const auto& message : *chains)
    if (auto chain = read_chain(message); !is_ours(chain.table)) {
      result.places_[{chain.family, chain.table, chain.name}]
        = result.chains_.size();
      result.chains_.push_back(std::move(chain));
    }
  if (result.chains_.empty())
    return result;
  if (auto done = find_first_ones(*socket, result.chains_); !done)
    return fail(std::move(done.error()));
  auto rules = socket->dump(type_of(NFT_MSG_GETRULE), head);
  if (!rules)
    return fail(std::move(rules.error()));
  for (const auto& message : *rules) {
    auto attributes = message.attributes(sizeof head);
    auto place = result.places_.find({message.head<nfgenmsg>().nfgen_family,
                                      attributes.text(NFTA_RULE_TABLE),
                                      attributes.text(NFTA_RULE_CHAIN)});
    if (place != result.places_.end())
      result.chains_[place->second].rules.push_back(read_rule(attributes));
  }
  for (const auto& chain : result.chains_)
    for (const auto& rule : chain.rules)
      for (const auto& x : rule.expressions) {
        auto name = audit_attributes{x.data}.text(NFTA_LOOKUP_SET);
        auto where = key{chain.family, chain.table, name};
        if (x.name != "lookup" || result.sets_.contains(where))
          continue;
        auto set = read_set(*socket, chain, name);
        if (!set && set.error().os_error != ENOENT)
          return fail(std::move(set.error()));
        if (set)
          result.sets_.emplace(std::move(where), std::move(*set));
      }
  if (std::ranges::none_of(result.sets_, [](const auto& x) {
        return has_ranges(x.second);
      }))
    return result;
  auto sets = socket->dump(type_of(NFT_MSG_GETSET), head);
  if (!sets)
    return fail(std::move(sets.error()));
  for (const auto& message : *sets) {
    auto set = message.attributes(sizeof head);
    auto place
      = result.sets_.find({message.head<nfgenmsg>().nfgen_family,
                           set.text(NFTA_SET_TABLE), set.text(NFTA_SET_NAME)});
    if (place != result.sets_.end())
      place->second.fields = read_fields(set);
  }
  return result;
}

const audit_chain*
audit_firewall::find(const audit_chain& from, const std::string& name) const {
  auto place = places_.find({from.family, from.table, name});
  return place == places_.end() ? nullptr : &chains_[place->second];
}

const audit_set* audit_firewall::find_set(const audit_chain& from,
                                          const std::string& name) const {
  auto set = sets_.find({from.family, from.table, name});
  return set == sets_.end() ? nullptr : &set->second;
}

} // namespace troupe::netns
