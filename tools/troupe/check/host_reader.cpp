#include "troupe/tools/troupe/check/host_reader.hpp"

#include "troupe/netns/firewall/element.hpp"
#include "troupe/persistence/check.hpp"
#include "troupe/persistence/database.hpp"

#include <cerrno>
#include <charconv>
#include <fstream>
#include <sstream>
#include <thread>

#include <unistd.h>

namespace troupe::tools {

namespace {

/// A file that a daemon commits to may be caught in the middle this often.
constexpr int most_readings = 20;

result<persistence::checked_file>
read_file(const std::string& path, const char* kind) {
  using health = persistence::checked_file::health;
  for (auto reading = 1;; ++reading) {
    auto file = persistence::check_file(path, kind);
    if (!file || file->verdict == health::healthy)
      return file;
    if (reading == most_readings)
      return fail(ec::internal, "read " + path + ": " + file->reason);
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
}

result<void> add_records(const std::string& directory, const char* kind,
                         persistence::snapshot& to) {
  const auto path = directory + "/" + std::string{persistence::data_file};
  if (::access(path.c_str(), R_OK) != 0)
    return fail(os_failure(errno, "read " + path));
  auto file = read_file(path, kind);
  if (!file)
    return fail(std::move(file.error()));
  for (size_t i = 0; i < persistence::record_tables; ++i)
    for (const auto& [key, text] : file->found.records[i])
      if (auto added = persistence::add_record(
            to, static_cast<persistence::table>(i), key, text);
          !added)
        return added;
  return {};
}

// The first inode is that of the namespace: `net:[4026532805]`.
uint64_t inode_of(const std::string& root) {
  auto number = uint64_t{0};
  (void)std::from_chars(root.data() + 5, root.data() + root.size(), number);
  return number;
}

std::multimap<std::string, uint64_t> read_mounts(const std::string& pin_dir) {
  auto result = std::multimap<std::string, uint64_t>{};
  auto file = std::ifstream{"/proc/self/mountinfo"};
  for (auto line = std::string{}; std::getline(file, line);) {
    auto words = std::istringstream{line};
    auto skipped = std::string{}, root = std::string{}, path = std::string{};
    words >> skipped >> skipped >> skipped >> root >> path;
    if (root.starts_with("net:[") && path.starts_with(pin_dir + "/"))
      result.emplace(path.substr(pin_dir.size() + 1), inode_of(root));
  }
  return result;
}

} // namespace

result<testing::host_view>
read_host(const std::string& state_dir, const std::string& run_dir) {
  const auto pins = run_dir + "/netns";
  auto seen = testing::host_view{};
  seen.owner = instance::of(run_dir);
  if (auto read = add_records(state_dir + "/durable", "durable", seen.records);
      !read)
    return fail(std::move(read.error()));
  // After a reboot there is none until the daemon starts.
  auto read = add_records(run_dir + "/runtime", "runtime", seen.records);
  if (!read && read.error().os_error != ENOENT)
    return fail(std::move(read.error()));
  auto kernel
    = netns::read_audit(pins, testing::promises_of(seen.records, seen.owner),
                        netns::firewall::table_name(seen.owner));
  if (!kernel)
    return fail(std::move(kernel.error()));
  seen.kernel = std::move(*kernel);
  seen.mounts = read_mounts(pins);
  return seen;
}

} // namespace troupe::tools
