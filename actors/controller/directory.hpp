#pragma once

#include "troupe/actors/core/interfaces.hpp"
#include "troupe/config/model/reference.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace troupe {

/// The controller's list of objects: how to find them, nothing about them.
class directory {
public:
  struct network_entry {
    std::shared_ptr<const network_spec> spec; ///< As admitted; never changes.
    network_actor handle;
  };
  struct sandbox_entry {
    std::string name;
    sandbox_actor handle;
  };

  void add(std::shared_ptr<const network_spec> spec, network_actor handle) {
    names_of_networks_.add(spec->id.value, spec->name);
    networks_.insert_or_assign(spec->id,
                               network_entry{spec, std::move(handle)});
  }
  void add(const sandbox_id& id, std::string name, sandbox_actor handle) {
    names_of_sandboxes_.add(id.value, name);
    sandboxes_.insert_or_assign(
      id, sandbox_entry{std::move(name), std::move(handle)});
  }
  void remove(const network_id& id) {
    names_of_networks_.remove(id.value);
    networks_.erase(id);
  }
  void remove(const sandbox_id& id) {
    names_of_sandboxes_.remove(id.value);
    sandboxes_.erase(id);
  }

  /// By id, name or unique prefix. Errors: see `choose_match`.
  result<network_id> find_network(std::string_view text) const {
    return find<network_id>(names_of_networks_, text, "network");
  }
  result<sandbox_id> find_sandbox(std::string_view text) const {
    return find<sandbox_id>(names_of_sandboxes_, text, "sandbox");
  }

  /// A sandbox of that name; empty if there is none.
  sandbox_id sandbox_named(const std::string& name) const {
    return {names_of_sandboxes_.id_of_name(name)};
  }

  /// The sandbox whose pin has this name; the end if there is none.
  std::map<sandbox_id, sandbox_entry>::const_iterator
  pinned_as(std::string_view pin) const {
    // Pins are called as ids begin.
    auto found = sandboxes_.lower_bound(sandbox_id{std::string{pin}});
    if (pin.empty() || found == sandboxes_.end()
        || !found->first.value.starts_with(pin))
      return sandboxes_.end();
    return found;
  }

  const std::map<network_id, network_entry>& networks() const {
    return networks_;
  }
  const std::map<sandbox_id, sandbox_entry>& sandboxes() const {
    return sandboxes_;
  }

  std::vector<network_actor> network_handles() const {
    auto result = std::vector<network_actor>{};
    for (const auto& [id, x] : networks_)
      result.push_back(x.handle);
    return result;
  }
  std::vector<sandbox_actor> sandbox_handles() const {
    auto result = std::vector<sandbox_actor>{};
    for (const auto& [id, x] : sandboxes_)
      result.push_back(x.handle);
    return result;
  }

private:
  template <class Id>
  static result<Id>
  find(const name_index& names, std::string_view text, std::string_view kind) {
    auto match = choose_match(names.matches(text), text, kind);
    if (!match)
      return fail(std::move(match.error()));
    return Id{std::move(match->id)};
  }

  std::map<network_id, network_entry> networks_;
  std::map<sandbox_id, sandbox_entry> sandboxes_;
  name_index names_of_networks_;
  name_index names_of_sandboxes_;
};

} // namespace troupe
