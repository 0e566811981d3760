#include "troupe/netns/firewall/messages.hpp"
#include "troupe/netns/firewall/nft.hpp"
#include "troupe/netns/firewall/ruleset.hpp"
#include "troupe/netns/real/kernel_impl.hpp"

#include <algorithm>
#include <functional>
#include <set>

namespace troupe::netns {

namespace {

using names = std::set<std::string, std::less<>>;

result<names>
list_names(netlink_socket& socket, netlink_message request,
           const std::function<std::string(const nlmsghdr&)>& read) {
  auto result = names{};
  auto answer = socket.dump(
    request,
    [&] {
      result.clear();
    },
    [&](const nlmsghdr& x) {
      if (auto name = read(x); !name.empty())
        result.insert(std::move(name));
    });
  if (!answer.ok())
    return answer.fail("list chains and sets");
  return result;
}

names expected_sets(firewall::table_family family) {
  auto result = names{};
  for (const auto& x : firewall::all_sets())
    if (x.family == family)
      result.emplace(x.name);
  return result;
}

names expected_chains(firewall::table_family family) {
  auto result = names{};
  for (auto x : firewall::chains_of(family))
    result.emplace(x);
  return result;
}

result<void> with_operation(result<void> done) {
  if (!done)
    done.error() = with_context(std::move(done.error()), "load firewall");
  return done;
}

} // namespace

result<std::vector<firewall::sound_table>>
netlink_kernel::sound_tables(const std::string& table) {
  auto socket = firewall_socket();
  if (!socket)
    return fail(std::move(socket.error()));
  auto result = std::vector<firewall::sound_table>{};
  for (auto family : firewall::both_tables) {
    auto chains
      = list_names(**socket, firewall::ask_chains(), [&](const nlmsghdr& x) {
          return read_chain_name(x, family, table);
        });
    if (!chains)
      return fail(std::move(chains.error()));
    if (*chains != expected_chains(family))
      continue;
    auto sets = list_names(**socket, firewall::ask_sets(family),
                           [&](const nlmsghdr& x) {
                             return read_set_name(x, family, table);
                           });
    if (!sets)
      return fail(std::move(sets.error()));
    if (*sets != expected_sets(family))
      continue;
    auto elements = std::vector<firewall::element>{};
    if (append_elements(**socket, family, table, elements))
      result.push_back({family, std::move(elements)});
  }
  return result;
}

result<void>
netlink_kernel::load_once(const firewall::settings& rules,
                          std::span<const firewall::element> elements,
                          std::span<const firewall::sound_table> sound) {
  auto socket = firewall_socket();
  if (!socket)
    return fail(std::move(socket.error()));
  auto chains
    = list_names(**socket, firewall::ask_chains(), [](const nlmsghdr& x) {
        return read_chain_name(x, firewall::table_family::inet,
                               std::string{firewall::user_table});
      });
  if (!chains)
    return fail(std::move(chains.error()));
  auto make
    = firewall::missing_chains{!chains->contains(firewall::user_chain),
                               !chains->contains(firewall::user_input_chain)};
  auto text = firewall::render(rules, elements, sound, make);
  if (!text)
    return fail(std::move(text.error()));
  return firewall::run_nft(ns_.get(), *text, origin_.senders.get());
}

result<void>
netlink_kernel::load_firewall(const firewall::settings& rules,
                              std::span<const firewall::element> elements) {
  auto sound = sound_tables(rules.table);
  if (!sound)
    return with_operation(fail(std::move(sound.error())));
  auto done = load_once(rules, elements, *sound);
  // A table may look sound and be of another make, e.g. a chain that somebody
  // hung up elsewhere, or an element that no text can name.
  if (!done && !sound->empty() && done.error().code != ec::timeout)
    done = load_once(rules, elements, {});
  if (done || done.error().code != ec::internal)
    return with_operation(std::move(done));
  auto missing = firewall::missing_features(ns_.get());
  if (missing.empty())
    return with_operation(std::move(done));
  auto list = std::string{};
  for (const auto& x : missing)
    list.append(list.empty() ? "" : ", ").append(x);
  return fail(ec::unsupported, "load firewall: this kernel lacks " + list,
              "use a kernel with these options");
}

} // namespace troupe::netns
