#include "troupe/netns/real/kernel.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/netns/real/kernel_impl.hpp"

#include <cerrno>

#include <fcntl.h>

namespace troupe::netns {

namespace {

tl::unexpected<error> os_fail(int number, std::string_view operation) {
  return fail(os_failure(number, operation));
}

} // namespace

// -- namespaces ---------------------------------------------------------------

result<namespace_ref>
netlink_kernel::create_namespace(const std::string& name) {
  if (ready_.empty())
    if (auto made = prepare_namespace(1); !made)
      return fail(std::move(made.error()));
  auto pinned = origin_.pins.add(name, ready_.back().get());
  if (!pinned)
    return pinned;
  kept_[name] = std::move(ready_.back());
  ready_.pop_back();
  return pinned;
}

result<bool> netlink_kernel::prepare_namespace(size_t wanted) {
  if (ready_.size() < wanted) {
    auto made = make_namespace(*origin_.files);
    if (!made)
      return fail(std::move(made.error()));
    ready_.push_back(std::move(*made));
  }
  return ready_.size() >= wanted;
}

result<namespace_ref> netlink_kernel::adopt_namespace(const std::string& name,
                                                      const std::string& path) {
  auto operation = [&] {
    return "adopt namespace " + quoted(path);
  };
  auto fd = unique_fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (!fd)
    return os_fail(errno, operation());
  auto inode = namespace_inode(fd.get(), path);
  if (!inode)
    return fail(std::move(inode.error()));
  if (*inode == origin_.host_inode)
    return fail(ec::forbidden, operation() + ": it is the host's own namespace",
                "use the driver \"host\" to share it");
  auto pinned = origin_.pins.add(name, fd.get());
  if (pinned)
    kept_[name] = std::move(fd);
  return pinned;
}

result<void> netlink_kernel::remove_namespace(const std::string& name) {
  kept_.erase(name);
  return origin_.pins.remove(name);
}

void netlink_kernel::keep_namespace(const std::string& name,
                                    const namespace_ref& ns) {
  if (auto fd = open_namespace(ns))
    kept_[name] = std::move(*fd);
}

result<std::string> netlink_kernel::find_namespace(uint64_t inode) {
  for (const auto& [name, fd] : kept_)
    if (namespace_inode(fd.get(), name).value_or(0) == inode)
      return "/proc/self/fd/" + std::to_string(fd.get());
  return find_process_namespace(inode);
}

result<std::vector<std::pair<std::string, namespace_ref>>>
netlink_kernel::namespaces() {
  return origin_.pins.list();
}

result<std::unique_ptr<kernel>> netlink_kernel::enter(const namespace_ref& ns) {
  auto fd = open_namespace(ns);
  if (!fd)
    return fail(std::move(fd.error()));
  auto opened = open_in(
    fd->get(),
    [] {
      return netlink_socket::open_descriptor(NETLINK_ROUTE);
    },
    "open netlink socket in " + ns.path);
  if (!opened)
    return fail(std::move(opened.error()));
  auto socket = netlink_socket::adopt(std::move(*opened));
  if (!socket)
    return fail(std::move(socket.error()));
  auto settings = sysctls{fd->get(), origin_.files};
  return std::make_unique<netlink_kernel>(
    origin_, std::move(*fd), std::move(*socket), std::move(settings));
}

// -- sysctls ------------------------------------------------------------------

result<void>
netlink_kernel::set_sysctl(sysctl key, const std::string& interface,
                           int value) {
  return sysctls_.set(key, interface, value);
}

result<int>
netlink_kernel::read_sysctl(sysctl key, const std::string& interface) {
  return sysctls_.read(key, interface);
}

result<std::unique_ptr<kernel>>
open_netlink_kernel(const std::string& pin_dir,
                    std::shared_ptr<firewall::sender_list> ours) {
  auto pins = pin_directory::open(pin_dir);
  if (!pins)
    return fail(std::move(pins.error()));
  auto ns = own_namespace();
  if (!ns)
    return fail(std::move(ns.error()));
  auto inode = namespace_inode(ns->get(), "own");
  if (!inode)
    return fail(std::move(inode.error()));
  auto fd = netlink_socket::open_descriptor(NETLINK_ROUTE);
  if (!fd)
    return os_fail(errno, "open netlink socket");
  auto socket = netlink_socket::adopt(std::move(fd));
  if (!socket)
    return fail(std::move(socket.error()));
  auto from
    = netlink_kernel::origin{std::move(*pins), *inode,
                             std::make_shared<sysctl_files>(), std::move(ours)};
  auto settings = sysctls{ns->get(), nullptr};
  return std::make_unique<netlink_kernel>(
    std::move(from), std::move(*ns), std::move(*socket), std::move(settings));
}

} // namespace troupe::netns
