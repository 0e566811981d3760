#include "troupe/drivers/bridge/names.hpp"

#include "fixture.hpp"
#include <fnmatch.h>
#include <fstream>
#include <sstream>

// The files that keep other programs' hands off our links name those links.

namespace troupe::test {

namespace {

/// The patterns in a file, in the lines that begin so.
std::vector<std::string>
patterns(const std::string& file, const std::string& key) {
  auto text = std::ifstream{TROUPE_SOURCE_DIR "/tools/network/" + file};
  auto result = std::vector<std::string>{};
  for (auto line = std::string{}; std::getline(text, line);) {
    if (!line.starts_with(key))
      continue;
    line.erase(0, line.find('=') + 1);
    for (auto& c : line)
      if (c == ';')
        c = ' ';
    auto words = std::istringstream{line};
    for (auto word = std::string{}; words >> word;)
      result.push_back(word.substr(word.find(':') + 1));
  }
  return result;
}

bool match(const std::vector<std::string>& xs, const std::string& name) {
  for (const auto& x : xs)
    if (fnmatch(x.c_str(), name.c_str(), 0) == 0)
      return true;
  return false;
}

TEST(HostFiles, NameOurLinksAndNoOthers) {
  struct row {
    const char* file;
    const char* key;
  };
  auto network = network_id{id_of('a')};
  auto endpoint = endpoint_id{id_of('0')};
  auto spare = std::string{drivers::spare_lead} + endpoint.value.substr(0, 12);
  for (const auto& [file, key] :
       {row{"networkmanager.conf", "unmanaged-devices+="},
        row{"10-troupe.network", "Name="},
        row{"10-troupe.link", "OriginalName="}}) {
    SCOPED_TRACE(file);
    auto found = patterns(file, key);
    ASSERT_FALSE(found.empty());
    for (const auto& name : {drivers::bridge_name(network),
                             drivers::host_end_name(endpoint), spare})
      EXPECT_TRUE(match(found, name)) << name;
    for (auto name : {"eth0", "enp3s0", "br0", "br-lan", "docker0", "virbr0",
                      "veth0123456", "trp", "trp0"})
      EXPECT_FALSE(match(found, name)) << name;
  }
}

} // namespace

} // namespace troupe::test
