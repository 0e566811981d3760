#pragma once

#include "troupe/persistence/lmdb_store.hpp"
#include "troupe/persistence/store.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

namespace troupe::persistence {

/// How many times the usual number of random cases: TEST_FACTOR.
inline unsigned test_factor() {
  const char* text = std::getenv("TEST_FACTOR");
  const auto factor = text == nullptr ? 1UL : std::strtoul(text, nullptr, 10);
  return static_cast<unsigned>(std::clamp(factor, 1UL, 1'000UL));
}

/// A directory under /tmp that goes away with the object.
class scratch_directory {
public:
  scratch_directory() {
    auto name = std::string{"/tmp/troupe-store-XXXXXX"};
    path_ = ::mkdtemp(name.data());
  }
  scratch_directory(const scratch_directory&) = delete;
  scratch_directory& operator=(const scratch_directory&) = delete;
  ~scratch_directory() {
    auto ignored = std::error_code{};
    std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const {
    return path_;
  }

private:
  std::string path_;
};

inline std::string read_file(const std::string& path) {
  auto in = std::ifstream{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

inline void write_file(const std::string& path, const std::string& text) {
  std::ofstream{path, std::ios::binary | std::ios::trunc} << text;
}

/// The n-th id of a fixed series.
inline std::string id_text(unsigned n) {
  auto digits = std::to_string(n);
  return std::string(64 - digits.size(), 'a') + digits;
}

inline network_spec make_network(unsigned n) {
  auto result = network_spec{};
  result.id.value = id_text(n);
  result.name = "network" + std::to_string(n);
  result.pools.push_back({prefix::parse("10.1.0.0/16").value(), {}, {}, {}});
  result.labels["owner"] = "somebody";
  return result;
}

inline endpoint_spec make_endpoint(unsigned n, bool ephemeral = false) {
  auto result = endpoint_spec{};
  result.id.value = id_text(n);
  result.network.value = id_text(0);
  result.name = "endpoint" + std::to_string(n);
  result.addresses.push_back(interface_address::parse("10.1.0.5/16").value());
  result.ephemeral = ephemeral;
  return result;
}

inline sandbox_spec make_sandbox(unsigned n) {
  auto result = sandbox_spec{};
  result.id.value = id_text(n);
  result.name = "container" + std::to_string(n);
  return result;
}

inline join_spec make_join(unsigned n) {
  auto result = join_spec{};
  result.endpoint.value = id_text(n);
  result.network.value = id_text(0);
  result.sandbox.value = id_text(n);
  result.interface = "eth0";
  return result;
}

/// A store in a scratch directory, with a boot id of its own.
class store_test : public ::testing::Test {
protected:
  store_test() {
    how.durable_dir = root.path() + "/state/durable";
    how.runtime_dir = root.path() + "/run/runtime";
    how.boot_id_file = root.path() + "/boot_id";
    boot("first");
  }

  void boot(const std::string& id) const {
    write_file(how.boot_id_file, id + "\n");
  }

  result<std::unique_ptr<store>> open() const {
    return open_lmdb_with(how);
  }

  std::string durable_file() const {
    return how.durable_dir + "/data.mdb";
  }
  std::string runtime_file() const {
    return how.runtime_dir + "/data.mdb";
  }

  static result<void> commit(store& to, std::vector<change> changes) {
    return to.commit(changes);
  }

  scratch_directory root;
  store_options how;
};

} // namespace troupe::persistence
