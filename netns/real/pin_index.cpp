#include "troupe/netns/real/pin_index.hpp"

#include "troupe/netns/real/event.hpp"

#include <cerrno>

namespace troupe::netns {

result<pin_index> pin_index::open(const std::string& pin_dir) {
  auto directory = pin_directory::open(pin_dir);
  if (!directory)
    return fail(std::move(directory.error()));
  auto fd = netlink_socket::open_descriptor(NETLINK_ROUTE);
  if (!fd)
    return fail(os_failure(errno, "open netlink socket"));
  auto socket = netlink_socket::adopt(std::move(fd));
  if (!socket)
    return fail(std::move(socket.error()));
  auto index = pin_index{std::move(*directory), std::move(*socket)};
  if (auto looked = index.refresh(); !looked)
    return fail(std::move(looked.error()));
  return index;
}

result<std::vector<std::string>> pin_index::refresh() {
  auto present = directory_.list();
  if (!present)
    return fail(std::move(present.error()));
  auto changed = std::vector<std::string>{};
  auto next = std::map<std::string, pin>{};
  for (auto& [name, ns] : *present) {
    auto known = pins_.find(ns.path);
    auto same = known != pins_.end() && known->second.inode == ns.inode;
    next[ns.path] = same ? known->second : pin{ns.inode, std::nullopt};
    if (!same)
      changed.push_back(ns.path);
  }
  for (auto& [path, old] : pins_)
    if (!next.contains(path))
      changed.push_back(path);
  pins_ = std::move(next);
  number_pins();
  if (!changed.empty())
    foreign_.clear(); // One of them may have been adopted.
  return changed;
}

void pin_index::number_pins() {
  paths_.clear();
  for (auto& [path, x] : pins_) {
    if (!x.nsid && x.inode != 0)
      x.nsid = ask(path, x.inode);
    if (x.nsid)
      paths_[*x.nsid] = path;
  }
}

std::optional<int> pin_index::ask(const std::string& path, uint64_t inode) {
  auto nsid = std::optional<int>{};
  auto fd = open_namespace({path, inode});
  if (!fd)
    return nsid; // Gone meanwhile; the next look at the directory tells.
  auto request = ask_nsid(fd->get());
  static_cast<void>(socket_.query(request, [&](const nlmsghdr& answer) {
    nsid = read_nsid(answer);
  }));
  return nsid;
}

std::optional<std::string> pin_index::find(int nsid) const {
  auto found = paths_.find(nsid);
  if (found == paths_.end())
    return std::nullopt;
  return found->second;
}

void pin_index::forget(int nsid) {
  foreign_.erase(nsid);
  auto known = paths_.find(nsid);
  if (known == paths_.end())
    return;
  if (auto pin = pins_.find(known->second); pin != pins_.end())
    pin->second.nsid.reset();
  paths_.erase(known);
}

} // namespace troupe::netns
