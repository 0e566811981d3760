#include "troupe/drivers/bridge/host_end.hpp"

#include "troupe/drivers/steps.hpp"
#include "troupe/drivers/tags.hpp"

#include <fmt/format.h>

namespace troupe::drivers {

namespace {

using maybe_link = std::optional<netns::link_info>;

result<void> delete_one(netns::kernel& kernel, int index) {
  auto done = kernel.del_link(index);
  if (!done && is_missing(done.error()))
    return {};
  return done;
}

} // namespace

bool is_host_end_of(const instance& owner, const netns::link_info& link,
                    const std::string& id) {
  return link.kind == "veth" && belongs_to(owner, link, id);
}

result<maybe_link>
find_host_end(netns::kernel& kernel, const instance& owner,
              const std::string& name, const std::string& id) {
  auto index = kernel.link_index(name);
  if (index) {
    auto link = kernel.link(*index);
    if (!link)
      return fail(std::move(link.error()));
    if (is_host_end_of(owner, *link, id))
      return maybe_link{std::move(*link)};
    return fail(ec::conflict,
                fmt::format("interface {}: exists and is not ours", name),
                fmt::format("delete it: ip link del {}", name));
  }
  if (!is_missing(index.error()))
    return fail(std::move(index.error()));
  auto links = kernel.links();
  if (!links)
    return fail(std::move(links.error()));
  for (auto& link : *links)
    if (link.kind == "veth" && tagged_id(owner, link.alias) == id)
      return maybe_link{std::move(link)};
  return maybe_link{};
}

result<void> delete_links(netns::kernel& kernel, const instance& owner,
                          std::span<const int> indices) {
  if (indices.size() == 1)
    return delete_one(kernel, indices.front());
  auto first = result<void>{};
  auto marked = 0;
  auto mark = netns::link_change{};
  mark.group = owner.trash_group();
  for (auto index : indices) {
    auto done = kernel.set_link(index, mark);
    if (done)
      ++marked;
    else if (first && !is_missing(done.error()))
      first = std::move(done);
  }
  if (marked == 0)
    return first;
  auto done = kernel.del_group(owner.trash_group());
  if (!done && !is_missing(done.error()) && first)
    first = std::move(done);
  return first;
}

} // namespace troupe::drivers
