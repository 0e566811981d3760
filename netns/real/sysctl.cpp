#include "troupe/netns/real/sysctl.hpp"

#include "troupe/config/model/id.hpp"
#include "troupe/netns/names.hpp"
#include "troupe/netns/real/namespace.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <optional>

#include <fcntl.h>

namespace troupe::netns {

namespace {

struct location {
  std::string_view family;
  std::string_view name;
};

constexpr location location_of(sysctl key) {
  switch (key) {
  case sysctl::ipv6_disable:
    return {"ipv6", "disable_ipv6"};
  case sysctl::ipv6_accept_ra:
    return {"ipv6", "accept_ra"};
  case sysctl::ipv6_accept_redirects:
    return {"ipv6", "accept_redirects"};
  case sysctl::ipv6_autoconf:
    return {"ipv6", "autoconf"};
  case sysctl::ipv6_addr_gen_mode:
    return {"ipv6", "addr_gen_mode"};
  case sysctl::ipv6_accept_dad:
    return {"ipv6", "accept_dad"};
  case sysctl::ipv6_forwarding:
    return {"ipv6", "forwarding"};
  case sysctl::ipv4_forwarding:
    return {"ipv4", "forwarding"};
  case sysctl::ipv4_accept_redirects:
    return {"ipv4", "accept_redirects"};
  }
  return {};
}

std::optional<int> read_value(int fd) {
  auto text = std::array<char, 16>{};
  auto size = ::pread(fd, text.data(), text.size(), 0);
  if (size < 0)
    return std::nullopt;
  auto value = 0;
  auto [end, problem] = std::from_chars(text.data(), text.data() + size, value);
  if (problem != std::errc{}) {
    errno = EIO;
    return std::nullopt;
  }
  return value;
}

} // namespace

result<std::string> sysctl_name(sysctl key, const std::string& interface) {
  if (!is_interface_name(interface))
    return fail(os_failure(EINVAL, "find sysctl",
                           "bad interface name " + quoted(interface)));
  auto [family, name] = location_of(key);
  auto path = std::string{"net/"};
  path.append(family).append("/conf/").append(interface);
  return path.append("/").append(name);
}

result<unique_fd> sysctls::open(const std::string& name, int flags) {
  auto open_it = [&] {
    if (files_)
      return files_->open(name, flags);
    auto path = "/proc/sys/" + name;
    return unique_fd{::open(path.c_str(), flags | O_CLOEXEC)};
  };
  return open_in(ns_, open_it, "open sysctl " + name);
}

result<void> sysctls::set(sysctl key, const std::string& interface, int value) {
  auto name = sysctl_name(key, interface);
  if (!name)
    return fail(std::move(name.error()));
  auto fd = open(*name, O_RDWR);
  if (!fd) {
    auto present = read(key, interface);
    if (present && *present == value)
      return {};
    return fail(std::move(fd.error()));
  }
  if (read_value(fd->get()) == value)
    return {};
  auto text = std::to_string(value);
  if (::pwrite(fd->get(), text.data(), text.size(), 0) < 0)
    return fail(os_failure(errno, "write " + text + " to sysctl " + *name));
  return {};
}

result<int> sysctls::read(sysctl key, const std::string& interface) {
  auto name = sysctl_name(key, interface);
  if (!name)
    return fail(std::move(name.error()));
  auto fd = open(*name, O_RDONLY);
  if (!fd)
    return fail(std::move(fd.error()));
  auto value = read_value(fd->get());
  if (!value)
    return fail(os_failure(errno, "read sysctl " + *name));
  return *value;
}

} // namespace troupe::netns
