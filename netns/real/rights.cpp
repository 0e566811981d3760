#include "troupe/netns/real/rights.hpp"

#include "troupe/netns/unique_fd.hpp"

#include <array>
#include <cerrno>
#include <span>
#include <string>

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace troupe::netns {

namespace {

struct need {
  unsigned capability;
  const char* name;
};

constexpr auto needs = std::array{
  need{CAP_NET_ADMIN, "CAP_NET_ADMIN"}, // Links, addresses, rules.
  need{CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}, // Namespaces and their mounts.
};

constexpr auto wishes = std::array{
  need{CAP_NET_RAW, "CAP_NET_RAW"}, // ARP and neighbour advertisements.
};

constexpr auto hint
  = "run as root, or with the capabilities of tools/systemd/trouped.service";

// Capabilities count where the namespace belongs to our user namespace or to
// one below it; the kernel tells the owner of no other.
bool owns(const char* path) {
  auto fd = unique_fd{::open(path, O_RDONLY | O_CLOEXEC)};
  if (!fd)
    return true; // Without /proc it is for the first operation to say.
  auto owner = unique_fd{::ioctl(fd.get(), NS_GET_USERNS)};
  return owner || errno != EPERM;
}

// The names of those that this process has not.
result<std::string> missing_of(std::span<const need> wanted) {
  auto header = __user_cap_header_struct{_LINUX_CAPABILITY_VERSION_3, 0};
  auto sets = std::array<__user_cap_data_struct, 2>{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0)
    return fail(os_failure(errno, "read capabilities"));
  auto missing = std::string{};
  for (const auto& [capability, name] : wanted)
    if ((sets[capability / 32].effective & (1U << (capability % 32))) == 0)
      missing.append(missing.empty() ? "" : " and ").append(name);
  return missing;
}

} // namespace

result<void> check_announcing() {
  auto missing = missing_of(wishes);
  if (!missing)
    return fail(std::move(missing.error()));
  if (missing->empty())
    return {};
  return fail(ec::forbidden,
              "check rights: this process has no " + *missing
                + ": neighbours are not told who has an address, and may "
                  "remember for half a minute who had it before",
              hint);
}

result<void> check_rights() {
  auto found = missing_of(needs);
  if (!found)
    return fail(std::move(found.error()));
  if (const auto& missing = *found; !missing.empty())
    return fail(ec::forbidden, "check rights: this process has no " + missing,
                hint);
  for (auto path : {"/proc/self/ns/net", "/proc/self/ns/mnt"})
    if (!owns(path))
      return fail(ec::forbidden,
                  std::string{"check rights: "} + path
                    + " belongs to another user namespace, where the "
                      "capabilities of this process do not count",
                  hint);
  return {};
}

} // namespace troupe::netns
