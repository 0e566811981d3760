#pragma once

#include "troupe/config/model/instance.hpp"
#include "troupe/netns/kernel.hpp"

#include <string>
#include <string_view>

namespace troupe::drivers {

/// The object id in a link's alias if it is exactly one of ours
/// (`troupe:<instance>:<id>`); empty otherwise.
std::string tagged_id(const instance& owner, std::string_view alias);

/// True if the link is in our interface group or waits there for deletion.
bool is_in_our_group(const instance& owner, const netns::link_info& link);

/// True if the link belongs to the object `id`: by its alias, or by its group
/// when the alias names nobody else (a crash before the alias was set).
bool belongs_to(const instance& owner, const netns::link_info& link,
                std::string_view id);

/// The 12 hex digits after `lead` in a name we generated; empty if the name
/// has another form.
std::string brief_id_in(std::string_view name, std::string_view lead);

} // namespace troupe::drivers
