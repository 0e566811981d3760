#include "troupe/netns/names.hpp"
#include "troupe/netns/simulated/model.hpp"

#include <cerrno>

namespace troupe::netns::simulation {

namespace {

bool is_ipv6(sysctl key) {
  return key < sysctl::ipv4_forwarding;
}

/// Writing `all` sets these everywhere; the others are stored and no more.
bool spreads(sysctl key) {
  return key == sysctl::ipv6_disable || key == sysctl::ipv6_forwarding
         || key == sysctl::ipv6_addr_gen_mode || key == sysctl::ipv4_forwarding;
}

/// The entry's value. Errors: ENOENT, EINVAL.
result<int*> find_entry(space& ns, sysctl key, const std::string& interface,
                        const std::string& subject) {
  auto slot = static_cast<size_t>(key);
  if (interface == "all")
    return &ns.all[slot];
  if (interface == "default")
    return &ns.defaults[slot];
  if (!is_interface_name(interface))
    return fail(os_failure(EINVAL, subject, "bad interface name"));
  auto* link = ns.find(interface);
  if (link == nullptr || (is_ipv6(key) && !link->has_ipv6()))
    return fail(os_failure(ENOENT, subject));
  return &link->conf[slot];
}

void write_default(space& ns, sysctl key, int value) {
  auto slot = static_cast<size_t>(key);
  ns.defaults[slot] = value;
  if (key != sysctl::ipv4_accept_redirects)
    return;
  for (auto& [index, link] : ns.links)
    if (!link.written[slot])
      link.conf[slot] = value;
}

} // namespace

void model::write_link(space& ns, link_state& link, sysctl key, int value) {
  link.value(key) = value;
  if (key == sysctl::ipv6_addr_gen_mode)
    make_link_local(ns, link);
  if (key == sysctl::ipv4_forwarding && value == 0)
    emit(ns, kernel_event::kind::settings_changed, &link);
  if (key != sysctl::ipv6_disable)
    return;
  if (value != 0)
    drop_ipv6(ns, link);
  else if (link.loopback && link.info.up)
    bring_up(link); // Gets its ::1 back.
  else
    make_link_local(ns, link);
}

void model::write_all(space& ns, sysctl key, int value) {
  auto slot = static_cast<size_t>(key);
  ns.all[slot] = value;
  if ((key == sysctl::ipv4_forwarding || key == sysctl::ipv6_forwarding)
      && value == 0)
    emit(ns, kernel_event::kind::settings_changed);
  if (!spreads(key))
    return;
  ns.defaults[slot] = value;
  for (auto& [index, link] : ns.links)
    write_link(ns, link, key, value);
  // A router does not believe redirects.
  if (key == sysctl::ipv4_forwarding)
    ns.all[static_cast<size_t>(sysctl::ipv4_accept_redirects)] = value == 0;
}

result<void> model::set_sysctl(space& ns, sysctl key,
                               const std::string& interface, int value) {
  auto subject = about("set sysctl of", interface);
  auto entry = find_entry(ns, key, interface, subject);
  if (!entry)
    return fail(std::move(entry.error()));
  if (**entry == value)
    return {};
  if (read_only_sysctls)
    return fail(os_failure(EROFS, subject));
  // 2 would need a secret that is not set.
  if (key == sysctl::ipv6_addr_gen_mode && value != 0 && value != 1
      && value != 3)
    return fail(os_failure(EINVAL, subject));
  if (interface == "all") {
    write_all(ns, key, value);
  } else if (interface == "default") {
    write_default(ns, key, value);
  } else {
    auto& link = *ns.find(interface);
    link.written[static_cast<size_t>(key)] = true;
    write_link(ns, link, key, value);
  }
  return {};
}

result<int>
model::read_sysctl(space& ns, sysctl key, const std::string& interface) {
  auto entry
    = find_entry(ns, key, interface, about("read sysctl of", interface));
  if (!entry)
    return fail(std::move(entry.error()));
  return **entry;
}

} // namespace troupe::netns::simulation
