// A container runtime in sixty lines: one network, one container on it.

#include "troupe/actors/troupe.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

namespace {

template <class T>
T value_of(troupe::result<T> x) {
  if (!x) {
    std::fprintf(stderr, "consumer: %s\n", x.error().message.c_str());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>)
    return std::move(*x);
}

int run(const std::string& dir) {
  auto how = troupe::settings{};
  how.state_dir = dir + "/state";
  how.run_dir = dir + "/run";
  auto controller = value_of(troupe::controller::open(how));
  auto network = value_of(controller.create_network("bridge", "network1"));
  auto endpoint = value_of(network.create_endpoint("Endpoint1"));
  auto sandbox = value_of(controller.create_sandbox("container1"));
  auto joined = value_of(endpoint.join(sandbox));
  std::printf("joined as %s\n", joined.interface.c_str());
  value_of(sandbox.remove());
  value_of(endpoint.remove());
  value_of(network.remove());
  return 0;
}

} // namespace

int main() {
  // Without root only the connected facade can be tried: nobody listens there.
  if (geteuid() != 0) {
    auto controller = troupe::controller::connect("unix:///nowhere/the.sock");
    if (controller)
      return controller->status() ? 1 : 0;
    return 1;
  }
  char dir[] = "/tmp/troupe-consumer-XXXXXX";
  if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0
      || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0
      || mkdtemp(dir) == nullptr
      || mount("tmpfs", dir, "tmpfs", 0, nullptr) != 0) {
    std::perror("consumer: prepare namespaces");
    return 1;
  }
  auto code = run(dir);
  umount2(dir, MNT_DETACH);
  std::filesystem::remove(dir);
  return code;
}
