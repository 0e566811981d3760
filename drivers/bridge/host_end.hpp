#pragma once

#include "troupe/config/model/instance.hpp"
#include "troupe/netns/kernel.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace troupe::drivers {

/// Finds the host end of the endpoint `id`: by its generated name, else, if
/// somebody renamed it, by its alias, which takes a dump of all links.
/// Errors: `conflict` if the name is there but not ours.
result<std::optional<netns::link_info>>
find_host_end(netns::kernel& kernel, const instance& owner,
              const std::string& name, const std::string& id);

/// True if the link is the host end of the endpoint `id`.
bool is_host_end_of(const instance& owner, const netns::link_info& link,
                    const std::string& id);

/// Deletes links: one by itself, several by putting them into the trash group
/// and deleting that. What is gone already is fine. Goes on after an error
/// and returns the first. A link that could not be deleted stays in the trash
/// group, where the next deletion of a group takes it along.
result<void> delete_links(netns::kernel& kernel, const instance& owner,
                          std::span<const int> indices);

} // namespace troupe::drivers
