#include "troupe/netns/netlink_kernel_impl.hpp"

namespace troupe::netns {
#define X fail(ec::unsupported, "firewall")
result<void> netlink_kernel::load_firewall(const firewall::settings&,
                                           std::span<const firewall::element>) {
  return X;
}
result<void>
netlink_kernel::change_elements(const std::string&,
                                std::span<const firewall::element_change>) {
  return X;
}
result<std::vector<firewall::element>>
netlink_kernel::list_elements(const std::string&) {
  return X;
}
result<void> netlink_kernel::remove_firewall(const std::string&) {
  return X;
}
result<std::vector<firewall::foreign_chain>>
netlink_kernel::forward_blockers() {
  return X;
}
result<void> netlink_kernel::flush_conntrack(const conntrack_filter&) {
  return X;
}
} // namespace troupe::netns
