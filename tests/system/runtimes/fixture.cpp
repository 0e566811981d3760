#include "troupe/tests/system/runtimes/fixture.hpp"

#include "troupe/tests/system/harness/isolation.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include <sys/mount.h>

namespace troupe::test {

namespace fs = std::filesystem;

void runtimes_test::SetUp() {
  cni_test::SetUp();
  if (IsSkipped() || HasFatalFailure())
    return;
  dir_ = daemon().dir() + "/runtime";
  fs::create_directories(dir_ + "/cni/bin");
  fs::copy_file(TROUPE_CNI, dir_ + "/cni/bin/troupe-cni");
  // What is published is held by a process that stays.
  warm_up();
}

void runtimes_test::TearDown() {
  run({"ip", "link", "del", "up0"});
  cni_test::TearDown();
}

void runtimes_test::write(const std::string& path, const std::string& text) {
  fs::create_directories(fs::path{path}.parent_path());
  std::ofstream{path} << text;
}

void runtimes_test::make_root(const std::string& path) {
  for (const auto* folder : {"bin", "proc", "sys", "dev", "etc", "tmp"})
    fs::create_directories(path + "/" + folder);
  auto busybox = run({"sh", "-c", "command -v busybox"}).out;
  fs::copy_file(busybox.substr(0, busybox.find('\n')), path + "/bin/busybox");
  for (const auto* name : {"sh", "sleep", "ping", "ip", "nc", "echo", "true"})
    fs::create_symlink("busybox", path + "/bin/" + name);
}

std::string runtimes_test::ask_from_neighbour(const std::string& port) {
  auto heard = std::string{};
  for (auto i = 0; i < 50 && heard.empty(); ++i) {
    heard = run({"sh", "-c",
                 "ip netns exec neighbour busybox nc -w 3 192.0.2.1 " + port
                   + " </dev/null"})
              .out;
    if (heard.empty())
      std::this_thread::sleep_for(std::chrono::milliseconds{100});
  }
  return heard;
}

std::string
runtimes_test::list(const std::string& name, nlohmann::json plugin) const {
  plugin["type"] = "troupe-cni";
  plugin["socket"] = daemon_socket();
  plugin["capabilities"]
    = {{"portMappings", true}, {"ips", true}, {"mac", true}};
  return nlohmann::json{
    {"cniVersion", "0.4.0"}, {"name", name}, {"plugins", {plugin}}}
    .dump();
}

void runtimes_test::hide(const std::string& path) {
  // This process has mounts of its own.
  if (isolation_refusal().empty() && fs::is_directory(path)) {
    ASSERT_EQ(::mount("tmpfs", path.c_str(), "tmpfs", 0, nullptr), 0) << path;
  }
}

} // namespace troupe::test
