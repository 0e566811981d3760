#include "troupe/tests/system/harness/kernel_state.hpp"

#include "troupe/tests/fixtures/slowness.hpp"
#include "troupe/tests/system/harness/command.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <ifaddrs.h>
#include <sstream>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

namespace troupe::test {

namespace {

namespace fs = std::filesystem;

using texts = std::multiset<std::string>;

// Removes what changes by itself: timers, the state of an address that the
// kernel has just made, and of a link, which it finds out in its own time.
void drop_moving_parts(nlohmann::json& x) {
  auto is_moving = [](const std::string& key) {
    return key.ends_with("_timer") || key == "tentative" || key == "operstate";
  };
  if (x.is_object()) {
    for (auto i = x.begin(); i != x.end();)
      i = is_moving(i.key()) ? x.erase(i) : ++i;
  }
  if (x.is_array())
    for (auto i = x.begin(); i != x.end();)
      i = *i == "NO-CARRIER" ? x.erase(i) : ++i;
  if (x.is_structured())
    for (auto& part : x)
      drop_moving_parts(part);
}

// One text per element of the JSON array that `ip` prints.
texts listed_by_ip(std::vector<std::string> words) {
  auto result = texts{};
  words.insert(words.begin(), {"ip", "-j"});
  auto ran = run(words);
  if (ran.code != 0) {
    result.insert("ip failed: " + ran.err);
    return result;
  }
  auto list = nlohmann::json::parse(ran.out, nullptr, false);
  if (!list.is_array())
    return result;
  drop_moving_parts(list);
  for (const auto& element : list)
    if (!element.empty())
      result.insert(element.dump());
  return result;
}

texts mounts() {
  auto result = texts{};
  auto file = std::ifstream{"/proc/self/mountinfo"};
  for (auto line = std::string{}; std::getline(file, line);) {
    // The first two fields are numbers that no one can ask for again.
    auto words = std::istringstream{line};
    auto id = std::string{}, parent = std::string{}, rest = std::string{};
    words >> id >> parent;
    std::getline(words, rest);
    result.insert(rest);
  }
  return result;
}

// Inodes of the namespaces of all processes and pins.
texts namespaces() {
  auto inodes = std::set<std::string>{};
  auto why = std::error_code{};
  for (const auto& entry : fs::directory_iterator{"/proc", why}) {
    auto link = fs::read_symlink(entry.path() / "ns/net", why);
    if (!why)
      inodes.insert(link.string());
  }
  auto result = texts{inodes.begin(), inodes.end()};
  for (const auto& path : pinned_namespaces())
    result.insert("pinned at " + path);
  return result;
}

texts sysctls() {
  auto result = texts{};
  for (const auto* name :
       {"ipv4/ip_forward", "ipv6/conf/all/forwarding",
        "ipv4/conf/all/forwarding", "ipv6/conf/all/disable_ipv6",
        "ipv6/conf/default/disable_ipv6"})
    result.insert(std::string{name} + "="
                  + read_file(std::string{"/proc/sys/net/"} + name));
  return result;
}

std::string address_text(const ifaddrs& x) {
  char text[INET6_ADDRSTRLEN] = "";
  const uint8_t* mask = nullptr;
  auto size = 0;
  if (x.ifa_addr->sa_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in*>(x.ifa_addr)->sin_addr,
              text, sizeof text);
    mask = reinterpret_cast<const uint8_t*>(
      &reinterpret_cast<sockaddr_in*>(x.ifa_netmask)->sin_addr);
    size = 4;
  } else {
    inet_ntop(AF_INET6, &reinterpret_cast<sockaddr_in6*>(x.ifa_addr)->sin6_addr,
              text, sizeof text);
    mask = reinterpret_cast<const uint8_t*>(
      &reinterpret_cast<sockaddr_in6*>(x.ifa_netmask)->sin6_addr);
    size = 16;
  }
  auto length = 0;
  for (auto i = 0; i < size; ++i)
    length += __builtin_popcount(mask[i]);
  return std::string{text} + "/" + std::to_string(length);
}

bool is_ip_address(const ifaddrs& x) {
  if (x.ifa_addr == nullptr || x.ifa_netmask == nullptr)
    return false;
  if (x.ifa_addr->sa_family == AF_INET)
    return true;
  return x.ifa_addr->sa_family == AF_INET6
         && !IN6_IS_ADDR_LINKLOCAL(
           &reinterpret_cast<sockaddr_in6*>(x.ifa_addr)->sin6_addr);
}

std::vector<seen_interface> interfaces_here() {
  auto by_name = std::map<std::string, seen_interface>{};
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0)
    return {};
  for (auto x = all; x != nullptr; x = x->ifa_next) {
    if (std::strcmp(x->ifa_name, "lo") == 0)
      continue;
    auto& entry = by_name[x->ifa_name];
    entry.name = x->ifa_name;
    entry.up = (x->ifa_flags & IFF_UP) != 0;
    if (is_ip_address(*x))
      entry.addresses.insert(address_text(*x));
  }
  freeifaddrs(all);
  auto result = std::vector<seen_interface>{};
  for (auto& [name, entry] : by_name)
    result.push_back(std::move(entry));
  return result;
}

} // namespace

kernel_state observe_kernel() {
  auto result = kernel_state{};
  result.parts["link"] = listed_by_ip({"-d", "link"});
  result.parts["address"] = listed_by_ip({"address"});
  result.parts["route"] = listed_by_ip({"route", "show", "table", "all"});
  result.parts["rule"] = listed_by_ip({"rule"});
  result.parts["namespace"] = namespaces();
  result.parts["mount"] = mounts();
  result.parts["sysctl"] = sysctls();
  return result;
}

std::string difference(const kernel_state& before, const kernel_state& after) {
  auto result = std::string{};
  auto report = [&](const texts& xs, const texts& ys, const std::string& mark) {
    auto only = std::vector<std::string>{};
    std::set_difference(xs.begin(), xs.end(), ys.begin(), ys.end(),
                        std::back_inserter(only));
    // A process of an earlier test that took its time to end.
    for (const auto& text : only)
      if (mark != "- namespace: " || !text.starts_with("net:["))
        result += mark + text + "\n";
  };
  for (const auto& [kind, old_texts] : before.parts) {
    auto found = after.parts.find(kind);
    const auto& new_texts
      = found != after.parts.end() ? found->second : texts{};
    report(old_texts, new_texts, "- " + kind + ": ");
    report(new_texts, old_texts, "+ " + kind + ": ");
  }
  return result;
}

std::string difference_that_stays(const kernel_state& before) {
  auto until
    = std::chrono::steady_clock::now() + patient(std::chrono::seconds{5});
  for (;;) {
    auto result = difference(before, observe_kernel());
    if (result.empty() || std::chrono::steady_clock::now() > until)
      return result;
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
  }
}

std::vector<seen_interface> interfaces_inside(const std::string& path) {
  auto result = std::vector<seen_interface>{};
  // A thread of its own, because whoever enters a namespace stays there.
  std::thread{[&] {
    auto fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && setns(fd, CLONE_NEWNET) == 0)
      result = interfaces_here();
    if (fd >= 0)
      close(fd);
  }}.join();
  return result;
}

std::set<std::string> link_names() {
  auto result = std::set<std::string>{};
  auto* all = if_nameindex();
  for (auto* x = all; x != nullptr && x->if_index != 0; ++x)
    result.insert(x->if_name);
  if_freenameindex(all);
  return result;
}

texts pinned_namespaces() {
  auto result = texts{};
  auto file = std::ifstream{"/proc/self/mountinfo"};
  for (auto line = std::string{}; std::getline(file, line);) {
    auto words = std::istringstream{line};
    auto id = std::string{}, parent = std::string{}, device = std::string{},
         root = std::string{}, path = std::string{};
    words >> id >> parent >> device >> root >> path;
    if (root.starts_with("net:["))
      result.insert(path);
  }
  return result;
}

texts descriptors_of(pid_t process) {
  auto result = texts{};
  auto why = std::error_code{};
  auto dir = "/proc/" + std::to_string(process) + "/fd";
  for (const auto& entry : fs::directory_iterator{dir, why}) {
    auto target = fs::read_symlink(entry.path(), why).string();
    if (!why)
      result.insert(target.substr(0, target.find(":[")));
  }
  return result;
}

long status_field(pid_t process, const std::string& name) {
  auto file = std::ifstream{"/proc/" + std::to_string(process) + "/status"};
  for (auto line = std::string{}; std::getline(file, line);)
    if (line.starts_with(name + ":"))
      return std::strtol(line.c_str() + name.size() + 1, nullptr, 10);
  return -1;
}

} // namespace troupe::test
