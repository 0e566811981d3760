#include "troupe/drivers/tags.hpp"

#include <algorithm>

namespace troupe::drivers {

namespace {

constexpr size_t brief_length = 12;

bool is_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

} // namespace

std::string tagged_id(const instance& owner, std::string_view alias) {
  auto lead = owner.alias("");
  if (!alias.starts_with(lead))
    return {};
  auto id = alias.substr(lead.size());
  if (id.size() < brief_length || !is_hex(id))
    return {};
  return std::string{id};
}

bool is_in_our_group(const instance& owner, const netns::link_info& link) {
  return link.group == owner.link_group() || link.group == owner.trash_group();
}

bool belongs_to(const instance& owner, const netns::link_info& link,
                std::string_view id) {
  auto tagged = tagged_id(owner, link.alias);
  return tagged.empty() ? is_in_our_group(owner, link) : tagged == id;
}

std::string brief_id_in(std::string_view name, std::string_view lead) {
  if (!name.starts_with(lead) || name.size() != lead.size() + brief_length)
    return {};
  auto id = name.substr(lead.size());
  return is_hex(id) ? std::string{id} : std::string{};
}

} // namespace troupe::drivers
