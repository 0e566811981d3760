#pragma once

#include "troupe/netns/firewall/element.hpp"
#include "troupe/netns/kernel.hpp"
#include "troupe/netns/real/message.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// What is said to nf_tables. Private to netns.
namespace troupe::netns::firewall {

/// How many changes a message may hold. Many are quicker: the kernel looks the
/// set up once. With one each it says which it refuses.
enum class per_message : uint8_t { one, many };

/// Messages that add and delete elements, one after the other, for
/// `netlink_socket::transact`. Neighbours of the same kind and set share one.
/// @pre each fits its schema.
std::vector<uint8_t>
encode(const std::string& table, std::span<const element_change> changes,
       per_message most);

/// A message that deletes a table, for `transact`.
std::vector<uint8_t>
encode_delete(table_family family, const std::string& table);

/// Asks for a table; the answer is ENOENT if it is not there.
netlink_message ask_table(table_family family, const std::string& table);

/// Asks for all elements of a set.
netlink_message
ask_elements(const std::string& table, const set_schema& schema);

/// Adds the elements of one answer. @returns false if one of them is none
/// that we could have made.
bool read_elements(const nlmsghdr& message, const set_schema& schema,
                   std::vector<element>& out);

/// Asks for the number that each transaction increases.
netlink_message ask_generation();
uint32_t read_generation(const nlmsghdr& message);

/// Asks for the chains of all tables.
netlink_message ask_chains();

/// Asks for the sets of all tables of a family.
netlink_message ask_sets(table_family family);

/// The name of a chain of that table; empty for those of others.
std::string read_chain_name(const nlmsghdr& message, table_family family,
                            const std::string& table);

/// The same for a set; empty for a rule's own, too.
std::string read_set_name(const nlmsghdr& message, table_family family,
                          const std::string& table);

/// A chain on the hook `forward`.
struct forward_chain {
  foreign_chain name;
  bool drops = false; ///< By default.
};

/// Nothing for other chains.
std::optional<forward_chain> read_chain(const nlmsghdr& message);

} // namespace troupe::netns::firewall
