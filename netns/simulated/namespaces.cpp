#include "troupe/config/model/id.hpp"
#include "troupe/netns/names.hpp"
#include "troupe/netns/simulated/model.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>

namespace troupe::netns::simulation {

namespace {

/// Where the host's own namespace can be opened, too.
constexpr std::string_view host_paths[]
  = {"/proc/self/ns/net", "/proc/1/ns/net", "/proc/thread-self/ns/net"};

/// Path of a namespace that is open.
std::string open_path(uint64_t inode) {
  return "/proc/self/fd/" + std::to_string(inode);
}

result<void>
check_pin_name(std::string_view operation, const std::string& name) {
  if (!is_pin_name(name))
    return fail(os_failure(EINVAL, about(operation, name), "bad name"));
  return {};
}

} // namespace

model::model(std::string pins) : pins_directory{std::move(pins)} {
  reboot();
}

space& model::make_space() {
  auto inode = next_inode_++;
  auto& ns = spaces[inode];
  ns.inode = inode;
  auto set = [&ns](sysctl key, int value) {
    ns.all[static_cast<size_t>(key)] = value;
    ns.defaults[static_cast<size_t>(key)] = value;
  };
  set(sysctl::ipv6_accept_ra, 1);
  set(sysctl::ipv6_accept_redirects, 1);
  set(sysctl::ipv6_autoconf, 1);
  set(sysctl::ipv4_accept_redirects, 1);
  ns.defaults[static_cast<size_t>(sysctl::ipv6_accept_dad)] = 1;
  // IPv4 settings come from the host's namespace, IPv6 ones are fresh.
  if (auto it = spaces.find(host); it != spaces.end()) {
    for (auto key : {sysctl::ipv4_forwarding, sysctl::ipv4_accept_redirects}) {
      auto slot = static_cast<size_t>(key);
      ns.all[slot] = it->second.all[slot];
      ns.defaults[slot] = it->second.defaults[slot];
    }
  }
  auto lo = link_state{};
  lo.info.name = "lo";
  lo.info.mtu_bytes = std::numeric_limits<uint16_t>::max() + 1U;
  lo.loopback = true;
  add_device(ns, std::move(lo));
  return ns;
}

void model::reboot() {
  spaces.clear();
  pinned.clear();
  external.clear();
  host = 0;
  auto& ns = make_space();
  host = ns.inode;
  bring_up(*ns.find("lo"));
}

// What the real kernel object writes into a namespace it has made.
void model::make_quiet(space& ns) {
  for (auto* values : {&ns.all, &ns.defaults, &ns.find("lo")->conf})
    (*values)[static_cast<size_t>(sysctl::ipv6_disable)] = 1;
  for (auto key : {sysctl::ipv6_accept_ra, sysctl::ipv6_accept_redirects})
    ns.defaults[static_cast<size_t>(key)] = 0;
  // Loopback follows the default, as nobody has written to its own.
  for (auto* values : {&ns.all, &ns.defaults, &ns.find("lo")->conf})
    (*values)[static_cast<size_t>(sysctl::ipv4_accept_redirects)] = 0;
}

result<namespace_ref> model::create_namespace(const std::string& name) {
  if (auto good = check_pin_name("create namespace", name); !good)
    return fail(std::move(good.error()));
  if (pinned.contains(name))
    return fail(os_failure(EEXIST, about("create namespace", name)));
  auto& ns = make_space();
  pinned[name] = ns.inode;
  make_quiet(ns);
  bring_up(*ns.find("lo"));
  emit_pin(name);
  return namespace_ref{pins_directory + "/" + name, ns.inode};
}

result<namespace_ref>
model::adopt_namespace(const std::string& name, const std::string& path) {
  auto inode = look_up(path);
  if (!inode)
    return fail(
      with_context(std::move(inode.error()), about("adopt namespace", name)));
  if (*inode == 0)
    return fail(ec::invalid_argument, about("adopt namespace", name) + ": "
                                        + quoted(path)
                                        + " is no network namespace");
  if (*inode == host)
    return fail(ec::forbidden, about("adopt namespace", name) + ": "
                                 + quoted(path) + " is the host's own");
  if (auto good = check_pin_name("adopt namespace", name); !good)
    return fail(std::move(good.error()));
  if (pinned.contains(name))
    return fail(os_failure(EEXIST, about("adopt namespace", name)));
  pinned[name] = *inode;
  emit_pin(name);
  return namespace_ref{pins_directory + "/" + name, *inode};
}

result<void> model::remove_namespace(const std::string& name) {
  if (auto good = check_pin_name("remove namespace", name); !good)
    return good;
  auto it = pinned.find(name);
  if (it == pinned.end())
    return fail(os_failure(ENOENT, about("remove namespace", name)));
  auto inode = it->second;
  pinned.erase(it);
  emit_pin(name);
  destroy_if_unused(inode);
  return {};
}

std::vector<std::pair<std::string, namespace_ref>> model::pins() const {
  auto result = std::vector<std::pair<std::string, namespace_ref>>{};
  for (const auto& [name, inode] : pinned)
    result.emplace_back(name,
                        namespace_ref{pins_directory + "/" + name, inode});
  return result;
}

result<uint64_t> model::look_up(const std::string& path) const {
  if (std::ranges::find(host_paths, path) != std::end(host_paths))
    return host;
  if (auto it = external.find(path); it != external.end())
    return it->second;
  for (const auto& [name, inode] : pinned)
    if (pins_directory + "/" + name == path)
      return inode;
  for (const auto& [inode, ns] : spaces)
    if (ns.handles > 0 && open_path(inode) == path)
      return inode;
  if (plain_files.contains(path))
    return uint64_t{0};
  return fail(os_failure(ENOENT, "open namespace " + quoted(path)));
}

result<std::string> model::find_namespace(uint64_t inode, bool is_kept) const {
  if (is_kept && spaces.contains(inode))
    return open_path(inode);
  for (const auto& [path, held] : external)
    if (held == inode)
      return path;
  return fail(os_failure(ENOENT, "find namespace " + std::to_string(inode)));
}

result<space*> model::open(const namespace_ref& ns) {
  auto inode = look_up(ns.path);
  if (!inode)
    return fail(std::move(inode.error()));
  if (*inode == 0)
    return fail(ec::not_found, "open namespace " + quoted(ns.path)
                                 + ": no namespace is mounted there");
  if (*inode != ns.inode)
    return fail(ec::not_found, "open namespace " + quoted(ns.path)
                                 + ": another namespace is mounted there");
  return &spaces.at(*inode);
}

result<space*> model::named(const std::string& name) {
  if (name.empty())
    return &spaces.at(host);
  if (auto it = pinned.find(name); it != pinned.end() && it->second != 0)
    return &spaces.at(it->second);
  if (auto it = external.find(name); it != external.end())
    return &spaces.at(it->second);
  return fail(os_failure(ENOENT, about("find namespace", name)));
}

result<space*> model::held(uint64_t inode) {
  auto it = spaces.find(inode);
  if (it == spaces.end())
    return fail(os_failure(ENODEV, "use namespace", "it is gone"));
  return &it->second;
}

void model::acquire(uint64_t inode) {
  if (auto it = spaces.find(inode); it != spaces.end())
    ++it->second.handles;
}

void model::release(uint64_t inode) {
  if (auto it = spaces.find(inode); it != spaces.end()) {
    --it->second.handles;
    destroy_if_unused(inode);
  }
}

namespace_ref model::make_external(const std::string& path) {
  if (external.contains(path))
    (void)drop_external(path);
  auto& ns = make_space();
  external[path] = ns.inode;
  return {path, ns.inode};
}

result<void> model::drop_external(const std::string& path) {
  auto it = external.find(path);
  if (it == external.end())
    return fail(os_failure(ENOENT, about("drop namespace", path)));
  auto inode = it->second;
  external.erase(it);
  destroy_if_unused(inode);
  return {};
}

result<void> model::unmount_pin(const std::string& name) {
  auto it = pinned.find(name);
  if (it == pinned.end())
    return fail(os_failure(ENOENT, about("unmount pin", name)));
  auto inode = std::exchange(it->second, 0);
  emit_pin(name);
  destroy_if_unused(inode);
  return {};
}

result<void> model::replace_pin(const std::string& name) {
  if (auto done = unmount_pin(name); !done)
    return done;
  pinned[name] = make_space().inode;
  emit_pin(name);
  return {};
}

void model::destroy_if_unused(uint64_t inode) {
  auto it = spaces.find(inode);
  if (it == spaces.end() || inode == host || it->second.handles > 0)
    return;
  for (const auto* names : {&pinned, &external})
    for (const auto& [name, held] : *names)
      if (held == inode)
        return;
  it->second.dying = true;
  if (!defer_teardown)
    finish_teardown();
}

int model::finish_teardown() {
  auto count = 0;
  for (auto it = spaces.begin(); it != spaces.end();) {
    if (it->second.dying) {
      tear_down(it->second);
      it = spaces.erase(it);
      ++count;
    } else {
      ++it;
    }
  }
  return count;
}

void model::tear_down(space& ns) {
  while (!ns.links.empty())
    erase_link(ns, ns.links.rbegin()->first);
}

} // namespace troupe::netns::simulation
